"""What is searched for in notebooks that move, and what is found there."""

from __future__ import annotations

from rag.notebook import Notebook
from tests.notebooks import hits, opened

QUESTIONS = ("river stone bridge", "lantern in winter", "violin", "the")


def searched(book: Notebook) -> list[list[list[object]]]:
    """What searching finds, every digit."""
    snapshot = opened(book)
    return [hits(snapshot.search(question, 8)) for question in QUESTIONS]
