"""The popover "Search in…": what a question is asked of, kept for the session and said on the cell."""

from __future__ import annotations

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

import rag
from rag.restriction import Restriction
from tests.app.walking import words

Open = Callable[..., AppTest]
QUESTION = "Within how many days may units be returned?"


def chosen(at: AppTest, **fields: list[str]) -> AppTest:
    at.session_state["search_in"] = True  # opens the popover, as a click does
    at.run()
    for name, values in fields.items():
        at.multiselect(key=f"search_{name}_main_0").set_value(values).run()
    assert not at.exception
    return at


def test_a_question_is_asked_of_the_chosen_source(open_page: Open, built: rag.Notebook) -> None:
    at = open_page()
    assert not at.multiselect, "sources are not read before the popover opens"
    chosen(at, sources=["outage.txt"])
    assert "Only outage.txt" in words(at)
    at.chat_input(key="ask").set_value(QUESTION).run()
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
    at.chat_input(key="ask").set_value(QUESTION).run()
    at.session_state["search_in"] = False
    at.run()
    assert "Only of type md" in words(at), "kept while the popover is closed"
    at.button(key="search_everything").click().run()
    assert "Only of type md" not in words(at)
    at.chat_input(key="ask").set_value(QUESTION).run()
    restricted, whole = built.cells()
    assert {one.source for one in restricted.answer.passages} == {"handbook.md"}
    assert {one.source for one in whole.answer.passages} == {"handbook.md", "outage.txt"}
    assert whole.answer.only is None


def test_before_anything_is_built_there_is_nothing_to_choose(open_page: Open, notebook: rag.Notebook) -> None:
    assert "search_everything" not in [one.key for one in open_page().button]
    at = open_page()
    at.session_state["search_in"] = True
    at.run()
    assert not at.multiselect
