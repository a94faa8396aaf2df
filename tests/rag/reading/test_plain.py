"""Plain text: kept as it is, whatever it is written in."""

from __future__ import annotations

import pytest

from rag.errors import EmptySource, SourceTooLarge
from rag.reading import plain
from rag.reading.cleaning import TEXT_LIMIT
from rag.reading.kinds import PLAIN
from tests.rag.reading.reading_checks import checked


@pytest.mark.parametrize("text", ["key: <value>", "#!/bin/sh\n\techo '$x'", "def f():\n    return 1"])
def test_source_code_keeps_its_signs_and_indents(text):
    reading = checked(plain.read(text.encode(), PLAIN))
    assert (reading.text, reading.headings, reading.pages, reading.notes) == (text, (), (), ())


def test_what_is_too_long_or_nothing_is_refused():
    with pytest.raises(SourceTooLarge):
        plain.read(b"x" * (TEXT_LIMIT + 1), PLAIN)
    with pytest.raises(EmptySource):
        plain.read(b"\n\n", PLAIN)


def test_a_guess_is_noted():
    assert checked(plain.read("Größe und Türen, schön für Häuser.".encode("cp1252"), PLAIN)).notes
