"""Own tags on sources: what a tag may be, and that changing them is atomic, durable and repaired."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.checked import dump_checked
from rag.errors import Damaged, NewerFormat, NotFound, TagInvalid
from rag.sources.tags import MOST, alike, changed, clean_tag, known_tags, refuse_absent
from rag.storage.lease import lease
from tests.doubles import CountingEmbedding
from tests.notebooks import file, lying, names, notebook, opened, text_of

A, B = {"a": "a.txt"}, {"b": "b.txt"}


# ---------------------------------------------------------------------- one tag


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("finance", "finance"),
        ("  to  read\n", "to read"),
        ("cafe\u0301", "café"),
        ("<b>*x*</b>", "<b>*x*</b>"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
        ("می\u200cخواهم", "میخواهم"),
        ("x" * 40, "x" * 40),
        ("水", "水"),
    ],
)
def test_a_tag_is_kept_trimmed_and_in_one_form(given, kept):
    assert clean_tag(given) == kept
    assert clean_tag(kept) == kept


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("", "at least one character"),
        ("  \t", "at least one character"),
        ("x" * 41, "too long: 41 characters, 40 at most"),
        ("a\x00b", "'ab' holds a character that cannot be seen \\(U\\+0000\\)"),
        ("a\nb", "U\\+000A"),
        ("a\u202eb", "U\\+202E"),
        ("fin\u200dance", "'finance' holds a character that cannot be seen \\(U\\+200D\\)"),
        ("\ud800", "U\\+D800"),
    ],
)
def test_what_cannot_be_a_tag_is_told(given, sentence):
    with pytest.raises(TagInvalid, match=sentence):
        clean_tag(given)


def test_case_and_form_do_not_tell_tags_apart():
    assert alike("STRASSE") == alike("straße")
    assert alike("Cafe\u0301") == alike("CAFÉ")
    assert alike("tax") != alike("taxi")


# ---------------------------------------------------------------------- several


def test_a_tag_is_there_once_and_spelt_as_it_is_elsewhere():
    of = changed({}, A, ["Finance", "tax", "FINANCE"])
    assert of == {"a": ("Finance", "tax")}
    of = changed(of, B, ["finance", "Zoo"])
    assert of == {"a": ("Finance", "tax"), "b": ("Finance", "Zoo")}
    assert known_tags(of) == ["Finance", "tax", "Zoo"]
    assert changed(of, A | B, remove=["FINANCE", "zoo", "tax"]) == {}
    assert changed({"a": ("FINANCE",)}, A, ["Finance"], ["finance"]) == {"a": ("Finance",)}


def test_there_is_a_most_and_nothing_is_changed_by_one_more():
    of = changed({}, A, [f"t{n}" for n in range(MOST)])
    assert len(of["a"]) == MOST
    assert changed(of, A, ["T1"]) == of
    with pytest.raises(TagInvalid, match=r"a\.txt would have 21 tags, and 20 is the most"):
        changed(of, A | B, ["more"])


def test_a_tag_nobody_has_cannot_be_removed():
    of = {"a": ("tax",), "b": ("zoo",)}
    refuse_absent(of, A | B, ["TAX", "zoo"])
    with pytest.raises(NotFound, match=r"no tag 'zoo' to remove. a.txt has the tags: tax"):
        refuse_absent(of, A, ["zoo"])
    with pytest.raises(NotFound, match="None of these sources has it; they have: tax, zoo"):
        refuse_absent(of, A | B, ["x"])


# ---------------------------------------------------------------------- of a notebook


def ids(book) -> dict[str, str]:
    return {row.name: row.source_id for row in book.sources()}


def by_name(book) -> dict[str, tuple[str, ...]]:
    of = book.tags()
    return {name: of[source_id] for name, source_id in ids(book).items() if source_id in of}


def test_tagging_builds_nothing_and_calls_no_model(tmp_path: Path):
    model = CountingEmbedding()
    book = notebook(tmp_path, model)
    book.add([file("a.txt", text_of(2, 1)), file("b.txt", text_of(2, 2))])
    before, seen = book.status(), len(model.seen)
    state = book.place.states.newest()
    book.tag(["a.txt", "b.txt"], add=["Tax", "2026"])
    book.tag(["b.txt"], remove=["tax"])
    assert by_name(notebook(tmp_path)) == {"a.txt": ("2026", "Tax"), "b.txt": ("2026",)}
    after = book.status()
    assert (after.verdict.name, after.head, len(model.seen)) == (before.verdict.name, before.head, seen)
    assert book.place.states.newest() == state
    with pytest.raises(NotFound, match=r"no source 'c.txt' .* It has: a.txt, b.txt"):
        book.tag(["a.txt", "c.txt"], add=["x"])
    assert by_name(book)["a.txt"] == ("2026", "Tax")


def test_tagging_waits_for_no_build(tmp_path: Path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(2, 1))])
    with lease(book.place.folder, wait_seconds=0):
        book.tag(["a.txt"], add=["tax"])
    assert by_name(book) == {"a.txt": ("tax",)}


def test_tags_of_a_newer_ragbook_are_refused_before_anything_is_kept(tmp_path: Path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(2, 1))])
    book.place.objects.create(
        "notebooks/main/tags/00000001.json", dump_checked({"format": 99, "number": 1, "tags": {}})
    )
    with pytest.raises(NewerFormat):
        book.add([file("b.txt", text_of(2, 2))])
    assert set(ids(book)) == {"a.txt"}
    assert opened(book).search("river stone").passages


def test_tags_stay_when_the_content_or_the_name_changes(tmp_path: Path):
    book = notebook(tmp_path / "home", CountingEmbedding())
    book.add([lying(tmp_path / "a.txt", text_of(2, 1))])
    book.tag(["a.txt"], add=["tax"])
    book.add([lying(tmp_path / "a.txt", text_of(2, 9))])
    assert by_name(book) == {"a.txt": ("tax",)}
    (tmp_path / "a.txt").rename(tmp_path / "z.txt")
    book.add([lying(tmp_path / "z.txt", text_of(2, 9))])
    assert by_name(book) == {"z.txt": ("tax",)}


def test_a_removed_source_has_no_tags_and_added_anew_neither(tmp_path: Path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(2, 1)), file("b.txt", text_of(2, 2))])
    book.tag(["a.txt"], add=["tax"])
    book.remove(["a.txt"])
    assert book.tags() == {}
    book.add([file("a.txt", text_of(2, 1))])
    assert book.tags() == {}
    book.tag(["b.txt"], add=["zoo"])
    assert by_name(book) == {"b.txt": ("zoo",)}


def test_tags_come_back_with_a_source_by_rolling_back(tmp_path: Path):
    from rag.upkeep.history import rollback

    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(2, 1)), file("b.txt", text_of(2, 2))])
    book.tag(["a.txt"], add=["tax"])
    book.remove(["a.txt"])
    rollback(book.place, 1)
    assert by_name(book) == {"a.txt": ("tax",)}


def test_tags_count_as_they_are_now_whatever_snapshot_is_open(tmp_path: Path):
    from rag.notebook import open_snapshot
    from rag.sources.restriction import Restriction

    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(3, 1)), file("b.txt", text_of(3, 2))])
    old = open_snapshot(book, 1)
    book.add([file("a.txt", text_of(3, 9)), file("c.txt", text_of(3, 3))])
    book.tag(["a.txt", "c.txt"], add=["tax"])
    only = Restriction(tags=("tax",))
    assert names(old.search("river stone", 50, only)) == {"a.txt"}
    assert names(opened(book).search("river stone", 50, only)) == {"a.txt", "c.txt"}
    book.tag(["a.txt"], remove=["tax"])
    assert names(old.search("river stone", 50, only)) == set()
    assert old.search("river stone", 50, only).notes == ("No chunk passes the filters.",)
    book.remove(["c.txt"])
    with pytest.raises(NotFound, match="No source has a tag yet"):
        old.search("river stone", 50, only)


def test_files_can_be_added_with_tags(tmp_path: Path):
    from dataclasses import replace

    book = notebook(tmp_path, CountingEmbedding())
    one = replace(file("a.txt", text_of(2, 1)), tags=("tax", " TAX "))
    book.add([one, file("b.txt", text_of(2, 2))])
    assert by_name(book) == {"a.txt": ("tax",)}
    book.add([replace(one, tags=("more",)), replace(file("c.txt", "owls"), tags=("Tax",))])
    assert by_name(book) == {"a.txt": ("more", "tax"), "c.txt": ("tax",)}
    with pytest.raises(TagInvalid):
        book.add([replace(file("d.txt", "owls hunt"), tags=("x" * 41,))])
    assert "d.txt" not in ids(book)


def test_damaged_tags_stop_neither_opening_nor_asking_nor_adding(tmp_path: Path):
    from rag.sources.restriction import Restriction

    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(2, 1))])
    book.tag(["a.txt"], add=["tax"])
    (book.place.folder / "tags/00000001.json").write_bytes(b"{}")
    assert book.status().verdict.name == "HIT"
    assert opened(book).search("river stone").passages
    assert opened(book).search("river stone", 8, Restriction(types=("txt",))).passages
    with pytest.raises(Damaged, match="Searching without tags goes on"):
        opened(book).search("river stone", 8, Restriction(tags=("tax",)))
    book.add([file("b.txt", text_of(2, 2))])
    book.remove(["a.txt"])
    book.add([file("a.txt", text_of(2, 1))])
    assert set(ids(book)) == {"a.txt", "b.txt"}
