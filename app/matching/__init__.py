"""The matching core: pure functions from records and candidates to scores and reasons; no IO, no clock, no settings."""
