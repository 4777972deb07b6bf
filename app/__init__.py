"""FoundryOps: a self-hosted entity-resolution service."""
