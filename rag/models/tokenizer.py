"""What every tokenizer does."""

from __future__ import annotations

from typing import Protocol


class Tokenizer(Protocol):
    """What the splitter needs. `name` and `digest` (SHA-256 of the tokenizer's file) go into the recipe."""

    name: str
    digest: str

    def count_offsets(self, text: str) -> list[tuple[int, int]]:
        """Characters (start, end) of every token in order, special tokens left out. White space may belong to none;
        a character made of several tokens belongs to each of them."""
        ...
