"""Which modules of `rag/` have a test file of their own name below `tests/`, and which still lack it."""

from __future__ import annotations

from pathlib import Path

from tests.layout import RAG, ROOT, module_of, within

SMALL = 80
"""Lines up to which a module needs no mirror: its neighbours' tests run through it."""

WITHOUT: tuple[str, ...] = ()
"""Modules over `SMALL` that are tested by theme only. The list only shrinks."""


def mirror_of(path: Path) -> Path:
    """Where the tests of a module are."""
    return ROOT / "tests" / path.relative_to(ROOT).with_name(f"test_{path.name}")


def without_mirror() -> list[str]:
    """Modules over `SMALL` that have none. The checks of claims are measured as a whole; the door has its test."""
    return [
        module_of(path)
        for path in RAG
        if path.name != "__init__.py"
        and not within(module_of(path), "rag.citing.claims")
        and len(path.read_text("utf-8").splitlines()) > SMALL
        and not mirror_of(path).is_file()
    ]
