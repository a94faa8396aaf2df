"""Which older snapshots stay, and which go."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rag.home.place import Place
from rag.home.retiring import keep, retire, to_retire
from rag.home.snapshots import Snapshots
from rag.notebook import open_snapshot
from tests.doubles import CountingEmbedding
from tests.notebooks import file, lying, notebook, settings, text_of

LATER = datetime.now(UTC) + timedelta(days=400)


@pytest.fixture
def book(tmp_path):
    """Snapshot 1: a, b, moved. 2: a changed, c new. 3: b out, a source renamed."""
    made = notebook(tmp_path / "home", CountingEmbedding())
    moved = lying(tmp_path / "old.txt", text_of(2, 4))
    made.add([file("a.txt", text_of(4, 1)), file("b.txt", text_of(2, 2)), moved])
    made.add([file("a.txt", text_of(3, 1) + text_of(1, 8)), file("c.txt", text_of(2, 3))])
    (tmp_path / "old.txt").rename(tmp_path / "new.txt")
    made.add([lying(tmp_path / "new.txt", text_of(2, 4))])
    made.remove(["b.txt"])
    return made


def test_what_retires(book, tmp_path):
    def numbers(**policy):
        return [one.snapshot for one in to_retire(book.place, **{"count_kept": 0, "days": 0, "when": LATER} | policy)]

    assert numbers() == [1, 2, 3]
    assert numbers(count_kept=2) == [1, 2]
    assert numbers(count_kept=50) == []
    assert numbers(days=365) == [1, 2, 3]
    assert numbers(days=401) == []
    notebook(settings(tmp_path / "home", chunk_size=96), CountingEmbedding()).build()
    assert numbers() == [1, 2, 3]  # 4 is the newest of its recipe: switching back stays free
    keep(book.place, 2)
    reader = open_snapshot(book, 3)
    assert numbers() == [1]
    del reader
    told: list[int] = []
    retire(book.place, to_retire(book.place, count_kept=0, days=0, when=LATER), tell=told.append)
    assert told == [1, 3]
    assert [one.snapshot for one in book.history()] == [5, 4, 2]


class Counted(Snapshots):
    """Notes which manifests are read."""

    def __init__(self, place):
        super().__init__(place.objects, place.slug)
        self.read = []

    def get(self, number):
        self.read.append(number)
        return super().get(number)


def counted(place):
    made = Place(place.objects, place.slug)
    object.__setattr__(made, "snapshots", Counted(place))
    return made


def test_a_long_history_is_not_read_to_find_that_all_of_it_stays(book):
    place = counted(book.place)
    assert to_retire(place, count_kept=1, days=30) == []
    assert place.snapshots.read == [1]
    assert to_retire(place, count_kept=50, days=0, when=LATER) == []
    assert place.snapshots.read == [1]


def test_a_snapshot_of_a_clock_that_was_wrong_does_not_keep_the_others(book):
    place = book.place
    future = replace(place.snapshots.get(1), created="2999-01-01T00:00:00.000Z")
    (place.objects.root / place.snapshots.name(1)).write_bytes(future.to_json())
    (place.objects.root / place.snapshots.name(2)).write_bytes(b"{")
    assert [one.snapshot for one in to_retire(place, count_kept=0, days=0, when=LATER)] == [3]


def test_a_build_retires_what_the_settings_let_go(tmp_path):
    book = notebook(settings(tmp_path, keep_snapshots=2, keep_days=0), CountingEmbedding())
    for number in range(4):
        book.add([file("a.txt", text_of(1, number))])
    assert [one.snapshot for one in book.history()] == [4, 3]
