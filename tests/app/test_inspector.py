"""The drawer "Why these passages?" of a cell."""

from __future__ import annotations

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

import rag
from rag.asking.explaining import explain
from tests.app.walking import words
from ui import session

Open = Callable[..., AppTest]


def test_a_cell_says_why_these_passages(open_page: Open, built: rag.Notebook) -> None:
    at = open_page()
    at.chat_input(key="ask").set_value("Within how many days may units be returned?").run()
    (cell,) = built.cells()
    assert 'data-hook="why"' not in words(at), "nothing is searched before it is asked for"
    at.button(key=f"why_{cell.id}").click().run()
    assert not at.exception
    text = words(at)
    assert "By meaning 2 chunks, by words 1 chunk; 1 in both." in text
    assert "Close enough to answer from" in text
    assert "Embed the question" in text
    assert "how passages are searched has changed since" not in text
    table = at.dataframe[0].value
    assert list(table["Source"]) == ["handbook.md", "outage.txt"]
    assert list(table["Became"]) == ["read", "read"]
    assert table["By words"].iloc[0] == 1


def test_a_follow_up_is_searched_for_as_it_was_when_it_was_answered(open_page: Open, built: rag.Notebook) -> None:
    at = open_page()
    at.chat_input(key="ask").set_value("Within how many days may units be returned?").run()
    at.chat_input(key="ask").set_value("And what about opened kits?").run()
    first, cell = built.cells()
    searched = "And what about opened kits? days units returned"
    assert (first.answer.searched, cell.answer.searched) == ("", searched)
    at.button(key=f"why_{cell.id}").click().run()
    assert not at.exception
    text = words(at)
    assert f'data-hook="why">Searched for: “{searched}”, because the question leans on the one above.' in text
    assert "how passages are searched has changed since" not in text
    explained = explain(rag.open_snapshot(built), searched)
    assert list(at.dataframe[0].value["Fused"]) == [one.passage.score for one in explained.candidates]


def test_a_snapshot_that_is_gone_is_a_sentence(open_page: Open, built: rag.Notebook) -> None:
    at = open_page()
    at.chat_input(key="ask").set_value("Within how many days may units be returned?").run()
    (cell,) = built.cells()
    built.add([rag.Incoming("new.md", content=b"# News\n\nNothing of note.\n")])
    at = open_page()
    built.place.objects.delete(built.place.snapshots.name(1))  # as retiring does, once nobody reads it any more
    session.forget_opened()
    at.button(key=f"why_{cell.id}").click().run()
    assert not at.exception
    assert "There is no snapshot 1." in words(at)
