"""Rows, counts and words: pure."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from rag.building.plan import plan
from rag.building.results import (
    Read,
    changes_of,
    nothing_built,
    results,
    source_counts,
    standing,
    unchanged,
    verdict_name,
)
from rag.manifest import Counts, Failure, Manifest, Receipt, VerdictName
from rag.sources.rows import SourceRow
from rag.wording.changes import sentence


def row(name, digest="d1", **fields):
    return SourceRow(f"id-{name}", name, digest, 10, **fields)


def built(name, digest="d1", chunks=3, **fields):
    fields = {"state": "indexed", "built_digest": digest, "chunks": chunks, "snapshot": 1, "changed": "new"} | fields
    return row(name, digest, **fields)


def read_of(one, pieces, embedded):
    return Read(one, pieces, "text/plain", embedded=embedded)


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


def manifest(**changes):
    fields = {"snapshot": 3, "recipe": {"splitter": {"size": 48}}, "recipe_fp": "old", "counts": Counts(2, 1, 7)}
    return replace(MANIFEST, **(fields | changes))


MANIFEST = Manifest(
    snapshot=1, parent=None, created="2026-01-01T00:00:00Z", writer="w", epoch=0, verdict=VerdictName.BUILT, recipe={},
    recipe_fp="", space_fp="s", sources_fp="f", counts=Counts(0, 0, 0), tables={}, receipt=Receipt(),
    failures=(Failure("bad.pdf", "It is none.", kept=False),),
)  # fmt: skip


@pytest.mark.parametrize(
    ("head", "damaged", "recipe", "at_no_cost", "resumed", "name"),
    [
        (False, (), "old", False, False, "BUILT"),
        (False, (), "old", False, True, "RESUMED"),
        (True, (), "old", False, False, "UPDATED"),
        (True, (), "old", True, True, "RESUMED"),
        (True, (), "new", True, True, "SWITCHED"),
        (True, (), "new", False, False, "REBUILT"),
        (True, ("x is torn.",), "new", False, True, "RECOVERED"),
        (False, ("x is torn.",), "old", False, False, "RECOVERED"),
    ],
)
def test_what_a_build_came_to(head, damaged, recipe, at_no_cost, resumed, name):
    before = manifest() if head else None
    assert verdict_name(before, damaged, recipe, at_no_cost=at_no_cost, resumed=resumed) == name


def test_changes_say_damage_then_recipe_then_sources():
    old, gone, moved = built("a.txt"), built("gone.txt", chunks=1), built("b.txt")
    fresh, named = row("new.txt"), replace(moved, name="c.txt")
    todo = plan([old, fresh, named], [old, gone, moved])
    reads = [
        read_of(fresh, 2, 1),
        read_of(replace(old, digest="d2"), 3, 0),
        Read(row("bad.pdf"), failure="It is none."),
    ]
    found = changes_of(manifest(), ["x is torn."], "A version was set aside.", todo, reads, {"splitter": {"size": 96}})
    assert [sentence(one) for one in found] == [
        "damage: x is torn.",
        "size of chunks, in tokens: 48 → 96",
        "vector cache: A version was set aside.",
        "new.txt: added: 2 chunks: 1 embedded, 1 reused",
        "a.txt: changed: 3 chunks, all reused",
        "bad.pdf: could not be read: It is none.",
        "renamed: b.txt → c.txt",
        "gone.txt: 1 chunk → removed",
    ]
    assert changes_of(None, (), None, plan([], []), [], {"splitter": {"size": 96}}) == ()


def test_a_build_with_nothing_to_do_keeps_the_counts_of_the_snapshot():
    outcome = unchanged(manifest(), Receipt(saved_texts=7))
    assert (outcome.verdict.name, outcome.verdict.snapshot) == ("UNCHANGED", 3)
    assert outcome.verdict.sentence.endswith("No model was called.")
    assert (outcome.sources.total, outcome.sources.failed, outcome.chunks.reused) == (2, 1, 7)
    assert outcome.failures == (("bad.pdf", "It is none."),)
    assert unchanged(manifest(), Receipt(canary_texts=8)).verdict.sentence.endswith("the one of its vectors.")
    empty = nothing_built("There is nothing.", time.monotonic())
    assert (empty.verdict.name, empty.space, empty.verdict.receipt.calls) == ("EMPTY", None, 0)
