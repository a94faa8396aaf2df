from __future__ import annotations

from pathlib import Path

import pytest

from rag.home.journal import Interrupted, Journal


def test_a_note_comes_back_until_it_is_cleared(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "n")
    assert journal.read() is None
    journal.clear()
    assert not (tmp_path / "n").exists()
    journal.write(3, 10)
    journal.write(4, 10)
    assert Journal(tmp_path / "n").read() == Interrupted(4, 10)
    assert [path.name for path in (tmp_path / "n" / "lease").iterdir()] == ["build.json"]
    journal.clear()
    assert journal.read() is None


@pytest.mark.parametrize(
    "content",
    [
        *(
            b"",
            b"{",
            b"[]",
            b"null",
            b'"x"',
            b"{}",
            b'{"paid": 1}',
            b'{"paid": null, "total": 2}',
            b"\xff",
            b"\x00" * 40,
        ),
        *(b'{"paid": 1e999, "total": 2}', b'{"paid": NaN, "total": 2}', b"[" * 100_000),
    ],
)
def test_a_note_that_cannot_be_read_is_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "lease").mkdir()
    (tmp_path / "lease" / "build.json").write_bytes(content)
    assert Journal(tmp_path).read() is None


def test_a_note_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "lease").write_bytes(b"a file where the folder should be")
    journal = Journal(tmp_path)
    journal.write(1, 2)
    journal.clear()
    assert journal.read() is None
