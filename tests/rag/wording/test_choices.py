"""Fields of a recipe in words."""

from __future__ import annotations

import pytest

from rag.config import Config
from rag.spaces.recipe import wanted_recipe
from rag.spaces.space import Space
from rag.wording.choices import CHOICES, named


def fields(value, prefix=""):
    for key, item in value.items():
        yield from fields(item, f"{prefix}{key}.") if isinstance(item, dict) else [f"{prefix}{key}"]


def test_every_field_of_a_recipe_has_words_and_no_other():
    recipe = wanted_recipe(Config(), Space("local", "m", "", 8))
    assert {field for field in fields(recipe) if not field.startswith("readers.")} == set(CHOICES)


@pytest.mark.parametrize("other", ["notes.md", "readers.md", "embedder.txt", "renamed", "snapshot", ""])
def test_what_is_no_field_of_a_recipe_stays_as_it_is(other):
    assert named(other) == other
