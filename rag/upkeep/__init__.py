"""Damage and the past: what the doctor finds and repairs, older snapshots, and what nothing needs."""
