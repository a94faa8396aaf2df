from __future__ import annotations

from rag.building.chunking import GROUP, grouped, read_all
from rag.building.results import Read
from rag.sources.rows import SourceRow
from tests.notebooks import settings, text_of


def test_sources_are_read_one_after_the_other_and_failures_are_said(tmp_path):
    paths = {name: tmp_path / name for name in ("a.txt", "bad.txt", "b.txt")}
    paths["a.txt"].write_text(text_of(3, 1))
    paths["bad.txt"].write_bytes(b"")
    paths["b.txt"].write_text(text_of(2, 2))
    rows = [SourceRow(name, name, "", 0) for name in paths]
    reads = list(read_all(rows, lambda row: paths[row.name], settings(tmp_path)))
    assert [(read.row.name, len(read.pieces), bool(read.failure)) for read in reads] == [
        ("a.txt", 3, False),
        ("bad.txt", 0, True),
        ("b.txt", 2, False),
    ]


def test_groups_are_whole_sources_and_not_much_too_large():
    def read(count):
        made = Read(SourceRow(str(count), str(count), "", 0))
        made.pieces = [None] * count
        return made

    sizes = [10, GROUP, 5, GROUP - 5, 1, 3 * GROUP, 2]
    groups = [[len(one.pieces) for one in group] for group in grouped([read(size) for size in sizes])]
    assert groups == [[10], [GROUP], [5, GROUP - 5], [1], [3 * GROUP], [2]]
    assert list(grouped([])) == []
