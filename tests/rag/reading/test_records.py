"""JSON as text: a line for each leaf, with its path and its number as written."""

from __future__ import annotations

import json

import pytest

from rag.errors import DamagedSource, EmptySource
from rag.reading import records as room
from rag.reading.kinds import JSON, JSONL
from tests.rag.reading.reading_checks import checked


def read(content):
    return checked(room.read(content, JSON))


def read_lines(content):
    return checked(room.read(content, JSONL))


def test_leaves_with_paths():
    text = read(b'{"a": {"b": [{"c": 1.50}, 1e400, null]}, "d": "x", "d": true}').text
    assert text == "a.b[0].c: 1.50\na.b[1]: 1e400\na.b[2]: null\nd: x\nd: true"


def test_records_are_blocks():
    assert read(b'[{"n": 1, "m": 2}, {"n": 3}]').text == "[0].n: 1\n[0].m: 2\n\n[1].n: 3"
    assert read_lines(b'{"n": 1}\n\n{"n": 3}\n').text == "n: 1\n\nn: 3"
    assert read(b'{"n": 1}\n{"n": 3}\n').text == "n: 1\n\nn: 3"


def test_broken_lines_are_kept_and_named():
    reading = read_lines(b'{"n": 1}\nnonsense\n')
    assert reading.text == "n: 1\n\nnonsense"
    assert any("line 2" in note for note in reading.notes)


def test_cut_off():
    with pytest.raises(DamagedSource, match="line 1"):
        read(b'{"n": [1, 2')


def test_lone_surrogates():
    assert read(rb'"x \ud83d y \ud83d\ude00"').text == "x \ufffd y 😀"


@pytest.mark.parametrize(
    ("content", "text"),
    [(b'"x"', "x"), (b"-0.10e5", "-0.10e5"), (b"[NaN, -Infinity]", "[0]: NaN\n\n[1]: -Infinity"), (b"true", "true")],
)
def test_a_lone_value_needs_no_path(content, text):
    assert read(content).text == text


def test_keys_that_come_twice_are_kept_in_order():
    assert room.parse('{"b": 1, "a": 2, "b": 3}') == [("b", "1"), ("a", "2"), ("b", "3")]
    assert read(b'{"b": 1, "a": {"": 2}, "b": 3}').text == "b: 1\na.: 2\nb: 3"


def test_an_empty_list_or_object_is_no_leaf():
    assert read(b'{"a": [], "b": {}, "c": 1}').text == "c: 1"
    with pytest.raises(EmptySource):
        read(b"[[], {}]")


def test_a_mark_at_the_beginning_is_no_part_of_it():
    assert read("\ufeff[1]".encode()).text == "[0]: 1"
    assert room.parse("\ufeff\ufeff1") == "1"


def test_many_broken_lines_are_named_in_part():
    content = b'{"n": 1}\n' + b"broken\n" * 7
    (note,) = read_lines(content).notes
    assert note.endswith("line 2, 3, 4, 5, 6 ….")


def test_where_no_line_is_json_it_is_damaged():
    with pytest.raises(DamagedSource, match="line 1, column 1"):
        read_lines(b"nothing\nof that kind\n")


def test_depth_beyond_the_parser_is_refused_and_depth_within_it_is_read():
    deep = 400
    assert read(b"[" * deep + b"7" + b"]" * deep).text == "[0]" * deep + ": 7"
    with pytest.raises(DamagedSource, match="too deeply"):
        read(b"[" * 200_000)


def test_any_value_comes_back_leaf_by_leaf():
    value = {"a": [1, {"b": [True, None]}], "c": {"d": "x y"}}
    assert read(json.dumps(value).encode()).text.splitlines() == [
        "a[0]: 1",
        "a[1].b[0]: true",
        "a[1].b[1]: null",
        "c.d: x y",
    ]
