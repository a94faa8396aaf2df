from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from rag.errors import Conflict, Damaged, DiskFull, NotWritable, StoreError
from rag.tables.chunk_table import ChunkTable
from rag.tables.lance_errors import writing
from rag.tables.lance_files import files_of
from rag.tables.tidying import tidy
from tests.tables import many, vector


def read_all(folder: Path, version: int | None) -> None:
    reader = ChunkTable.open(folder, "t", version).reader()
    reader.nearest(vector(1), 3)
    reader.full_text("dog", 3)
    reader.rows_at(range(reader.count))


def test_every_lost_or_torn_file_is_named(table: ChunkTable, tmp_path_factory: pytest.TempPathFactory) -> None:
    table.replace(["a"], many("a", 300))
    tidy(table)
    table.replace(["a"], many("a", 200))
    version = table.upsert(many("b", 5))
    for file in files_of(table.path, version):
        for keep in (None, 0.0, 0.5):
            folder = tmp_path_factory.mktemp("damaged")
            shutil.copytree(table.path, folder / "t.lance")
            path = folder / "t.lance" / file.path
            whole = path.read_bytes()
            if keep is None:
                path.unlink()
            else:
                path.write_bytes(whole[: int(len(whole) * keep)])
            if keep == 0.5 and "_deletions" in file.path:
                continue
            if "part_0" in file.path and "invert" not in file.path and keep is not None:
                continue  # Lance may not read these in full for this query; files_of names them (test_lance_files)
            with pytest.raises(Damaged, match=path.name.replace(".", r"\.")):
                read_all(folder, version)


def test_any_flipped_byte_is_damage_or_goes_unnoticed_but_never_another_error(
    table: ChunkTable, tmp_path_factory: pytest.TempPathFactory
) -> None:
    table.replace(["a"], many("a", 40))
    table.rebuild_text_index()
    version = table.delete(["a-3"])
    chance = np.random.default_rng(0)
    for file in files_of(table.path, version):
        for _ in range(4):
            folder = tmp_path_factory.mktemp("flipped")
            shutil.copytree(table.path, folder / "t.lance")
            path = folder / "t.lance" / file.path
            raw = bytearray(path.read_bytes())
            raw[chance.integers(len(raw))] ^= 1 << chance.integers(8)
            path.write_bytes(raw)
            message = "t.lance"
            try:
                read_all(folder, version)
            except StoreError as error:
                message = str(error)
            assert "t.lance" in message or "bytes have changed" in message


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("LanceError(IO): Generic LocalFileSystem error: No space left on device (os error 28)", DiskFull),
        ("Unable to write: Permission denied (os error 13)", NotWritable),
        ("Read-only file system (os error 30)", NotWritable),
        ("Retryable commit conflict for version 3: preempted by concurrent transaction Delete", Conflict),
        ("something else\nwith a second line", StoreError),
    ],
)
def test_failures_of_lance_have_names(table: ChunkTable, text: str, kind: type[Exception]) -> None:
    with pytest.raises(StoreError) as caught, writing(table.path, table.version):
        raise RuntimeError(text)
    assert type(caught.value) is kind
    assert "second line" not in str(caught.value)
