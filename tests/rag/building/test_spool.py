"""Chunks between being read and being written."""

from __future__ import annotations

import resource

import pytest

from rag.building.spool import Spool
from rag.errors import DiskFull
from rag.reading.places import Page
from rag.reading.splitting import Piece

MB = "x" * (1 << 20)


def piece(ordinal, text="text", prefix="", **places):
    fields = {"start": 0, "end": 1, "page": None, "page_end": None, "headings": ()} | places
    return Piece(ordinal, text, embed_text=prefix + text, **fields)


ODD = [
    piece(0, 'Lines\nof\r\ntext, "quoted" \\ and \u2028 odd.', "Über › Unter\n", headings=("Über", "Unter")),
    piece(1, "終わり 🦉", start=40, end=44, page=1, page_end=2),
    piece(2, "repeated repeated", "repeated\n"),
    piece(3, "half \ud83e of a pair"),
]


def test_chunks_come_back_as_they_were(tmp_path):
    pages = (Page(1, 0, 42), Page(2, 42, 60))
    with Spool(tmp_path) as spool:
        first = spool.put(pages, ODD)
        second = spool.put((), [piece(0, "other")])
        assert list(spool.pieces(first)) == ODD
        assert spool.pages(first) == pages
        assert (list(spool.pieces(second)), spool.pages(second)) == ([piece(0, "other")], ())
        third = spool.put((), [])
        assert (third.chunks, list(spool.pieces(third))) == (0, [])


def test_several_may_be_read_in_turns(tmp_path):
    with Spool(tmp_path) as spool:
        one = spool.put((), (piece(number, f"one {number}") for number in range(500)))
        two = spool.put((), (piece(number, f"two {number}") for number in range(500)))
        for left, right in zip(spool.pieces(one), spool.pieces(two), strict=True):
            assert (left.text, right.text) == (f"one {left.ordinal}", f"two {left.ordinal}")
        assert [found.ordinal for found in spool.pieces(one, 100)] == [0, 100, 200, 300, 400]


def test_a_few_texts_make_no_file_and_many_make_one_without_a_name(tmp_path):
    with Spool(tmp_path) as spool:
        few = spool.put((), [piece(0)])
        assert list(tmp_path.iterdir()) == []
        many = spool.put((), (piece(number, MB) for number in range(6)))
        assert list(tmp_path.iterdir()) == []  # where the system has such files; Linux has
        assert {len(found.text) for found in spool.pieces(many)} == {1 << 20}
        assert list(spool.pieces(few)) == [piece(0)]
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Spool(tmp_path) as spool:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
        try:
            with pytest.raises(DiskFull, match="Free some space"):
                spool.put((), (piece(number, MB) for number in range(6)))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
