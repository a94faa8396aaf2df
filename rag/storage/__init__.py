"""Bytes under names: create if absent, durable, locked, counted."""
