from __future__ import annotations

import json

import pytest

from rag.changes import Change, Code, change, from_saved, to_saved


def test_fields_are_in_order_and_those_that_are_none_are_absent() -> None:
    one = change(Code.CHOICE, choice="splitter.size", before=None, after="300")
    assert one == Change(Code.CHOICE, (("after", "300"), ("choice", "splitter.size")))
    assert (one.has("before"), one.text("before"), one.number("after"), one.number("before")) == (False, "", 300, 0)


@pytest.mark.parametrize("code", Code)
def test_every_code_is_saved_and_read(code: Code) -> None:
    one = change(code, source="a.txt", chunks=3)
    assert from_saved(json.loads(json.dumps(to_saved(one)))) == one


@pytest.mark.parametrize(
    "saved",
    [
        None,
        "added",
        [],
        {},
        {"code": "added"},
        {"code": "melted", "fields": {}},
        {"code": "added", "fields": {"a": []}},
    ],
)
def test_what_is_not_known_is_nothing(saved: object) -> None:
    assert from_saved(saved) is None
