"""The drawer: a passage in its source, with exactly the cited words marked."""

from __future__ import annotations

import html
from collections.abc import Callable

from streamlit.testing.v1 import AppTest

import rag
from rag.notebook import Notebook, open_snapshot
from rag.text.sentences import sentences
from tests.app.walking import words
from tests.doubles import ScriptedLLM
from tests.notebooks import answered, paragraphs, text_of
from ui.notebook.drawer import cited_ranges

Open = Callable[..., AppTest]


def test_words_of_neighbouring_chunks_are_marked_in_their_context(open_page: Open, notebook: rag.Notebook) -> None:
    text = text_of(24, 1)
    notebook.add([rag.Incoming("long.txt", content=text.encode())])
    question = paragraphs(24, 1)[12]

    def asked(script: str) -> rag.Answer:
        llm = ScriptedLLM(script, window=100_000)
        return answered(Notebook(notebook.config, make_llm=lambda _: llm), question, 1)

    (wide,) = asked("So [1].").passages
    first, *_, last = [wide.text[slice(*place)] for place in sentences(wide.text)]
    answer = asked(f"{last} [1] {first} [1]")
    (found,) = open_snapshot(notebook).search(question, 1).passages
    (passage,) = answer.passages
    assert passage.text.index(found.text) > len(first)
    assert [passage.text[slice(*place)] for place in cited_ranges(answer, passage)] == [last, first]
    cell = notebook.keep_cell(answer)
    at = open_page()
    at.button(key=f"source_{cell.id}_1").click().run()
    assert not at.exception
    shown = words(at).split('data-hook="source">')[1].split("</blockquote>")[0]
    assert f"<mark>{html.escape(first)}</mark>" in shown
    assert f"<mark>{html.escape(last)}</mark>" in shown
    before, after = shown.split("<mark>")[0], shown.split("</mark>")[-1]
    assert " ".join(text[: passage.start].split()[-20:]) in " ".join(html.unescape(before).split())
    assert " ".join(text[passage.end :].split()[:20]) in " ".join(html.unescape(after).split())
    assert "2 citations of the answer found here" in words(at)
    at.button(key=f"why_{cell.id}").click().run()
    assert "how passages are searched has changed since" not in words(at)
