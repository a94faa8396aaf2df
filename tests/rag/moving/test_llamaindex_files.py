"""Folders that llama-index wrote, and that broke or were made by somebody else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rag.errors import Damaged, NotFound, SourceTooLarge
from rag.moving.llamaindex_import import import_llamaindex
from tests.notebooks import notebook
from tests.rag.moving.stock import change_vectors


def _nodes(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "docstore.json"
    body = json.loads(path.read_text())
    change(body["docstore/data"])
    path.write_text(json.dumps(body))


def _first(body: dict[str, Any]) -> Any:
    return next(iter(body.values()))


BROKEN: dict[str, Callable[[Path], object]] = {
    "torn vectors": lambda d: os.truncate(d / "default__vector_store.json", 3000),
    "empty vectors": lambda d: os.truncate(d / "default__vector_store.json", 0),
    "torn docstore": lambda d: os.truncate(d / "docstore.json", 500),
    "list": lambda d: (d / "docstore.json").write_text("[]"),
    "data is a list": lambda d: (d / "docstore.json").write_text('{"docstore/data": []}'),
    "nothing": lambda d: (d / "docstore.json").write_text("{}"),
    "deep": lambda d: (d / "docstore.json").write_text('{"docstore/data": ' + "[" * 200_000),
    "not text": lambda d: (d / "docstore.json").write_bytes(b"\x80\x04\x95pickle"),
    "a vector of words": lambda d: change_vectors(d, lambda v: v.update({next(iter(v)): ["a", "b"]})),
    "a vector of truths": lambda d: change_vectors(d, lambda v: v.update({next(iter(v)): [True, False]})),
    "a vector is an object": lambda d: change_vectors(d, lambda v: v.update({next(iter(v)): {"0": 1.0}})),
    "a node is a word": lambda d: _nodes(d, lambda n: n.update({next(iter(n)): "node"})),
    "a node without text": lambda d: _nodes(d, lambda n: _first(n)["__data__"].update(text={})),
    "a node of no kind": lambda d: _nodes(d, lambda n: _first(n).update(__type__="evil")),
    "a template that fills the memory": lambda d: _nodes(
        d, lambda n: _first(n)["__data__"].update(metadata_template="{key:>9999999999}")
    ),
    "a template that looks inside": lambda d: _nodes(
        d, lambda n: _first(n)["__data__"].update(text_template="{content.__class__}")
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_folders_get_a_sentence(stock: Path, tmp_path: Path, what: str) -> None:
    """Nothing is called, nothing is left behind, no traceback."""
    import shutil

    shutil.copytree(stock, tmp_path / "li")
    BROKEN[what](tmp_path / "li")
    with pytest.raises(Damaged) as caught:
        import_llamaindex(notebook(tmp_path / "home"), tmp_path / "li")
    assert ".json" in str(caught.value)
    assert len(str(caught.value)) < 500
    assert not (tmp_path / "home").exists()


def test_pickles_and_huge_files_are_not_read(stock: Path, tmp_path: Path) -> None:
    """Only the JSON files that llama-index writes; one of five gigabytes (of nothing) is refused by its size."""
    import shutil

    shutil.copytree(stock, tmp_path / "li")
    (tmp_path / "li" / "docstore.json").unlink()
    (tmp_path / "li" / "docstore.pkl").write_bytes(b"cos\nsystem\n(S'touch /tmp/x'\ntR.")
    with pytest.raises(NotFound):
        import_llamaindex(notebook(tmp_path / "home"), tmp_path / "li")
    with (tmp_path / "li" / "docstore.json").open("wb") as sparse:
        sparse.truncate(5 << 30)
    with pytest.raises(SourceTooLarge):
        import_llamaindex(notebook(tmp_path / "home"), tmp_path / "li")
    assert not (tmp_path / "home").exists()
