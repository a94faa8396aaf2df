"""Rows, counts and words: pure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rag.planner import SourceRow, plan
from rag.results import Read, counted, results, source_counts, standing
from rag.splitting import Piece


def row(name, digest="d1", **fields):
    return SourceRow(f"id-{name}", name, digest, 10, **fields)


def built(name, digest="d1", chunks=3, **fields):
    fields = {"state": "indexed", "built_digest": digest, "chunks": chunks, "snapshot": 1, "changed": "new"} | fields
    return row(name, digest, **fields)


def read_of(one, pieces, embedded):
    piece = Piece(0, "x", 0, 1, None, None, (), "x")
    return Read(one, [piece] * pieces, [bytes(32)] * pieces, "text/plain", embedded=embedded)


@pytest.mark.parametrize(
    ("total", "embedded", "words"),
    [
        (1, 0, "1 chunk, all reused"),
        (1, 1, "1 chunk embedded"),
        (3, 3, "3 chunks embedded"),
        (1200, 2, "1,200 chunks: 2 embedded, 1,198 reused"),
    ],
)
def test_counted(total, embedded, words):
    assert counted(total, embedded) == words


def test_every_source_has_its_result_in_the_order_wanted():
    before = [built("kept"), built("old", "d2"), built("gone"), built("edited", "d3"), built("broken", "d4")]
    wanted = standing(
        [
            row("kept", position=7, origin="/new/place"),
            replace(row("old", "d2"), name="renamed"),
            row("edited", "d3b"),
            row("broken", "d4b"),
            row("new", "d5"),
            row("bad", "d6"),
        ],
        before,
    )
    todo = plan(wanted, before)
    reads = [
        read_of(one, 4, 1) if one.name in ("edited", "new") else replace(read_of(one, 0, 0), failure="It is broken.")
        for one in todo.read
    ]
    made = {one.name: one for one in results(wanted, todo, reads, 2)}
    assert list(made) == ["kept", "renamed", "edited", "broken", "new", "bad"]
    assert (made["kept"].snapshot, made["kept"].position, made["kept"].origin) == (1, 7, "/new/place")
    assert (made["renamed"].changed, made["renamed"].why) == ("renamed", "was old: nothing embedded")
    assert (made["edited"].changed, made["edited"].chunks, made["edited"].built_digest) == ("changed", 4, "d3b")
    assert (made["edited"].embedded, made["edited"].reused) == (1, 3)
    assert (made["broken"].state, made["broken"].chunks, made["broken"].built_digest) == ("failed", 3, "d4")
    assert made["broken"].why == "It is broken. The 3 chunks of its former content stay."
    assert (made["new"].changed, made["new"].state, made["new"].media_type) == ("new", "indexed", "text/plain")
    assert (made["bad"].state, made["bad"].chunks, made["bad"].why) == ("failed", 0, "It is broken.")
    counts = source_counts(list(made.values()), todo, reads)
    assert (counts.total, counts.added, counts.changed, counts.unchanged) == (5, 1, 1, 1)
    assert (counts.renamed, counts.removed, counts.failed) == (1, 1, 2)


def test_what_another_recipe_made_of_a_source_does_not_count():
    (one,) = standing([built("a", chunks=5)], [])
    assert (one.built_digest, one.chunks, one.embedded, one.reused) == ("", 0, 0, 0)
    (two,) = standing([row("a", "d2")], [built("a", chunks=5)])
    assert (two.digest, two.built_digest, two.chunks) == ("d2", "d1", 5)
