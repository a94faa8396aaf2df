from __future__ import annotations

import hashlib
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.fingerprint import canonical, chunk_id, digest, fingerprint, vector_key

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
FRACTIONS = st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: not number.is_integer())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | FRACTIONS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)

TRAPS: list[Any] = [
    *(None, True, False, 0, 1, -1, "", "0", "1", "null", "true", "None", 0.5, "0.5", 10**20, "a", "A", "a ", " a"),
    *("\u00e9", "e\u0301", "\n", "\\n", "\r\n", '"', '\\"', "\0", "\ufeff", "\ufeffa", "\u200d", "[]", "{}"),
    *([], {}, [[]], [{}], {"": None}, {"": {}}, [None], [""], [0], ["0"], [False]),
    *(["ab", "c"], ["a", "bc"], ["abc"], ["a", "b", "c"], ["a", ["b", "c"]], [["a", "b"], "c"], ["a,b"], ['a","b']),
    *({"a": 1}, {"a": "1"}, {"a": True}, {"a": None}, {"a": [1]}, {"a": {"b": 1}}, {"a.b": 1}, {"a": 1, "b": None}),
    *([1, 2], [2, 1], [12], {"a": 1, "b": 2}, {"a": 2, "b": 1}, {"ab": 1}, [["a", 1]], ["a", 1]),
]


def test_different_values_have_different_fingerprints() -> None:
    for left, right in itertools.combinations(TRAPS, 2):
        assert fingerprint(left) != fingerprint(right), (left, right)


@given(JSON)
def test_canonical_json_is_json_for_the_same_value(value: Any) -> None:
    assert json.loads(canonical(value)) == value
    assert canonical(json.loads(canonical(value))) == canonical(value)
    assert fingerprint(value) == hashlib.sha256(canonical(value)).hexdigest()


@given(JSON, JSON)
def test_equal_fingerprints_mean_equal_values(left: Any, right: Any) -> None:
    # Through JSON text, because Python holds True == 1.
    same = json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)
    assert (fingerprint(left) == fingerprint(right)) == same


@given(st.dictionaries(TEXT, JSON, max_size=6), st.randoms())
def test_the_order_of_keys_does_not_matter(value: dict[str, Any], random: Any) -> None:
    items = list(value.items())
    random.shuffle(items)
    assert fingerprint(dict(items)) == fingerprint(value)


@given(st.dictionaries(TEXT, JSON, min_size=1, max_size=6), st.data())
def test_every_field_matters(value: dict[str, Any], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(value)))
    without = {name: item for name, item in value.items() if name != key}
    assert fingerprint(without) != fingerprint(value)
    assert fingerprint({**value, key: [value[key]]}) != fingerprint(value)


@given(st.lists(JSON, min_size=2, max_size=5, unique_by=lambda value: canonical(value)))
def test_the_order_of_a_list_matters(value: list[Any]) -> None:
    assert fingerprint(value) != fingerprint(value[::-1])


@pytest.mark.parametrize("wrong", [[["a"], [1.0]], [["a", ["b", [float("nan")]]]], [[b"a"], ["b"]], [[{1: 2}], []]])
def test_what_is_refused_is_found_in_lists_of_lists(wrong: Any) -> None:
    with pytest.raises(TypeError):
        canonical(wrong)


def test_a_tuple_is_a_list() -> None:
    assert fingerprint((1, ("a",))) == fingerprint([1, ["a"]])


@pytest.mark.parametrize(
    "value",
    [1.0, -0.0, 1e300, float("nan"), float("inf"), b"a", {1}, {1: 2}, {None: 1}, {True: 1}, object(), [{"a": [1.0]}]],
    ids=lambda value: repr(value).split(" at 0x")[0],  # addresses differ from process to process
)
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical(value)


@pytest.mark.parametrize("value", ["\ud800", ["a\udfff"], {"\udc00": 1}], ids=ascii)
def test_lone_surrogates_are_refused(value: Any) -> None:
    with pytest.raises(UnicodeEncodeError):
        fingerprint(value)


KEYS = st.tuples(TEXT, st.sampled_from(["text", "query"]), TEXT)


@given(KEYS, KEYS)
def test_a_vector_key_tells_space_role_and_text_apart(left: Any, right: Any) -> None:
    assert (vector_key(*left) == vector_key(*right)) == (left == right)
    assert len(vector_key(*left)) == 32


def test_a_vector_key_is_exact_about_the_text() -> None:
    texts = ["a", "a ", " a", "a\n", "A", "", "\u00e9", "e\u0301", 'a","text","']
    keys = {vector_key("s", role, text) for text in texts for role in ("text", "query")}  # type: ignore[arg-type]
    assert len(keys) == 2 * len(texts)
    # The format on disk: this address must stay what it is.
    assert hashlib.sha256(b'["s","text","a"]').digest() == vector_key("s", "text", "a")


@given(st.tuples(TEXT, st.integers(0, 99), TEXT, TEXT), st.tuples(TEXT, st.integers(0, 99), TEXT, TEXT))
def test_a_chunk_id_tells_everything_apart(left: Any, right: Any) -> None:
    assert (chunk_id(*left) == chunk_id(*right)) == (left == right)
    assert len(chunk_id(*left)) == 32


def test_a_digest_is_sha256_of_the_bytes() -> None:
    assert digest(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
