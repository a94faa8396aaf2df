"""What every store of small objects does, on a disk and in memory; and what is kept in one needs no folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.errors import AlreadyExists, Conflict, NotFound
from rag.home.cells import Cells
from rag.home.state import States
from rag.sources.tag_store import Tags
from rag.storage.objects import LocalObjects, Objects
from tests.doubles import MemoryObjects


@pytest.fixture(params=["disk", "memory"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    return LocalObjects(tmp_path) if request.param == "disk" else MemoryObjects()


def test_what_is_created_is_there_and_stays_as_it_is(objects: Objects) -> None:
    objects.create("a/b.json", b"1")
    assert objects.get("a/b.json") == b"1"
    assert objects.exists("a/b.json")
    with pytest.raises(AlreadyExists):
        objects.create("a/b.json", b"2")
    assert objects.get("a/b.json") == b"1"


def test_what_is_not_there_is_not_found(objects: Objects) -> None:
    with pytest.raises(NotFound):
        objects.get("a/b.json")
    assert not objects.exists("a/b.json")
    assert not objects.is_folder("a")
    assert objects.names("a") == objects.folders("a") == []
    assert objects.set_aside("a/b.json") is None
    objects.delete("a/b.json")


def test_names_and_folders_are_those_directly_below(objects: Objects) -> None:
    for name in ("a/2.json", "a/1.json", "a/.tmp-x", "a/deep/3.json", "b/4.json"):
        objects.create(name, b"")
    assert objects.names("a") == ["a/1.json", "a/2.json"]
    assert objects.folders("a") == ["deep"]
    assert objects.is_folder("a/deep")
    assert not objects.is_folder("a/1.json")


def test_what_is_set_aside_makes_room_and_is_not_lost(objects: Objects) -> None:
    objects.create("a/1.json", b"bad")
    assert objects.set_aside("a/1.json") == "1.json.damaged"
    objects.create("a/1.json", b"good")
    assert objects.get("a/1.json.damaged") == b"bad"
    objects.create("a/2.json/inside", b"x")
    assert objects.set_aside("a/2.json") == "2.json.damaged"
    assert not objects.is_folder("a/2.json")


def test_states_and_tags_need_no_folder(objects: Objects) -> None:
    states, late = States(objects, "n"), States(objects, "n")
    one = states.change(lambda state: state)
    assert late.newest() == one
    assert one.number == 1
    tags = Tags(objects, "n")
    tags.change(lambda of: {**of, "s1": ("tax",)})
    assert Tags(objects, "n").newest().of == {"s1": ("tax",)}
    assert Cells(objects, "n").all() == []


def test_damaged_tags_are_moved_aside_in_any_store(objects: Objects) -> None:
    tags = Tags(objects, "n")
    tags.change(lambda of: {**of, "s1": ("tax",)})
    objects.create("notebooks/n/tags/00000002.json", b"broken")
    assert tags.damaged()
    assert any("moved aside" in sentence for sentence in tags.repair())
    assert tags.newest().of == {"s1": ("tax",)}


def test_a_writer_who_is_always_overtaken_gives_up(objects: Objects) -> None:
    states = States(objects, "n")

    def overtaken(state):
        States(objects, "n").change(lambda newest: newest)
        return state

    with pytest.raises(Conflict):
        states.change(overtaken)
