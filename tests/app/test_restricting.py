"""The dialog "Search in…": what a question is asked of, kept for the session and said on the cell."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from streamlit.testing.v1 import AppTest

import rag
from rag.sources.restriction import Restriction
from tests.app.walking import words
from tests.rag.reading.builders import pdf
from ui.frame import Page
from ui.notebook.asking import _partial
from ui.notebook.cells import Asked

Open = Callable[..., AppTest]
QUESTION = "Within how many days may units be returned?"


def chosen(at: AppTest, **fields: list[str]) -> AppTest:
    at.button(key="search_in").click().run()
    for name, values in fields.items():
        at.multiselect(key=f"search_{name}_main_0").set_value(values).run()
    assert not at.exception
    return at


def closed(at: AppTest) -> AppTest:
    if any(one.key == "search_in_done" for one in at.button):
        at.button(key="search_in_done").click().run()
    return at


def ask(at: AppTest) -> None:
    closed(at).chat_input(key="ask").set_value(QUESTION).run()


def test_a_question_is_asked_of_the_chosen_source(open_page: Open, built: rag.Notebook) -> None:
    at = open_page()
    assert not at.multiselect, "sources are not read before the dialog opens"
    chosen(at, sources=["outage.txt"])
    assert "Only outage.txt" in words(closed(at))
    ask(at)
    (cell,) = built.cells()
    assert {one.source for one in cell.answer.passages} == {"outage.txt"}
    assert cell.answer.only == Restriction(("outage.txt",))
    assert "Searched only outage.txt." in words(at)
    at.button(key=f"why_{cell.id}").click().run()
    assert list(at.dataframe[0].value["Source"]) == ["outage.txt"]
    assert "how passages are searched has changed since" not in words(at)


def test_types_can_be_chosen_and_everything_again(open_page: Open, built: rag.Notebook) -> None:
    at = chosen(open_page(), types=["md"])
    assert at.multiselect(key="search_types_main_0").options == ["md", "txt"]
    ask(at)
    assert "Only of type md" in words(closed(at)), "kept while the dialog is closed"
    at.button(key="search_everything").click().run()
    assert "Only of type md" not in words(closed(at))
    ask(at)
    restricted, whole = built.cells()
    assert {one.source for one in restricted.answer.passages} == {"handbook.md"}
    assert {one.source for one in whole.answer.passages} == {"handbook.md", "outage.txt"}
    assert whole.answer.only is None


def test_before_anything_is_built_there_is_nothing_to_choose(open_page: Open, notebook: rag.Notebook) -> None:
    assert "search_everything" not in [one.key for one in open_page().button]
    assert "search_in" not in [one.key for one in open_page().button]


def test_tags_are_chosen_and_a_cell_is_asked_again_of_them(open_page: Open, built: rag.Notebook) -> None:
    at = chosen(open_page())
    assert "No tags yet. Select documents in the Library" in words(at)
    assert [one.label for one in at.multiselect] == ["Sources", "Types"]
    assert not at.number_input, "no source has pages"
    built.tag(["outage.txt"], add=["<i>Ops</i>"])
    at = chosen(open_page(), tags=["<i>Ops</i>"])
    assert "Only tagged &lt;i&gt;Ops&lt;/i&gt;" in words(closed(at))
    ask(at)
    (cell,) = built.cells()
    assert cell.answer.only == Restriction(tags=("<i>Ops</i>",))
    assert {one.source for one in cell.answer.passages} == {"outage.txt"}
    at.button(key="search_everything").click().run()
    at.button(key=f"again_{cell.id}").click().run()
    (again,) = built.cells()
    assert again.id != cell.id
    assert again.answer.only == cell.answer.only
    assert {one.source for one in again.answer.passages} == {"outage.txt"}
    assert "Only tagged" not in words(closed(at)), "the dialog is as it was left"


def test_the_note_of_an_older_snapshot_asks_of_what_the_cell_was_asked_of(open_page: Open, built: rag.Notebook) -> None:
    at = chosen(open_page(), types=["md"])
    ask(at)
    at.button(key="search_everything").click().run()
    ask(at)
    built.add([rag.Incoming("new.txt", content=b"# News\n\nNothing of note.\n")])
    restricted, whole = built.cells()
    at = chosen(open_page(), sources=["new.txt"])
    at.button(key=f"refresh_{restricted.id}").click().run()
    at.button(key=f"again_{whole.id}").click().run()
    asked = [cell.answer for cell in built.cells()]
    assert [answer.snapshot for answer in asked] == [2, 2]
    assert [answer.only for answer in asked] == [Restriction(types=("md",)), None]


def test_what_a_stopped_question_was_asked_of_is_kept(built: rag.Notebook) -> None:
    only = Restriction(types=("md",))
    answer = _partial(Page(built, built.status(), 0.0), 1, Asked(QUESTION, only), "Until")
    assert (answer.question, answer.text, answer.kind, answer.only) == (QUESTION, "Until", "stopped", only)


def test_a_tag_that_nobody_has_any_more_is_told(open_page: Open, built: rag.Notebook) -> None:
    built.tag(["outage.txt"], add=["ops"])
    at = chosen(open_page(), tags=["ops"])
    at.button(key="search_in_done").click().run()
    built.tag(["outage.txt"], add=["tax"], remove=["ops"])
    ask(at)
    assert "has the tag &#x27;ops&#x27;. There are: tax." in words(at)
    assert built.cells() == []


def test_a_day_is_the_readers_and_everything_resets_it(open_page: Open, built: rag.Notebook) -> None:
    at = chosen(open_page())
    today = datetime.now().date()
    at.date_input(key="search_since_main_0").set_value(today - timedelta(days=1)).run()
    assert f"Only added since {today - timedelta(days=1)}" in words(closed(at))
    ask(at)
    (cell,) = built.cells()
    begins = datetime.combine(today - timedelta(days=1), time.min).astimezone(UTC)
    assert cell.answer.only == Restriction(since=begins.replace(tzinfo=None).isoformat())
    assert cell.answer.passages
    chosen(at)
    assert at.date_input(key="search_since_main_0").value == today - timedelta(days=1)
    at.button(key="search_everything").click().run()
    chosen(at)
    assert at.date_input(key="search_since_main_1").value is None
    assert "Only added" not in words(closed(at))


def test_pages_are_offered_where_a_source_has_some(open_page: Open, notebook: rag.Notebook) -> None:
    notebook.add([rag.Incoming("three.pdf", content=pdf("One owl.", "Two owls.", "Three owls."))])
    at = chosen(open_page())
    at.number_input(key="search_first_main_0").set_value(2).run()
    assert "Only from page 2 on" in words(closed(at))
    chosen(at)
    at.number_input(key="search_last_main_0").set_value(3).run()
    assert "Only on pages 2 to 3" in words(closed(at))
    chosen(at)
    at.number_input(key="search_first_main_0").set_value(9).run()
    assert "The first page comes after the last" in words(at)
    assert "Only on pages 2 to 3" in words(closed(at))
    at.button(key="search_everything").click().run()
    chosen(at)
    assert [one.value for one in at.number_input] == [None, None]


def test_damaged_tags_are_told_in_the_dialog_and_stop_no_question(
    open_page: Open, built: rag.Notebook, tmp_path: Path
) -> None:
    built.tag(["outage.txt"], add=["ops"])
    next((tmp_path / "home").rglob("tags/00000001.json")).write_bytes(b"{")
    at = chosen(open_page(), sources=["outage.txt"])
    assert "tags/00000001.json fails its check" in words(at)
    ask(at)
    assert built.cells()[0].answer.only == Restriction(("outage.txt",))
