"""The sentences of saved files. Whoever changes an expected one here changes the storage format."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rag.changes import Change, Code, change
from rag.old_sentences import DAMAGED, MISSING, made, meant, read_pair, saved_pair, triple, unreadable, why
from rag.sources.rows import SourceRow

KEPT = " The 3 chunks of its former content stay."
ROWS: list[tuple[str, str, str, str, Change]] = [
    ("waiting", "waiting", "", "not built yet", change(Code.NOT_BUILT, source="n")),
    ("new", "indexed", "", "3 chunks embedded", change(Code.ADDED, source="n", chunks=3, embedded=3)),
    ("new", "indexed", "", "1 chunk, all reused", change(Code.ADDED, source="n", chunks=1, embedded=0)),
    (
        *("changed", "indexed", "", "1,203 chunks: 1,000 embedded, 203 reused"),
        change(Code.CHANGED, source="n", chunks=1203, embedded=1000),
    ),
    ("new", "indexed", "", "2 chunks adopted from llama-index", change(Code.ADOPTED_SOURCE, source="n", chunks=2)),
    ("reused", "indexed", "", "unchanged since snapshot 7", change(Code.UNCHANGED, source="n", snapshot=7)),
    ("renamed", "indexed", "", "was a\nb.txt: nothing embedded", change(Code.RENAMED, before="a\nb.txt", after="n")),
    ("failed", "failed", MISSING, MISSING, change(Code.ORIGINAL_MISSING, source="n")),
    ("failed", "failed", DAMAGED, DAMAGED + KEPT, change(Code.ORIGINAL_DAMAGED, source="n", kept=3)),
    ("failed", "failed", "Bad.", "Bad." + KEPT, change(Code.UNREADABLE, source="n", sentence="Bad.", kept=3)),
    # A source that was renamed from a name that reads like another sentence, and a reader that speaks of originals.
    (
        *("renamed", "indexed", "", "was 3 chunks embedded: nothing embedded"),
        change(Code.RENAMED, before="3 chunks embedded", after="n"),
    ),
    (
        *("failed", "failed", "The original is odd.", "The original is odd."),
        change(Code.UNREADABLE, source="n", sentence="The original is odd."),
    ),
]
CHANGES: list[tuple[str, str | None, str | None, Change]] = [
    ("a.txt", None, "added", change(Code.ADDED, source="a.txt")),
    ("damage", None, "added", change(Code.ADDED, source="damage")),
    ("a", None, "added: 0 chunks, all reused", change(Code.ADDED, source="a", chunks=0, embedded=0)),
    ("a", None, "changed: 2 chunks embedded", change(Code.CHANGED, source="a", chunks=2, embedded=2)),
    ("a", None, "changed", change(Code.CHANGED, source="a")),
    ("a", None, "could not be read: Bad.", change(Code.UNREADABLE, source="a", sentence="Bad.")),
    ("a", None, f"could not be read: {MISSING}", change(Code.ORIGINAL_MISSING, source="a")),
    ("a", None, f"could not be read: {DAMAGED}", change(Code.ORIGINAL_DAMAGED, source="a")),
    ("a", "source", "removed", change(Code.REMOVED, source="a")),
    ("a", "1,204 chunks", "removed", change(Code.REMOVED, source="a", chunks=1204)),
    ("renamed", "a.txt", "z.txt", change(Code.RENAMED, before="a.txt", after="z.txt")),
    ("embedder.model", "m", "n", change(Code.CHOICE, choice="embedder.model", before="m", after="n")),
    ("readers.application/pdf", None, "1", change(Code.CHOICE, choice="readers.application/pdf", after="1")),
    ("analysis", None, "words/1", change(Code.CHOICE, choice="analysis", after="words/1")),
    ("damage", None, "x is damaged.", change(Code.DAMAGE, sentence="x is damaged.")),
    ("vector cache", None, "Made anew.", change(Code.CACHE_HEALED, sentence="Made anew.")),
    ("purged", None, "1 source", change(Code.PURGED, sources=1)),
    ("snapshot", "3", "1", change(Code.WENT_BACK, before=3, after=1)),
    ("archive", None, "snapshot 3 of my-notes", change(Code.ARCHIVE, snapshot=3, notebook="my-notes")),
    ("llama-index", None, "7 chunks adopted with their vectors", change(Code.ADOPTED, chunks=7)),
    ("something", "of", None, change(Code.OTHER, what="something", before="of")),
]


@pytest.mark.parametrize(("changed", "state", "reason", "told", "meaning"), ROWS)
def test_a_row_says_what_it_said_and_means_it(
    changed: str, state: str, reason: str, told: str, meaning: Change
) -> None:
    assert made("n", changed, state, reason, told) == meaning
    assert why(meaning) == told
    row = SourceRow("id", "n", "", 0)
    assert replace(row, changed=changed, state=state, reason=reason, why=told).made == meaning  # type: ignore[arg-type]
    if state == "failed":
        assert why(unreadable(reason)) == reason


@pytest.mark.parametrize(("what", "before", "after", "meaning"), CHANGES)
def test_a_change_says_what_it_said_and_means_it(
    what: str, before: str | None, after: str | None, meaning: Change
) -> None:
    assert meant(what, before, after) == meaning
    assert triple(meaning) == (what, before, after)


@pytest.mark.parametrize("code", Code)
def test_every_code_has_an_old_sentence_that_programs_without_codes_read(code: Code) -> None:
    one = change(
        code, source="a", chunks=2, embedded=1, before="b", after="c", sentence="S.", choice="format", what="w"
    )
    sentences, codes = saved_pair((one,))
    assert list(sentences[0]) == ["what", "before", "after"]
    assert sentences[0]["what"]
    assert read_pair(json.loads(json.dumps(sentences)), json.loads(json.dumps(codes))) == (one,)


def test_a_code_of_a_newer_program_is_read_by_its_sentence() -> None:
    sentences, codes = saved_pair((change(Code.ADDED, source="a"), change(Code.REMOVED, source="b")))
    newer = [{"code": "evaporated", "fields": {}}, codes[1]]
    both = (change(Code.ADDED, source="a"), change(Code.REMOVED, source="b"))
    assert read_pair(sentences, newer) == read_pair(sentences, None) == read_pair(sentences, [codes[0]]) == both
