"""Numbers with their nouns, in English."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """`1 chunk`, `1,284 chunks`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
