from __future__ import annotations

import pytest

from rag.changes import Change, Code, change
from rag.wording.changes import failed, name, result, sentence, sides

SAID = [
    (change(Code.CHOICE, choice="embedder.model", before="a", after="b"), "embedding model: a → b"),
    (change(Code.CHOICE, choice="embedder.model", before="a"), "embedding model: a → none"),
    (change(Code.ADDED, source="x.txt"), "x.txt: added"),
    (change(Code.ADDED, source="x", chunks=1203, embedded=1000), "x: added: 1,203 chunks: 1,000 embedded, 203 reused"),
    (change(Code.CHANGED, source="x", chunks=1, embedded=0), "x: changed: 1 chunk, all reused"),
    (change(Code.REMOVED, source="x"), "x: source → removed"),
    (change(Code.REMOVED, source="x", chunks=2), "x: 2 chunks → removed"),
    (change(Code.RENAMED, before="a", after="z"), "renamed: a → z"),
    (change(Code.UNREADABLE, source="x", sentence="Bad."), "x: could not be read: Bad."),
    (change(Code.STILL_UNREADABLE, source="x", sentence="Bad."), "x: Bad."),
    (
        change(Code.ORIGINAL_MISSING, source="x"),
        "x: could not be read: The original is missing from the home. Add the file again.",
    ),
    (change(Code.DAMAGE), "damage"),
    (change(Code.DAMAGE, sentence="It is torn."), "damage: It is torn."),
    (change(Code.CACHE_HEALED, sentence="Made anew."), "vector cache: Made anew."),
    (
        change(Code.OTHER_MODEL),
        "embedding model: the model of the saved vectors → another model under the same name",
    ),
    (change(Code.NEWER_FORMAT, known=1), "storage format: up to 1 → a newer one"),
    (change(Code.OUT_OF_REACH), "home: out of reach"),
    (change(Code.PURGED, sources=2), "purged: 2 sources"),
    (change(Code.WENT_BACK, before=3, after=1), "snapshot: 3 → 1"),
    (change(Code.ARCHIVE, snapshot=3, notebook="main"), "archive: snapshot 3 of main"),
    (change(Code.ADOPTED, chunks=1), "llama-index: 1 chunk adopted with their vectors"),
    (change(Code.OTHER, what="w", after="x"), "w: x"),
]


@pytest.mark.parametrize(("one", "expected"), SAID)
def test_a_change_is_a_sentence(one: Change, expected: str) -> None:
    assert sentence(one) == expected


@pytest.mark.parametrize("code", Code)
def test_every_code_has_words(code: Code) -> None:
    one = change(
        code, source="a", chunks=2, embedded=1, before="b", after="c", sentence="S.", choice="format", what="w"
    )
    assert name(one)
    assert sides(one)[1]
    assert result(one)


def test_a_source_is_told_by_what_became_of_it() -> None:
    assert result(change(Code.RENAMED, before="a", after="z")) == "was a: nothing embedded"
    assert result(change(Code.CHANGED, source="a", chunks=3, embedded=3)) == "3 chunks embedded"
    assert result(change(Code.UNREADABLE, source="a", sentence="Bad.", kept=3)) == (
        "Bad. The 3 chunks of its former content stay."
    )
    assert result(change(Code.NOT_BUILT, source="a")) == "not built yet"
    assert failed(change(Code.UNREADABLE, source="a", sentence="Bad.")) == "Bad."
    assert failed(change(Code.ORIGINAL_DAMAGED, source="a")).startswith("The original in the home is damaged")
    assert failed(change(Code.ADDED, source="a")) == ""
