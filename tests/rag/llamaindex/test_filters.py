from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters

from rag.llamaindex.filters import matches

DOG: dict[str, Any] = {
    "name": "Rex",
    "age": 3,
    "weight": 12.5,
    "good": True,
    "tags": ["Brown", "fast"],
    "none": None,
    "empty": "",
    "no_tags": [],
}


def one(key: str, operator: FilterOperator, value: Any, metadata: dict[str, Any] | None = None) -> bool:
    part = MetadataFilter(key=key, operator=operator, value=value)
    return matches(MetadataFilters(filters=[part]), DOG if metadata is None else metadata)


@pytest.mark.parametrize(
    ("operator", "key", "value", "passes"),
    [
        ("==", "name", "Rex", True),
        ("==", "name", "rex", False),
        ("==", "age", 3, True),
        ("==", "age", 3.0, True),
        ("==", "age", "3", False),
        ("==", "good", 1, False),
        ("==", "missing", "x", False),
        ("==", "missing", None, True),
        ("==", "none", None, True),
        ("==", "name", None, False),
        ("!=", "name", "Rex", False),
        ("!=", "age", 4, True),
        ("!=", "good", 1, True),
        ("!=", "missing", "x", True),
        ("!=", "missing", None, False),
        (">", "age", 2, True),
        (">", "age", 3, False),
        (">", "age", "2", False),
        (">", "good", 0, False),
        (">", "missing", 0, False),
        (">", "none", 0, False),
        (">", "age", None, False),
        (">", "tags", 1, False),
        (">=", "age", 3, True),
        ("<", "weight", 13, True),
        ("<", "name", "Sam", True),
        ("<=", "weight", 12.5, True),
        ("<=", "missing", 12.5, False),
        ("in", "name", ["Rex", "Sam"], True),
        ("in", "name", "Rex", True),
        ("in", "name", "Rexona", False),
        ("in", "good", [1], False),
        ("in", "missing", ["x"], False),
        ("in", "age", [], False),
        ("nin", "name", ["Rex"], False),
        ("nin", "name", ["Sam"], True),
        ("nin", "missing", ["Sam"], True),
        ("any", "tags", ["fast", "slow"], True),
        ("any", "tags", ["slow"], False),
        ("any", "name", ["Rex"], True),
        ("any", "missing", ["Rex"], False),
        ("all", "tags", ["fast", "Brown"], True),
        ("all", "tags", ["fast", "slow"], False),
        ("all", "missing", ["fast"], False),
        ("contains", "tags", "fast", True),
        ("contains", "tags", "fas", False),
        ("contains", "name", "Re", True),
        ("contains", "age", 3, True),
        ("contains", "missing", "x", False),
        ("text_match", "name", "ex", True),
        ("text_match", "name", "EX", False),
        ("text_match", "age", "3", False),
        ("text_match", "age", 3, False),
        ("text_match", "missing", "x", False),
        ("text_match_insensitive", "name", "EX", True),
        ("text_match_insensitive", "tags", "BROWN", True),
        ("text_match_insensitive", "none", "x", False),
        ("is_empty", "missing", None, True),
        ("is_empty", "none", None, True),
        ("is_empty", "empty", None, True),
        ("is_empty", "no_tags", None, True),
        ("is_empty", "good", None, False),
        ("is_empty", "age", None, False),
    ],
)
def test_operators(operator: str, key: str, value: Any, passes: bool) -> None:
    assert one(key, FilterOperator(operator), value) is passes


def test_every_operator_of_the_installed_llama_index_is_known() -> None:
    for operator in FilterOperator:
        assert one("name", operator, "Rex") in (True, False)


def test_conditions_nest() -> None:
    rex = MetadataFilter(key="name", value="Rex")
    sam = MetadataFilter(key="name", value="Sam")
    old = MetadataFilter(key="age", operator=FilterOperator.GT, value=10)

    def group(condition: FilterCondition | None, *parts: Any) -> MetadataFilters:
        return MetadataFilters(filters=list(parts), condition=condition)

    either, both, none = (group(c, rex, sam) for c in (FilterCondition.OR, FilterCondition.AND, FilterCondition.NOT))
    assert matches(either, DOG)
    assert not matches(both, DOG)
    assert not matches(none, DOG)
    assert matches(group(FilterCondition.NOT, sam, old), DOG)
    assert matches(group(FilterCondition.AND, either, group(FilterCondition.NOT, old)), DOG)
    assert not matches(group(FilterCondition.OR, both, group(FilterCondition.AND, rex, old)), DOG)
    assert matches(group(None, rex), DOG)


def test_no_filters_pass_everything() -> None:
    assert matches(None, DOG)
    for condition in FilterCondition:
        assert matches(MetadataFilters(filters=[], condition=condition), DOG)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
wanted = (
    st.none()
    | st.integers()
    | st.floats()
    | st.text()
    | st.lists(st.text(), max_size=3)
    | st.lists(st.integers(), max_size=3)
)


@settings(max_examples=300)
@given(have=json_values, want=wanted, operator=st.sampled_from(FilterOperator))
def test_no_value_of_any_type_raises(have: Any, want: Any, operator: FilterOperator) -> None:
    assert one("key", operator, want, {"key": have}) in (True, False)
    opposite = {FilterOperator.EQ: FilterOperator.NE, FilterOperator.IN: FilterOperator.NIN}.get(operator)
    if opposite is not None:
        assert one("key", operator, want, {"key": have}) is not one("key", opposite, want, {"key": have})


def test_light_modules_import_neither_lancedb_nor_llama_index() -> None:
    code = (
        "import sys, rag.llamaindex.filters, rag.tables.exact, rag.tables.lance_files;"
        "sys.exit(any(name in sys.modules for name in ('lancedb', 'llama_index', 'pyarrow')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
