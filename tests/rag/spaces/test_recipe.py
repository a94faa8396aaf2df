from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from rag.changes import Code, change
from rag.checked import dump_checked, load_checked
from rag.config import Config, Secret, load_config
from rag.spaces.recipe import recipe_changes, recipe_fingerprint, wanted_recipe
from rag.spaces.space import Space
from rag.wording.changes import name, sentence

SPACE = Space("openai-compatible", "m", "", 64, newline_policy="spaces")
REMOTE = Config(embedder="openai-compatible", embed_model="m", embed_base_url="http://localhost:1/v1")


def of(config: Config, space: Space | None = SPACE) -> str:
    return recipe_fingerprint(wanted_recipe(config, space))


def test_what_changes_no_vector_is_no_part_of_it() -> None:
    others = [
        replace(REMOTE, llm="openai", llm_model="x", llm_base_url="http://x"),
        replace(REMOTE, api_key=Secret("sk-1")),
        replace(REMOTE, embed_base_url="http://elsewhere/v1"),
        replace(REMOTE, home="/elsewhere", workspace="other"),
        replace(REMOTE, origins={"RAGBOOK_HOME": "saved"}),
    ]
    assert {of(other) for other in others} == {of(REMOTE)}


@pytest.mark.parametrize("field", [field.name for field in fields(Space)])
def test_every_field_of_the_space_is_part_of_it(field: str) -> None:
    value = getattr(SPACE, field)
    other = not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else f"{value}x"
    changed = replace(SPACE, **{field: other})
    assert changed.fingerprint != SPACE.fingerprint
    assert of(REMOTE, changed) != of(REMOTE)


def test_sizes_and_tokenizer_are_part_of_it() -> None:
    others = [replace(REMOTE, chunk_size=221), replace(REMOTE, chunk_overlap=33), Config()]
    assert len({of(other) for other in [REMOTE, *others]}) == 4


def test_it_survives_the_manifest() -> None:
    recipe = wanted_recipe(REMOTE, SPACE)
    assert recipe_fingerprint(load_checked(dump_checked(recipe), "x")) == recipe_fingerprint(recipe)
    assert set(recipe) == {"format", "embedder", "splitter", "tokenizer", "readers", "analysis"}
    assert recipe["readers"]["application/pdf"]


def test_without_a_space_it_says_what_is_known() -> None:
    drafted = wanted_recipe(REMOTE, None)
    assert drafted["embedder"]["model"] == "m"
    assert "dimensions" not in drafted["embedder"]
    # What only the model can tell is no change.
    assert recipe_changes(wanted_recipe(REMOTE, SPACE), drafted) == ()


def test_a_reader_is_shown_words_for_every_choice() -> None:
    before = wanted_recipe(REMOTE, SPACE)
    after = wanted_recipe(REMOTE, replace(SPACE, variant=1))
    (found,) = recipe_changes(before, after)
    assert sentence(found) == "variant of the embedding model behind its name: 0 → 1"
    every = recipe_changes({}, wanted_recipe(Config(), None)) + recipe_changes({}, before)
    assert {one.text("choice") for one in every} > {
        "embedder.long_text",
        "splitter.id",
        "readers.application/pdf",
        "format",
    }
    assert not [one for one in every if name(one) == one.text("choice") or "_" in name(one)]
    assert (
        name(change(Code.CHOICE, choice="readers.application/pdf", before="1", after="2"))
        == "reader of application/pdf"
    )


def test_changes_name_each_choice_that_differs(tmp_path: Path) -> None:
    before = wanted_recipe(REMOTE, SPACE)
    after = wanted_recipe(replace(REMOTE, chunk_size=300), replace(SPACE, model="n", dimensions=128))
    assert recipe_changes(before, after) == (
        change(Code.CHOICE, choice="embedder.dimensions", before="64", after="128"),
        change(Code.CHOICE, choice="embedder.model", before="m", after="n"),
        change(Code.CHOICE, choice="splitter.size", before="220", after="300"),
    )
    assert sentence(recipe_changes(before, after)[1]) == "embedding model: m → n"
    assert recipe_changes(before, before) == ()
    local = wanted_recipe(load_config({}, folder=tmp_path), None)
    assert "tokenizer.digest" in {one.text("choice") for one in recipe_changes(before, local)}
    assert recipe_changes({"a": 1}, {}) == (change(Code.CHOICE, choice="a", before="1"),)
