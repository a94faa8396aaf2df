"""A question under way: drawn in frames, stopped at once, never lost."""

from __future__ import annotations

import math
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from rag.asking.answering import ask
from rag.asking.opening import Opened
from rag.notebook import Notebook, open_snapshot
from tests.doubles import CountingEmbedding, embedder_of
from tests.notebooks import file, settings
from tests.servers import Misbehaving, failure, talk
from tests.waiting import CEILING, FOREVER, until
from ui.notebook.asking import FRAMES, LOOKS, Asking, _follow


class Drawn:
    """Counts what is drawn, as an `st.empty` would draw it."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def html(self, body: str) -> None:
        self.shown.append(body)


@pytest.fixture
def opened(tmp_path: Path, misbehaving: Misbehaving) -> Opened:
    """A notebook whose language model is the misbehaving server."""
    config = settings(tmp_path, llm="openai-compatible", llm_model="m", llm_base_url=misbehaving.address)
    model = embedder_of(CountingEmbedding())
    book = Notebook(config, make_embedder=lambda _: model)
    book.add([file("owls.txt", "Owls hunt at night. They eat 12 mice a week.")])
    return open_snapshot(book)


def test_a_stop_ends_the_request_and_keeps_what_had_come(opened: Opened, misbehaving: Misbehaving) -> None:
    misbehaving.play(talk(["Owls hunt at night [1]. "] * 1000, pause=FOREVER))
    asking = Asking(opened, "When do owls hunt at night?")
    while not asking.text:
        assert asking.next(1.0) is None
    answer = asking.stop() or until(lambda: asking.next(1.0))
    assert misbehaving.gone.get(timeout=CEILING)
    assert answer is not None
    assert (answer.kind, answer.text) == ("stopped", "Owls hunt at night [1]. ")
    assert answer.notes[-1].startswith("Stopped by you")
    assert answer.citations[0].state == "verified"
    assert answer.passages


def test_a_stop_while_the_server_is_silent(opened: Opened, misbehaving: Misbehaving) -> None:
    misbehaving.play(talk(["never"], silence=FOREVER))
    asking = Asking(opened, "When do owls hunt at night?")
    while not misbehaving.requests:
        assert asking.next(0.05) is None
    answer = asking.stop() or until(lambda: asking.next(1.0))
    assert misbehaving.gone.get(timeout=CEILING)
    assert answer is not None
    assert (answer.kind, answer.text) == ("stopped", "")
    assert answer.passages[0].source == "owls.txt"


def test_words_are_drawn_in_frames(opened: Opened, misbehaving: Misbehaving) -> None:
    misbehaving.play(talk(["owls "] * 2000))
    body: Any
    line: Any
    body, line = Drawn(), Drawn()
    began = time.monotonic()
    answer = _follow(Asking(opened, "When do owls hunt at night?"), body, line)
    frames = math.ceil((time.monotonic() - began) * FRAMES)
    assert answer.text == "owls " * 2000
    assert 1 <= len(body.shown) <= frames + 1
    assert len(line.shown) <= frames


def test_something_is_drawn_while_no_words_come(opened: Opened, misbehaving: Misbehaving) -> None:
    """Streamlit notices its stop button only where something is drawn."""
    body: Any
    line: Any
    body, line = Drawn(), Drawn()

    def late(handler: BaseHTTPRequestHandler, asked: dict[str, Any]) -> None:
        """Silent until a stop button could have been noticed several times."""
        until(lambda: len(line.shown) > LOOKS / 2)
        talk(["late"])(handler, asked)

    misbehaving.play(late)
    assert _follow(Asking(opened, "When do owls hunt at night?"), body, line).text == "late"
    assert LOOKS >= 10  # with the engine's twentieth of a second, within 200 ms


@pytest.mark.parametrize(
    ("reply", "sentence", "step"),
    [
        (failure(401, "Incorrect API key"), "did not accept the API key", "Set OPENAI_API_KEY"),
        (failure(429, "You exceeded your current quota", "insufficient_quota"), "used up its quota", "Add credit"),
        (failure(400, "maximum context length is 8192"), "does not fit the window", "Set RAGBOOK_LLM_CONTEXT"),
        (talk(["Owls "], ending="garbage"), "no answer", "Check that RAGBOOK_LLM_BASE_URL"),
        (talk(["Owls "], ending="cut"), "No connection to the language model", "Check that the server is running"),
        (talk(["Owls "], ending="quiet"), "broke off", "Try again"),
        (talk([], finish="content_filter"), "content filter", "Rephrase the question"),
        (failure(404, "no such model"), "does not know the model", "Check RAGBOOK_LLM_MODEL"),
    ],
)
def test_each_failure_has_a_sentence_a_next_step_and_the_passages(
    opened: Opened, misbehaving: Misbehaving, reply: Any, sentence: str, step: str
) -> None:
    misbehaving.play(reply)
    *_, answer = ask(opened, "When do owls hunt at night?")
    assert not isinstance(answer, str)
    assert answer.kind == "failed"
    assert sentence in answer.text
    assert step in answer.text
    assert answer.passages[0].source == "owls.txt"
    assert answer.question == "When do owls hunt at night?"
