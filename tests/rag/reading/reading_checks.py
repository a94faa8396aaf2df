"""What must hold for every reading."""

from __future__ import annotations

from rag.reading.places import Reading


def check(reading: Reading) -> None:
    """The promises of rag.reading.places, for any reading."""
    text = reading.text
    assert text.strip()
    assert not set(text) & set("\r\x00\x0b\x0c\x85\u2028\u2029\u00ad")
    assert "\n\n\n\n" not in text
    text.encode("utf-8")
    for places in (reading.pages, reading.headings):
        starts = [place.start for place in places]
        assert starts == sorted(starts)
        assert all(0 <= place.start < place.end <= len(text) for place in places)
    for before, after in zip(reading.pages, reading.pages[1:], strict=False):
        assert before.end <= after.start
        assert before.number < after.number
    for heading in reading.headings:
        assert 1 <= heading.level <= 6
        assert heading.title.strip()
        assert "\n" not in text[heading.start : heading.end]


def checked(reading: Reading) -> Reading:
    """The reading itself, after `check`."""
    check(reading)
    return reading


def headings(reading: Reading) -> list[tuple[int, str]]:
    """Level and title of each heading; its title is in the line that it points to."""
    for heading in reading.headings:
        assert heading.title in reading.text[heading.start : heading.end]
    return [(heading.level, heading.title) for heading in reading.headings]
