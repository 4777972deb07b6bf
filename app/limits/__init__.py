"""Limits that all API processes share: rate permits and slots, leased from Valkey and spent locally."""
