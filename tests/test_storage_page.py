"""docs/storage.md explains the format so well that a page of Python reads a notebook without Ragbook."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rag.storage.originals import Originals
from tests.golden.make import book_of, golden
from tests.notebooks import ROOT, opened
from tests.waiting import CEILING

PAGE = (ROOT / "docs" / "storage.md").read_text("utf-8")
CODE = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
FORMATS = sorted((ROOT / "tests" / "golden").glob("format-*"))


def read(notebook: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the page in a folder from which no Ragbook can be imported."""
    script = folder / "page.py"
    script.write_text(CODE[0], "utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-W", "error", str(script), str(notebook)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=CEILING,
        env=environment,
    )


def test_the_page_is_short_and_needs_lancedb_and_the_standard_library_only() -> None:
    """One block of code, at most a page and a half."""
    assert len(CODE) == 1
    assert len(CODE[0].splitlines()) <= 80
    names = set()
    for node in ast.walk(ast.parse(CODE[0])):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    assert names == {"hashlib", "json", "sys", "pathlib", "lancedb"}


@pytest.mark.parametrize("name", ["double", "local"])
@pytest.mark.parametrize("released", FORMATS, ids=lambda path: path.name)
def test_the_page_reads_what_ragbook_reads(released: Path, name: str, tmp_path: Path) -> None:
    """Sources, texts, places and vectors are those that Ragbook finds in the same home."""
    shutil.copytree(released / name, tmp_path / name)
    done = read(tmp_path / name / "default/notebooks/main", tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    snapshot = opened(book_of(name, golden(tmp_path)[name]))
    reader = snapshot.table.reader()
    rows = reader.rows_at(range(reader.count), with_vectors=True)
    assert said["snapshot"] == snapshot.snapshot
    assert [one["text"] for one in said["chunks"]] == [row.text for row in rows]
    assert [one["source"] for one in said["chunks"]] == [snapshot.names[row.source_id] for row in rows]
    assert [(one["start"], one["end"], one["heading"]) for one in said["chunks"]] == [
        (row.start, row.end, row.heading) for row in rows
    ]
    assert np.array_equal(np.array([one["vector"] for one in said["chunks"]], np.float32), reader.exact().matrix)


def test_the_page_passes_over_a_damaged_snapshot(tmp_path: Path) -> None:
    """It checks as strictly as Ragbook does: a changed byte makes it take the snapshot before."""
    shutil.copytree(FORMATS[-1] / "double", tmp_path / "double")
    notebook = tmp_path / "double/default/notebooks/main"
    newest = sorted((notebook / "manifests").iterdir())[-1]
    newest.write_bytes(newest.read_bytes().replace(b'"epoch": 0', b'"epoch": 1'))
    assert json.loads(read(notebook, tmp_path).stdout)["snapshot"] == int(newest.stem) - 1


def test_the_page_says_where_the_originals_lie() -> None:
    """The names in the page are those of the code."""
    assert Originals.name("ab" * 32) == f"originals/ab/{'ab' * 32}"
    assert "`originals/<first two digits>/<digest>`" in PAGE
