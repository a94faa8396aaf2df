"""What is saved of embedding spaces, and notes beside it. Whether a model is let in: `test_admission`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rag.checked import FORMAT, dump_checked
from rag.config import Config
from rag.errors import AlreadyExists, Damaged, NewerFormat, NotFound
from rag.fingerprint import fingerprint
from rag.spaces.canary import CANARY_TEXTS
from rag.spaces.saved import Spaces, draft
from rag.spaces.space import Space
from rag.storage.objects import LocalObjects

REMOTE = Config(embedder="openai-compatible", embed_model="m", embed_base_url="http://localhost:1/v1")


def canary_of(seed: int, dimensions: int = 64):
    """Vectors as a model might give them, as texts and as queries."""
    made = np.random.default_rng(seed).standard_normal((len(CANARY_TEXTS), dimensions)).astype(np.float32)
    return made, -made


def space_of(config: Config = REMOTE, dimensions: int = 64, **fields) -> Space:
    return Space(**{**draft(config), "dimensions": dimensions, **fields})


@pytest.fixture
def spaces(tmp_path: Path) -> Spaces:
    return Spaces(LocalObjects(tmp_path))


def saved_file(tmp_path: Path) -> Path:
    (path,) = tmp_path.glob("spaces/*/space.json")
    return path


def test_what_is_saved_comes_back(spaces: Spaces, tmp_path: Path):
    space, live = space_of(), canary_of(1)
    spaces.create(space, "http://localhost:1/v1", live)
    saved = spaces.get(space.fingerprint)
    assert (saved.space, saved.endpoint) == (space, "http://localhost:1/v1")
    assert all(np.array_equal(one, other) for one, other in zip(saved.canary, live, strict=True))
    assert saved.text_vectors.dtype == np.float32
    assert saved_file(tmp_path).relative_to(tmp_path).as_posix() == spaces.name(space)
    with pytest.raises(AlreadyExists):
        spaces.create(space, "", canary_of(2))
    spaces.drop(space)
    assert spaces.all() == []


def test_settings_describe_a_space_and_its_variants(spaces: Spaces):
    one, other = space_of(), space_of(variant=1)
    for space in (one, other, space_of(replace(REMOTE, embed_model="n"))):
        spaces.create(space, "", canary_of(1))
    assert spaces.described(REMOTE) == [one, other]
    assert spaces.variants(one) == [other]
    assert spaces.wanted(replace(REMOTE, embed_model="p")) is None
    assert spaces.wanted(REMOTE) == other  # the newest, as long as none was met alive
    spaces.note_live(one, [one, other])
    assert spaces.wanted(REMOTE) == one
    spaces.note_live(other, [one, other])
    assert spaces.wanted(REMOTE) == other


def test_dimensions_that_were_asked_for_are_not_what_the_model_gives_by_itself(spaces: Spaces):
    space = space_of(dimensions=32)
    spaces.create(space, "", canary_of(1, 32), 32)
    assert spaces.wanted(replace(REMOTE, embed_dimensions=32)) == space
    assert spaces.wanted(REMOTE) is None
    spaces.note_default(space, draft(replace(REMOTE, embed_dimensions=32)))
    assert spaces.wanted(REMOTE) is None
    spaces.note_default(space, draft(REMOTE))
    assert spaces.wanted(REMOTE) == space


def test_a_refusal_is_noted_until_the_model_is_met_again(spaces: Spaces):
    space = space_of()
    spaces.create(space, "", canary_of(1))
    assert spaces.refusal(space) == ""
    spaces.note_refusal(space, "It is another one.")
    assert spaces.refusal(space) == "It is another one."
    spaces.note_live(space, [space])
    assert spaces.refusal(space) == ""


def test_recipes_are_noted_once_each(spaces: Spaces, tmp_path: Path):
    space = space_of()
    for recipe in ({"size": 1}, {"size": 2}, {"size": 1}):
        spaces.note_recipe(space, recipe)
    assert sorted(spaces.recipes(space.fingerprint), key=lambda recipe: recipe["size"]) == [{"size": 1}, {"size": 2}]
    next((tmp_path / spaces.folder(space.fingerprint) / "recipes").iterdir()).write_bytes(b"{}")
    assert len(spaces.recipes(space.fingerprint)) == 1


def test_vectors_without_a_canary_are_seen(spaces: Spaces, tmp_path: Path):
    space = space_of()
    assert not spaces.headless(space)
    (tmp_path / spaces.folder(space.fingerprint) / "vectors.lance").mkdir(parents=True)
    assert spaces.headless(space)
    spaces.create(space, "", canary_of(1))
    assert not spaces.headless(space)


def test_a_space_in_anothers_folder_is_damage(spaces: Spaces, tmp_path: Path):
    space = space_of()
    spaces.create(space, "", canary_of(1))
    path = saved_file(tmp_path)
    other = replace(space, model="n")
    target = tmp_path / spaces.folder(other.fingerprint)
    target.mkdir()
    (target / "space.json").write_bytes(path.read_bytes())
    with pytest.raises(Damaged, match="describes another space"):
        spaces.get(other.fingerprint)
    body = json.loads(path.read_bytes())
    del body["checksum"]
    body["canary"]["text_vectors"] = "AAAA"
    path.write_bytes(dump_checked(body))
    for look in (spaces.get, spaces.check_saved):
        with pytest.raises(Damaged, match="while reading its canary"):
            look(space.fingerprint)


def test_a_space_of_a_newer_format_is_left_alone(spaces: Spaces, tmp_path: Path):
    space = space_of()
    spaces.create(space, "", canary_of(1))
    saved_file(tmp_path).write_bytes(dump_checked({"format": FORMAT + 1, "space": {}}))
    with pytest.raises(NewerFormat):
        spaces.get(space.fingerprint)
    with pytest.raises(NewerFormat):
        spaces.all()


def test_an_unknown_fingerprint_is_not_found(spaces: Spaces, tmp_path: Path):
    with pytest.raises(NotFound):
        spaces.get("0" * 64)
    assert spaces.all() == []
    assert list(tmp_path.iterdir()) == []


def test_the_canary_never_changes():
    assert fingerprint(CANARY_TEXTS)[:16] == "2d923439b8964c31"
    assert Space("p", "m", "r", 3).fingerprint[:16] == "1e16261189c72f29"
