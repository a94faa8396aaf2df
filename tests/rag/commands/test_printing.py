"""Progress for a person at a terminal, JSON for a program, and no control character of a document for anybody."""

from __future__ import annotations

import argparse
import io
import json
import sys
from types import MappingProxyType

import pytest

from rag.commands.printing import Telling, as_json, printable
from rag.progress import Event, Stage


class Terminal(io.StringIO):
    """A stream that says it is one."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def shown_on(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> io.StringIO:
    """Called inside a test: pytest puts its own stream back between a fixture and the test."""
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def telling(*, json: bool = False) -> Telling:
    return Telling(argparse.Namespace(json=json))


def test_progress_is_one_line_written_over_and_over(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = shown_on(monkeypatch, Terminal())
    tell = telling()
    tell.event(Event(Stage.READ, 1, 1200, "a.txt"))
    tell.event(Event(Stage.EMBED, 2, 1200, seconds_left=3.4))
    assert "\n" not in terminal.getvalue()
    first, second = terminal.getvalue().split("\r\033[K")[1:]
    assert first == f"{Stage.READ} 1 of 1,200 a.txt"
    assert second == f"{Stage.EMBED} 2 of 1,200, 3 s left "
    tell.event(Event(Stage.PUBLISH, 1, 1))
    assert terminal.getvalue().endswith("\n")


def test_questions_end_with_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = shown_on(monkeypatch, Terminal())
    tell = telling()
    tell.asked(1, 2, "Why?" * 50)
    assert terminal.getvalue() == "\r\033[K1 of 2 " + ("Why?" * 50)[:60]
    tell.asked(2, 2, "When?")
    assert terminal.getvalue().endswith("2 of 2 When?\n")


def test_a_name_cannot_write_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = shown_on(monkeypatch, Terminal())
    tell = telling()
    tell.event(Event(Stage.READ, 1, 2, "\x1b[2Jevil\x07.txt"))
    tell.sentence("said \x1b]0;title\x07")
    written = terminal.getvalue().replace("\r\033[K", "")
    assert "\x1b" not in written
    assert "\x07" not in written
    assert "\ufffd[2Jevil\ufffd.txt" in written


@pytest.mark.parametrize("terminal_is_there", [True, False])
def test_programs_and_files_get_no_progress(monkeypatch: pytest.MonkeyPatch, terminal_is_there: bool) -> None:
    stream = shown_on(monkeypatch, Terminal() if terminal_is_there else io.StringIO())
    tell = telling(json=terminal_is_there)
    tell.event(Event(Stage.READ, 1, 2, "a.txt"))
    tell.asked(1, 1, "Why?")
    tell.sentence("Something.")
    assert stream.getvalue() == ""


def test_what_a_terminal_lacks_is_a_question_mark() -> None:
    class Old(io.StringIO):
        encoding = "ascii"

    assert printable("Größe 水", Old()) == "Gr??e ?"
    assert printable("a\tb\nc", Old()) == "a\tb\nc"


def test_json_is_readable_where_it_can_be_written_and_escaped_where_not(monkeypatch: pytest.MonkeyPatch) -> None:
    report = {"name": "Größe", "of": MappingProxyType({"a": 1})}
    assert '"Größe"' in as_json(report)

    class Old(io.StringIO):
        encoding = "ascii"

    monkeypatch.setattr(sys, "stdout", Old())
    assert json.loads(as_json(report)) == {"name": "Größe", "of": {"a": 1}}
    assert as_json(report).isascii()


def test_what_has_no_place_in_a_report_is_a_bug() -> None:
    with pytest.raises(TypeError, match="object has no place in a report"):
        as_json({"a": object()})
