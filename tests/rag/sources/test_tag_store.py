"""Tags on the disk: changing them is atomic, durable and repaired."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rag.checked import dump_checked
from rag.errors import Damaged, NewerFormat
from rag.sources.tag_store import Tags
from rag.sources.tags import changed
from rag.storage.objects import LocalObjects
from tests.notebooks import python, said

A, B = {"a": "a.txt"}, {"b": "b.txt"}


@pytest.fixture
def tags(tmp_path: Path) -> Tags:
    return Tags(LocalObjects(tmp_path), "n")


def stored(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "notebooks" / "n" / "tags").glob("*"))


def test_tags_survive_a_restart_and_doing_it_twice_writes_once(tags: Tags, tmp_path: Path):
    assert (tags.newest().of, tags.any(), stored(tmp_path)) == ({}, False, [])
    for _ in range(2):
        tags.change(lambda of: changed(of, A, ["tax"]))
    assert stored(tmp_path) == ["00000001.json"]
    assert Tags(LocalObjects(tmp_path), "n").newest().of == {"a": ("tax",)}
    assert Tags(LocalObjects(tmp_path), "other").newest().of == {}


def test_old_objects_are_pruned_and_the_last_ones_kept(tags: Tags, tmp_path: Path):
    for number in range(20):
        tags.change(lambda of, number=number: changed(of, {f"s{number}": "x"}, ["tax"]))
    assert stored(tmp_path) == [f"{number:08d}.json" for number in range(13, 21)]
    assert len(tags.newest().of) == 20


def test_a_change_that_is_lapped_is_done_again(tags: Tags, tmp_path: Path):
    """A writer sleeps between looking and creating; meanwhile so many others write that its number is free again."""
    late = Tags(LocalObjects(tmp_path), "n")
    asked = []

    def slow(of):
        asked.append(1)
        if len(asked) == 1:
            for number in range(20):
                tags.change(lambda of, number=number: changed(of, {f"s{number}": "x"}, ["tax"]))
        return changed(of, {"late": "x"}, ["late"])

    assert late.change(slow).of["late"] == ("late",)
    assert len(asked) == 2
    assert tags.newest().of["late"] == ("late",)
    assert len(tags.newest().of) == 21


TAGGER = """
    import json, sys
    from pathlib import Path
    from rag.storage.objects import LocalObjects
    from rag.sources.tag_store import Tags
    from rag.sources.tags import changed
    tags, who = Tags(LocalObjects(Path(sys.argv[1])), "n"), sys.argv[2]
    for number in range(15):
        tags.change(lambda of: changed(of, {"shared": "x", f"{who}-{number}": "y"}, [f"{who}{number % 4}"]))
    print(json.dumps("done"))
    """


def test_processes_that_tag_at_once_lose_nothing(tags: Tags, tmp_path: Path):
    children = [python(TAGGER, tmp_path, who) for who in "abcd"]
    assert [said(child) for child in children] == ["done"] * 4
    of = tags.newest().of
    assert of["shared"] == tuple(f"{who}{number}" for who in "abcd" for number in range(4))
    assert {one for one in of if one != "shared"} == {f"{who}-{number}" for who in "abcd" for number in range(15)}


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    path.unlink()
    if how == "folder":
        path.mkdir()
        return
    body = json.loads(content)
    del body["checksum"]
    path.write_bytes(
        {
            "empty": b"",
            "truncated": content[:-9],
            "flipped": content.replace(b"tax", b"tay"),
            "not a list": dump_checked(body | {"tags": {"a": "tax"}}),
            "not clean": dump_checked(body | {"tags": {"a": ["\u202etax"]}}),
            "twice": dump_checked(body | {"tags": {"a": ["tax", "TAX"]}}),
            "none": dump_checked(body | {"tags": {"a": []}}),
            "too many": dump_checked(body | {"tags": {"a": [f"t{n}" for n in range(21)]}}),
            "other number": dump_checked(body | {"number": 7}),
            "no tags": dump_checked({"format": 1, "number": 2}),
        }[how]
    )


HOW = (
    *("empty", "truncated", "flipped", "folder", "not a list", "not clean", "twice", "none", "too many"),
    *("other number", "no tags"),
)


@pytest.mark.parametrize("how", HOW)
def test_damage_is_told_and_repaired(how: str, tags: Tags, tmp_path: Path):
    tags.change(lambda of: changed(of, A, ["first"]))
    tags.change(lambda of: changed(of, A, ["tax"]))
    path = tmp_path / "notebooks/n/tags/00000002.json"
    damage(path, how)
    with pytest.raises(Damaged, match=r"tags/00000002.json fails its check.*doctor --repair"):
        tags.newest()
    with pytest.raises(Damaged, match="fails its check"):
        tags.change(lambda of: changed(of, A, ["more"]))
    assert [name for name, _ in tags.damaged()] == ["notebooks/n/tags/00000002.json"]
    done = tags.repair()
    assert done[1] == "notebooks/n/tags/00000002.json was moved aside, to 00000002.json.damaged."
    assert tags.newest().of == {"a": ("first",)}
    assert stored(tmp_path) == ["00000001.json", "00000002.json.damaged", "00000003.json"]
    assert tags.repair() == tags.damaged() == []


def test_a_repair_undoes_nothing_that_comes_between(tags: Tags, tmp_path: Path):
    """Another one repairs and tags while this one has looked and not yet written."""
    tags.change(lambda of: changed(of, A, ["first"]))
    tags.change(lambda of: changed(of, A, ["tax"]))
    damage(tmp_path / "notebooks/n/tags/00000002.json", "empty")

    class Late(Tags):
        looked = False

        def _look(self):
            found = super()._look()
            if not self.looked:
                self.looked = True
                tags.repair()
                tags.change(lambda of: changed(of, A, ["between"]))
            return found

    assert Late(LocalObjects(tmp_path), "n").repair() == []
    assert tags.newest().of == {"a": ("between", "first")}


def test_tags_of_a_newer_ragbook_are_left_alone(tags: Tags, tmp_path: Path):
    body = {"format": 99, "number": 1, "tags": {}}
    LocalObjects(tmp_path).create("notebooks/n/tags/00000001.json", dump_checked(body))
    for act in (tags.newest, tags.damaged, lambda: tags.change(lambda of: changed(of, A, ["tax"]))):
        with pytest.raises(NewerFormat, match="storage format 99"):
            act()
    assert stored(tmp_path) == ["00000001.json"]


def test_what_is_forgotten_is_in_no_object(tags: Tags, tmp_path: Path):
    tags.forget(["a"])
    assert stored(tmp_path) == []
    for tag in ("secret", "other"):
        tags.change(lambda of, tag=tag: changed(of, A | B, [tag]))
    tags.forget(["a"])
    assert tags.newest().of == {"b": ("other", "secret")}
    assert [path for path in tmp_path.rglob("*.json") if b'"a"' in path.read_bytes()] == []
