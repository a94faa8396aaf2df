"""Own tags on the Library page: one field for the selected documents, chips in the table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from streamlit.testing.v1 import AppTest

import rag
from tests.app.walking import HANDBOOK, finish_job, words

Open = Callable[..., AppTest]


def selected(at: AppTest, *rows: int) -> AppTest:
    at.session_state["sources_0"] = {"selection": {"rows": list(rows), "columns": [], "cells": []}}
    at.run()
    assert not at.exception
    return at


def field(at: AppTest) -> list[str]:
    """The tags in the field, sorted."""
    (found,) = (one for one in at.multiselect if str(one.key).startswith("tags_"))
    return sorted(found.value)


def typed(at: AppTest, *tags: str) -> AppTest:
    (found,) = (one for one in at.multiselect if str(one.key).startswith("tags_"))
    found.set_value(list(tags)).run()
    assert not at.exception
    return at


def tags(book: rag.Notebook) -> dict[str, tuple[str, ...]]:
    of = book.tags()
    return {row.name: of[row.source_id] for row in book.sources() if row.source_id in of}


def test_tags_are_typed_shown_as_chips_and_taken_off(open_page: Open, built: rag.Notebook) -> None:
    at = selected(open_page("library"), 0)
    assert "Tags" not in at.dataframe[0].value
    assert "Tags of <b>handbook.md</b>" in words(at)
    typed(at, "Tax", "<script>*x*</script>")
    assert tags(built) == {"handbook.md": ("<script>*x*</script>", "Tax")}
    assert [list(one) for one in at.dataframe[0].value["Tags"]] == [["<script>*x*</script>", "Tax"], []]
    assert field(at) == ["<script>*x*</script>", "Tax"]
    assert "<script>" not in words(at)
    typed(at, "Tax")
    assert tags(built) == {"handbook.md": ("Tax",)}
    assert built.history()[0].snapshot == 1
    at.text_input(key="find").set_value("TA").run()
    assert list(at.dataframe[0].value["File"]) == ["handbook.md", "outage.txt"]  # handbook by tag, outage by name
    at.text_input(key="find").set_value("tax").run()
    assert list(at.dataframe[0].value["File"]) == ["handbook.md"]


def test_what_is_typed_is_kept_as_tags_are(open_page: Open, built: rag.Notebook) -> None:
    built.tag(["outage.txt"], add=["Finance"])
    at = typed(selected(open_page("library"), 0), "  finance ")
    assert tags(built) == {"handbook.md": ("Finance",), "outage.txt": ("Finance",)}
    assert field(at) == ["Finance"]
    typed(at, "Finance", "x" * 41)
    assert "41 characters, 40 at most" in words(at)
    assert field(at) == ["Finance"]
    at.run()
    assert "40 at most" not in words(at)


def test_several_documents_share_a_field_and_keep_what_is_their_own(open_page: Open, built: rag.Notebook) -> None:
    built.tag(["handbook.md", "outage.txt"], add=["all"])
    built.tag(["outage.txt"], add=["<b>own</b>"])
    at = selected(open_page("library"), 0, 1)
    assert field(at) == ["all"]
    assert "Tags of <b>2 documents</b>" in words(at)
    assert "Some of them also have: &lt;b&gt;own&lt;/b&gt;" in words(at)
    typed(at, "new")
    assert tags(built) == {"handbook.md": ("new",), "outage.txt": ("<b>own</b>", "new")}


def test_what_another_person_tags_meanwhile_stays(open_page: Open, built: rag.Notebook) -> None:
    built.tag(["handbook.md"], add=["mine", "old"])
    at = selected(open_page("library"), 0)
    built.tag(["handbook.md"], add=["theirs"], remove=["old"])
    typed(at, "mine", "more")
    assert tags(built) == {"handbook.md": ("mine", "more", "theirs")}
    assert field(at) == ["mine", "more", "theirs"]
    built.tag(["outage.txt"], add=["mine"])
    built.tag(["handbook.md"], remove=["mine"])
    typed(at, "more", "theirs")
    assert tags(built) == {"handbook.md": ("more", "theirs"), "outage.txt": ("mine",)}
    assert "no tag" not in words(at)


def test_a_removal_that_is_undone_brings_the_tags_back(open_page: Open, built: rag.Notebook) -> None:
    built.add([rag.Incoming("outage.txt", content=b"Other words than it was registered with: its id will be new.")])
    built.tag(["outage.txt"], add=["tax", "to read"])
    before = built.tags()
    at = selected(open_page("library"), 1)
    at.button(key="remove").click().run()
    at.button(key="remove_confirm").click().run()
    finish_job(at, built)
    assert tags(built) == {}
    at.button(key="put_back").click().run()
    finish_job(at, built)
    assert tags(built) == {"outage.txt": ("tax", "to read")}
    assert built.tags().keys() != before.keys()


def test_documents_are_added_with_tags(open_page: Open, built: rag.Notebook) -> None:
    built.tag(["outage.txt"], add=["Tax"])
    at = open_page("library")
    at.multiselect(key="upload_tags_0").set_value(["tax", "x" * 41]).run()
    assert "40 at most" in words(at)
    at.file_uploader[0].upload("new.md", HANDBOOK + b"More.", "text/markdown").run()
    finish_job(at, built)
    assert tags(built) == {"new.md": ("Tax",), "outage.txt": ("Tax",)}


def test_damaged_tags_are_told_and_repaired_and_the_page_goes_on(
    open_page: Open, built: rag.Notebook, tmp_path: Path
) -> None:
    built.tag(["handbook.md"], add=["first"])
    built.tag(["handbook.md"], add=["second"])
    next((tmp_path / "home").rglob("tags/00000002.json")).write_bytes(b"{")
    at = selected(open_page("library"), 0)
    assert "tags/00000002.json fails its check" in words(at)
    assert list(at.dataframe[0].value["File"]) == ["handbook.md", "outage.txt"]
    assert not [one for one in at.multiselect if str(one.key).startswith("tags_")]
    at.button(key="tags_repair").click().run()
    assert tags(built) == {"handbook.md": ("first",)}
    assert "fails its check" not in words(at)
    assert field(at) == ["first"]
