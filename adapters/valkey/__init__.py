"""Valkey, for what may be lost."""
