"""Whose a cached vector is: told by key, by vector and by text, and dropped where nobody can tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rag.config import Config
from rag.errors import Damaged
from rag.fingerprint import vector_key
from rag.tables.vectors import VectorCache
from rag.upkeep.belonging import _BETWEEN, _PREFIX_CHARS, Shelf, _sent, _whole, sort_out
from rag.upkeep.purge_plan import others_of
from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook, settings, text_of

KEYS = {bytes([n]) * 32: bytes([n]) * 16 for n in range(5)}
A, B, C, D, E = KEYS


def shelf() -> Shelf:
    return Shelf(Path(), "s", 8, ("words",), dict(KEYS))


def vector_of(key: bytes) -> bytes:
    return KEYS[key]


def test_what_nobody_has_is_dropped_and_open():
    one = shelf()
    assert one.dropped() == one.open() == set(KEYS)
    assert one.sharing() == set()


def test_what_another_source_has_stays_by_key_or_by_vector():
    one = shelf()
    one.note("main", A, None)
    one.note("main", None, vector_of(B))
    assert one.dropped() == {C, D, E}


def test_a_purged_text_goes_although_another_of_its_vector_stays():
    one = shelf()
    one.note(None, A, None)
    one.note("main", None, vector_of(A))
    assert A in one.dropped()
    one.note("other", A, None)  # the very text is somebody else's too
    assert A not in one.dropped()


def test_what_is_known_to_be_purged_is_not_open():
    one = shelf()
    one.note(None, A, None)
    one.note(None, None, vector_of(B))
    assert {A, B} <= one.dropped()
    assert one.open() == {C, D, E}


def test_notebooks_that_have_a_purged_text_are_named():
    one = shelf()
    one.note(None, A, None)
    one.note(None, None, vector_of(B))
    one.note("first", A, None)
    one.note("second", None, vector_of(B))
    one.note("third", C, vector_of(C))
    assert one.sharing() == {"first", "second"}


def test_a_text_that_was_never_cached_is_of_no_account():
    one = shelf()
    one.note("main", b"x" * 32, None)
    assert one.dropped() == set(KEYS)


def test_headings_may_have_been_sent_along_from_any_depth():
    assert list(_sent("Text.", "")) == ["Text."]
    assert list(_sent("Text.", "A › B")) == ["Text.", "A\nText.", "A › B\nText."]
    long = _BETWEEN.join(["x" * 100, "y" * 100])
    *_, last = _sent("Text.", long)
    assert last == f"{long[-_PREFIX_CHARS:]}\nText."


def test_what_is_sent_is_what_the_splitter_sends(tmp_path: Path) -> None:
    """Were one changed without the other, a purge would leave vectors behind."""
    model = CountingEmbedding()
    book = notebook(tmp_path, model)
    long = "A heading that goes on and on, as those of minutes and of laws are wont to do, whatever anybody says"
    book.add([file("a.md", f"# {long}\n\n## {long}\n\n### Third\n\n{text_of(3, 1)}\n\n# Other\n\n{text_of(2, 2)}")])
    sent = {text for text in model.seen if "Entry" in text}
    reader = book.place.chunks(book.history()[0]).reader()
    guessed = {text for row in reader.rows_at(range(reader.count)) for text in _sent(row.text, row.heading or "")}
    assert sent <= guessed


@pytest.mark.parametrize(
    ("text", "number"), [("96", 96), (None, 7), ("", 7), ("-1", 7), ("1.5", 7), ("9" * 30, 7), ("abc", 7)]
)
def test_a_size_is_as_it_was_saved_or_as_it_would_be(text: str | None, number: int) -> None:
    assert _whole(text, 7) == number


def sorted_out(book, gone: str) -> list[Shelf]:
    places = [book.place, *others_of(book.place)]
    ids = {row.source_id for row in book.sources() if row.name == gone}
    return sort_out(
        book.place,
        places,
        lambda place: place.registry.rows(place.states.newest().registry),
        lambda source_id, _: source_id in ids,
        book.config,
    )


def test_every_cache_of_the_workspace_is_sorted_out_and_nothing_is_changed(tmp_path: Path) -> None:
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(3, 1)), file("b.txt", text_of(2, 2))])
    other = notebook(settings(tmp_path, embed_model="other"), CountingEmbedding(seed=1), slug="other")
    other.add([file("c.txt", text_of(4, 3))])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    shelves = {one.space_fp: one for one in sorted_out(book, "a.txt")}
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    ours, theirs = shelves[book.history()[0].space_fp], shelves[other.history()[0].space_fp]
    gone = {vector_key(ours.space_fp, "text", text) for text in text_of(3, 1).strip().split("\n\n")}
    assert ours.dropped() == gone
    assert ours.open() == theirs.dropped() == set()


def test_vectors_of_no_text_that_is_known_go_too(tmp_path: Path) -> None:
    """Of a snapshot that was forgotten, or of a file that is gone."""
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(3, 1)), file("b.txt", text_of(2, 2))])
    (one,) = sorted_out(book, "a.txt")
    stray = b"s" * 32
    VectorCache(one.folder, one.dimensions).add([stray], np.eye(1, one.dimensions, dtype=np.float32))
    (again,) = sorted_out(book, "none")
    assert again.open() == again.dropped() == {stray}


def test_a_cache_that_nobody_can_place_stops_it(tmp_path: Path) -> None:
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(1, 1))])
    stranger = book.place.objects.root / "spaces" / ("0" * 16)
    (stranger / "vectors.lance").mkdir(parents=True)
    with pytest.raises(Damaged, match=r"spaces/0{16}/space\.json cannot be read"):
        sorted_out(book, "a.txt")


def test_a_manifest_that_cannot_be_read_might_hold_anything(tmp_path: Path) -> None:
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(1, 1))])
    rows = book.sources()
    (book.place.objects.root / book.place.snapshots.name(1)).write_bytes(b"{")
    with pytest.raises(Damaged, match="what is to be purged"):
        sort_out(book.place, [book.place], lambda _: rows, lambda *_: True, Config(home=str(tmp_path)))


def test_a_cache_that_cannot_be_read_stops_it_and_says_what_to_do(tmp_path: Path) -> None:
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(3, 1))])
    for path in tmp_path.rglob("vectors.lance/data/*"):
        path.write_bytes(b"")
    with pytest.raises(Damaged, match=r"Nobody can say whose vectors lie there: run doctor --repair first"):
        sorted_out(book, "a.txt")


def test_a_torn_newest_version_of_a_cache_does_not_stop_it(tmp_path: Path) -> None:
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(3, 1))])
    book.add([file("b.txt", text_of(2, 2))])
    newest = min(next(tmp_path.rglob("vectors.lance/_versions")).glob("*.manifest"))
    newest.write_bytes(newest.read_bytes()[:40])
    (one,) = sorted_out(book, "a.txt")
    assert len(one.dropped()) == 3
