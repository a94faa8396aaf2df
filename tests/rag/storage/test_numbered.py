"""Numbered objects: the first of a number wins, the newest that passes its check counts, nothing else is in the way."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from rag.errors import Damaged, NotFound, NotWritable
from rag.storage.numbered import Numbered
from rag.storage.objects import LocalObjects


def parsed(content: bytes, name: str) -> str:
    text = content.decode()
    if text == "bad":
        raise Damaged(f"{name} fails its check.")
    return text


@pytest.fixture
def numbered(tmp_path: Path) -> Numbered[str]:
    return Numbered(LocalObjects(tmp_path), "notebooks/n/state", parsed)


def test_numbers_begin_with_one_and_grow(numbered: Numbered[str]) -> None:
    assert numbered.numbers() == []
    assert numbered.next_number() == 1
    assert numbered.create(1, b"a")
    assert numbered.create(2, b"b")
    assert numbered.numbers() == [1, 2]
    assert numbered.next_number() == 3
    assert list(numbered.newest()) == [(2, "b"), (1, "a")]
    assert list(numbered.newest(below=2)) == [(1, "a")]


def test_the_first_of_a_number_stays(numbered: Numbered[str]) -> None:
    assert numbered.create(1, b"first")
    assert not numbered.create(1, b"second")
    assert numbered.get(1) == "first"


def test_of_many_who_create_one_number_one_succeeds(numbered: Numbered[str]) -> None:
    won: list[int] = []
    start = threading.Barrier(8)

    def create(writer: int) -> None:
        start.wait()
        if numbered.create(1, str(writer).encode()):
            won.append(writer)

    threads = [threading.Thread(target=create, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert numbered.get(1) == str(won[0])


def test_a_damaged_one_is_told_and_keeps_its_number(numbered: Numbered[str]) -> None:
    numbered.create(1, b"good")
    numbered.create(2, b"bad")
    (found, damage), (number, good) = numbered.newest()
    assert (found, number, good) == (2, 1, "good")
    assert isinstance(damage, Damaged)
    assert numbered.name(2) in str(damage)
    assert numbered.next_number() == 3


def test_a_folder_takes_a_number_and_is_damage(numbered: Numbered[str], tmp_path: Path) -> None:
    numbered.create(1, b"good")
    (tmp_path / numbered.name(2)).mkdir()
    assert numbered.numbers() == [1, 2]
    assert not numbered.create(2, b"other")
    with pytest.raises(Damaged, match="it is a folder"):
        numbered.get(2)


class Closed(LocalObjects):
    """Objects that nobody may read."""

    def get(self, name: str) -> bytes:
        raise NotWritable(f"No permission for {name}.")


def test_what_cannot_be_read_is_damage(tmp_path: Path) -> None:
    numbered = Numbered(Closed(tmp_path), "state", parsed)
    numbered.create(1, b"good")
    with pytest.raises(Damaged, match="cannot be read"):
        numbered.get(1)


def test_none_of_a_number_is_not_found(numbered: Numbered[str]) -> None:
    with pytest.raises(NotFound):
        numbered.get(7)


def test_one_that_goes_between_the_listing_and_the_look_is_left_out(numbered: Numbered[str], tmp_path: Path) -> None:
    for number in (1, 2, 3):
        numbered.create(number, str(number).encode())
    found = numbered.newest()
    assert next(found) == (3, "3")
    (tmp_path / numbered.name(2)).unlink()
    assert list(found) == [(1, "1")]


@pytest.mark.parametrize("name", ["notes.txt", "00000009.json.bak", "00000009 (conflict).json", "9.json", "²"])
def test_foreign_files_have_no_number(numbered: Numbered[str], name: str, tmp_path: Path) -> None:
    numbered.create(1, b"a")
    (tmp_path / "notebooks/n/state" / name).write_bytes(b"not ours")
    assert numbered.numbers() == [1]
