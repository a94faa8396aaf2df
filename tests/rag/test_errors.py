from __future__ import annotations

import inspect
import re

import pytest

import rag.errors
from rag.errors import RagbookError


def classes(base: type = RagbookError) -> set[type]:
    return {base}.union(*(classes(child) for child in base.__subclasses__()))


def drawn() -> dict[str, tuple[str | None, str]]:
    """Name → (its parent, its sentence) in the tree at the top of errors.py."""
    found: dict[str, tuple[str | None, str]] = {}
    path: list[str] = []
    for line in (rag.errors.__doc__ or "").splitlines():
        match = re.fullmatch(r"((?:  )*)([A-Z]\w+) {2,}(\S.*)", line)
        if match:
            depth = len(match[1]) // 2
            path = [*path[:depth], match[2]]
            found[match[2]] = (path[-2] if depth else None, match[3])
    return found


def ours() -> dict[str, type]:
    return {name: kind for name, kind in vars(rag.errors).items() if inspect.isclass(kind)}


def test_every_error_is_in_the_drawn_tree_under_its_parent() -> None:
    tree = drawn()
    assert set(tree) == set(ours())
    for name, kind in ours().items():
        parent = tree[name][0]
        assert parent == (kind.__base__.__name__ if kind is not RagbookError and kind.__base__ else None)


def test_no_error_is_defined_elsewhere() -> None:
    import rag.building.pipeline  # noqa: F401 - to have loaded what could define one

    assert {kind for kind in classes() if kind.__module__.startswith("rag")} == set(ours().values())


@pytest.mark.parametrize("name", sorted(ours()))
def test_every_error_says_what_it_means(name: str) -> None:
    assert drawn()[name][1]
    assert (ours()[name].__doc__ or "").endswith((".", "`."))
    assert str(ours()[name]("A sentence.")) == "A sentence."


def test_errors_are_told_apart() -> None:
    assert not issubclass(RagbookError, OSError | ValueError | RuntimeError)
