"""The process in which documents are parsed: every failure is one of ours, and nothing but frames goes in or out."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest

from rag.errors import DamagedSource, EmptySource, UnsupportedType
from rag.reading import child, kinds, wire
from tests.notebooks import ROOT
from tests.rag.reading.builders import docx, paragraph
from tests.rag.reading.reading_checks import checked
from tests.waiting import CEILING


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A child that was told its limits, as `isolation.Readers` does, and is ready."""
    process = subprocess.Popen(
        [sys.executable, *(arguments or ("-m", "rag.reading.child"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        wire.send(process.stdin, {"memory_bytes": 1 << 30})
        assert wire.receive(process.stdout) == {"ready": True}
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def asked(process: subprocess.Popen[bytes], content: bytes, media_type: str = kinds.PLAIN) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    wire.send(process.stdin, {"media_type": media_type, "seconds": CEILING, "bytes": len(content)})
    wire.send_bytes(process.stdin, io.BytesIO(content), len(content))
    return wire.receive(process.stdout)


def test_every_kind_has_a_reader_that_is_there() -> None:
    assert set(child._MODULES) == set(kinds.READERS)
    for name in child._MODULES.values():
        assert callable(import_module(f"rag.reading.{name}").read)


def test_a_document_is_read_here_as_its_reader_reads_it() -> None:
    assert checked(child.read(docx(paragraph("A note.")), kinds.DOCX)).text == "A note."


def test_what_a_reader_says_of_a_document_is_handed_on() -> None:
    with pytest.raises(EmptySource):
        child.read(b" ", kinds.PLAIN)


@pytest.mark.parametrize("media_type", ["text/nonsense", ""])
def test_a_failure_that_nobody_foresaw_is_a_sentence_without_the_document(media_type: str) -> None:
    with pytest.raises(DamagedSource, match="its reader failed with KeyError") as told:
        child.read(b"secret words", media_type)
    assert "secret" not in str(told.value)
    assert not isinstance(told.value, UnsupportedType)


def test_a_reply_is_a_reading_or_an_error_and_the_next_one_comes_all_the_same() -> None:
    with started() as process:
        assert asked(process, b"A note.")["reading"]["text"] == "A note."
        refused = asked(process, b"{", kinds.JSON)
        assert (refused["error"], refused["last"]) == ("DamagedSource", False)
        assert refused["sentence"].endswith(".")
        assert asked(process, b"Another.")["reading"]["text"] == "Another."


def test_it_ends_when_nobody_asks_any_more() -> None:
    with started() as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(CEILING) == 0


@pytest.mark.parametrize("frame", [b"nonsense", b"\xff" * 8, bytes(7) + b"\x02{}"])
def test_what_is_no_frame_ends_it_without_a_word(frame: bytes) -> None:
    with started() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(frame)
        process.stdin.close()
        assert process.wait(CEILING) in (0, 1)
        assert process.stdout.read() == b""


def test_a_parser_that_prints_breaks_no_frame() -> None:
    program = (
        "import os, sys; from rag.reading import child\n"
        "def loud(event, arguments):\n"
        "    if event == 'exec' and arguments[0].co_filename.endswith('plain.py'):\n"
        "        print('loud'); sys.stdout.flush(); os.write(1, b'louder'); os.write(2, b'loudest')\n"
        "sys.addaudithook(loud)\n"
        "child.main()\n"
    )
    with started("-c", program) as process:
        assert asked(process, b"A note.")["reading"]["text"] == "A note."
        assert asked(process, b"Another.")["reading"]["text"] == "Another."
