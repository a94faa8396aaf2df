from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rag.changes import Code, change
from rag.checked import FORMAT, dump_checked
from rag.errors import NewerFormat
from rag.home.state import NO_SOURCES, State, States
from rag.storage.objects import LocalObjects
from tests.waiting import CEILING

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def states(tmp_path: Path) -> States:
    return States(LocalObjects(tmp_path), "n")


def published(states: States, state: State) -> State:
    return states.change(lambda _: state)


def folder(tmp_path: Path) -> Path:
    return tmp_path / "notebooks" / "n" / "state"


def test_before_the_first_there_is_the_empty_state(states: States, tmp_path: Path) -> None:
    assert states.newest() == State()
    assert State().sources_fp == NO_SOURCES
    assert list(tmp_path.iterdir()) == []


def test_the_newest_state_wins_and_the_past_stays(states: States, tmp_path: Path) -> None:
    first = published(states, State(title="Ä title", settings={"RAGBOOK_LLM": "none"}, registry=3, sources=2))
    second = published(states, replace(first, title="B", pending=(change(Code.ADDED, source="a.txt"),)))
    assert (first.number, second.number) == (1, 2)
    assert states.newest() == second
    assert [path.name for path in sorted(folder(tmp_path).iterdir())] == ["00000001.json", "00000002.json"]


def test_a_damaged_state_is_passed_over_and_named_and_its_number_is_not_used_again(
    states: States, tmp_path: Path
) -> None:
    first = published(states, State(title="A"))
    published(states, State(title="B"))
    newest = folder(tmp_path) / "00000002.json"
    for content in (b"", newest.read_bytes()[:-5], newest.read_bytes().replace(b"B", b"C"), b"[]"):
        newest.write_bytes(content)
        assert states.newest() == first
        assert len(states.newest().damaged) == 1
        assert "00000002.json" in states.newest().damaged[0]
    assert published(states, State(title="C")).number == 3
    assert states.newest().title == "C"
    assert states.newest().damaged == ()


def test_a_state_under_another_number_is_damage(states: States, tmp_path: Path) -> None:
    first = published(states, State(title="A"))
    published(states, State(title="B"))
    (folder(tmp_path) / "00000003.json").write_bytes((folder(tmp_path) / "00000001.json").read_bytes())
    assert states.newest().title == "B"
    assert "state 1" in states.newest().damaged[0]
    assert first.number == 1


@pytest.mark.parametrize("name", ["notes.txt", "00000009.json.bak", "00000009 (conflict).json", "desktop.ini", "²"])
def test_foreign_files_in_the_folder_are_none_of_our_business(name: str, states: States, tmp_path: Path) -> None:
    published(states, State(title="A"))
    (folder(tmp_path) / name).write_bytes(b"not ours")
    assert states.newest().title == "A"
    assert states.newest().damaged == ()
    assert published(states, State(title="B")).number == 2


def test_fields_of_the_wrong_kind_are_damage(states: States, tmp_path: Path) -> None:
    whole: dict[str, Any] = {
        "format": FORMAT,
        "number": 1,
        "title": "",
        "settings": {},
        "registry": None,
        "sources_fp": "",
        "sources": 0,
        "pending": [],
    }
    folder(tmp_path).mkdir(parents=True)
    wrong = [{**whole, "pending": [{"who": 1}]}, {**whole, "pending": ["x"]}, {**whole, "settings": []}]
    wrong += [{**whole, "registry": "1"}, {**whole, "number": "x"}, {**whole, "sources": None}]
    wrong += [{name: value for name, value in whole.items() if name != gone} for gone in whole if gone != "registry"]
    wrong = [body for body in wrong if "format" in body]
    for body in wrong:
        (folder(tmp_path) / "00000001.json").write_bytes(dump_checked(body))
        assert states.newest() == State()
        assert states.newest().damaged, body


def test_a_newer_format_is_left_alone(states: States, tmp_path: Path) -> None:
    published(states, State(title="A"))
    (folder(tmp_path) / "00000002.json").write_bytes(dump_checked({"format": FORMAT + 1}))
    with pytest.raises(NewerFormat, match=r"00000002\.json has storage format"):
        states.newest()


def write_many(root: Path, who: str) -> None:
    states = States(LocalObjects(root), "n")
    for number in range(5):
        published(states, State(title=f"{who}{number}"))


def test_two_writers_lose_nothing(states: States, tmp_path: Path) -> None:
    children = [SPAWN.Process(target=write_many, args=(tmp_path, who)) for who in "ab"]
    for child in children:
        child.start()
    for child in children:
        child.join(CEILING)
        assert child.exitcode == 0
    titles = [path.read_text("utf-8") for path in sorted(folder(tmp_path).iterdir())]
    assert len(titles) == 10
    assert states.newest().number == 10
