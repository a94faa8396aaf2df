from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.changes import Code, change
from rag.checked import FORMAT, dump_checked, load_checked
from rag.errors import Damaged, NewerFormat
from rag.manifest import (
    Counts,
    Failure,
    Manifest,
    PinnedFile,
    PinnedTable,
    Receipt,
    VerdictName,
    parse_manifest,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
COUNT = st.integers(0, 2**40)
AMOUNT = st.floats(0, 1e6, allow_nan=False)
SCALAR = st.none() | st.booleans() | COUNT | TEXT | st.floats(0.1, 0.9)
RECIPE = st.dictionaries(TEXT, SCALAR | st.dictionaries(TEXT, SCALAR, max_size=3), max_size=4)
TABLE = st.builds(
    PinnedTable,
    TEXT,
    COUNT,
    COUNT,
    st.lists(st.builds(PinnedFile, TEXT, COUNT, TEXT), max_size=3).map(tuple),
)
CHANGE = st.builds(
    lambda code, fields: change(code, **fields), st.sampled_from(Code), st.dictionaries(TEXT, TEXT | COUNT, max_size=3)
)
MANIFESTS = st.builds(
    Manifest,
    snapshot=COUNT,
    parent=st.none() | COUNT,
    created=TEXT,
    writer=TEXT,
    epoch=COUNT,
    verdict=st.sampled_from(VerdictName),
    recipe=RECIPE,
    recipe_fp=TEXT,
    space_fp=TEXT,
    sources_fp=TEXT,
    counts=st.builds(Counts, COUNT, COUNT, COUNT),
    tables=st.dictionaries(TEXT, TABLE, max_size=2),
    receipt=st.builds(
        Receipt, COUNT, COUNT, COUNT, st.none() | AMOUNT, COUNT, COUNT, AMOUNT, st.dictionaries(TEXT, AMOUNT)
    ),
    changes=st.lists(CHANGE, max_size=3).map(tuple),
    failures=st.lists(st.builds(Failure, TEXT, TEXT, st.booleans()), max_size=3).map(tuple),
)
SMALL = Manifest(
    snapshot=3,
    parent=2,
    created="2026-01-02T03:04:05.678Z",
    writer="host:1",
    epoch=0,
    verdict=VerdictName.UPDATED,
    recipe={"format": 1, "splitter": {"size": 220}, "a": None, "ü": 0.25},
    recipe_fp="r" * 64,
    space_fp="s" * 64,
    sources_fp="f" * 64,
    counts=Counts(2, 1, 7),
    tables={"chunks": PinnedTable("index/x/chunks.lance", 5, 7, (PinnedFile("data/a.lance", 12, "ab" * 32),))},
    receipt=Receipt(1, 2, 3, 1e-05, 4, 5, 0.5, {"embed": 0.25}),
    changes=(change(Code.CHOICE, choice="embedder.model", before="a", after="b"),),
    failures=(Failure("x.pdf", "no text", kept=True),),
)


@given(MANIFESTS)
def test_what_is_written_is_what_is_read(manifest: Manifest) -> None:
    assert parse_manifest(manifest.to_json(), "m.json") == manifest
    assert manifest.to_json() == parse_manifest(manifest.to_json(), "m.json").to_json()


def test_every_flipped_bit_is_noticed_or_means_nothing() -> None:
    content = SMALL.to_json()
    reasons: set[str] = set()
    for position in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[position] ^= 1 << bit
            try:
                found = parse_manifest(bytes(flipped), "m.json")
            except Damaged as error:
                reasons.add(str(error))
            else:
                assert found == SMALL, flipped[position - 20 : position + 20]
    assert all("m.json fails its check" in reason for reason in reasons)


def test_every_truncation_is_noticed() -> None:
    content = SMALL.to_json()
    for length in range(len(content)):
        with pytest.raises(Damaged):
            parse_manifest(content[:length], "m.json")
        with pytest.raises(Damaged):
            parse_manifest(content[length + 1 :], "m.json")


@given(MANIFESTS, st.data())
def test_one_changed_byte_anywhere_is_noticed_or_means_nothing(manifest: Manifest, data: st.DataObject) -> None:
    content = bytearray(manifest.to_json())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Damaged):
        assert parse_manifest(bytes(content), "m.json") == manifest


@given(st.binary(max_size=60))
def test_any_other_bytes_are_damage(content: bytes) -> None:
    with pytest.raises(Damaged):
        parse_manifest(content, "m.json")


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_json_nested_at_any_depth_is_damage(opening: str) -> None:
    closing = {"[": "]", '{"a":': "}"}[opening]
    for depth in (*range(1, 1100, 9), 100_000):
        nested = opening * depth + "1" + closing * depth
        with pytest.raises(Damaged):
            load_checked(f'{{"deep":{nested},"checksum":"x"}}'.encode(), "m.json")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", "-0.0", "9" * 5000, '"\\ud800"'])
def test_numbers_and_texts_we_never_write_are_damage(value: str) -> None:
    with pytest.raises(Damaged):
        load_checked(f'{{"a":{value[:6000]},"checksum":"x"}}'.encode(), "m.json")


def test_a_missing_field_is_damage_even_with_a_right_checksum() -> None:
    body = json.loads(SMALL.to_json())
    del body["checksum"]
    for key in body.keys() - {"state", "registry", "codes"}:
        without = {name: value for name, value in body.items() if name != key}
        with pytest.raises(Damaged):
            parse_manifest(dump_checked(without), "m.json")
        for wrong in (None, "x", [1], {"x": 1}):
            if key in ("parent", "created", "writer", "recipe_fp", "space_fp", "sources_fp", "recipe", "tables"):
                continue
            with pytest.raises(Damaged):
                parse_manifest(dump_checked({**body, key: wrong}), "m.json")


def test_a_newer_format_is_left_alone() -> None:
    newer = {"format": FORMAT + 1, "whatever": "it has by then"}
    with pytest.raises(NewerFormat, match=rf"format {FORMAT + 1}.*newer Ragbook") as error:
        parse_manifest(dump_checked(newer), "m.json")
    assert "m.json" in str(error.value)
    # Damage must not pass for a newer format.
    torn = dump_checked(newer).replace(b"whatever", b"Whatever")
    with pytest.raises(Damaged):
        parse_manifest(torn, "m.json")
    forged = SMALL.to_json().replace(b'"format": 1', b'"format": 9', 1)
    with pytest.raises(Damaged):
        parse_manifest(forged, "m.json")


@given(RECIPE)
def test_checked_objects_come_back(body: dict[str, Any]) -> None:
    body.pop("checksum", None)
    assert load_checked(dump_checked(body), "x.json") == body


def test_a_duplicate_key_changes_nothing_unseen() -> None:
    content = SMALL.to_json().decode()
    with pytest.raises(Damaged):
        parse_manifest(content.replace('"snapshot": 3', '"snapshot": 3, "snapshot": 4').encode(), "m.json")


def test_whole_floats_and_ints_are_the_same() -> None:
    assert parse_manifest(replace(SMALL, receipt=Receipt(seconds=2.0)).to_json(), "m").receipt.seconds == 2


def test_sizes_add_up() -> None:
    files = (PinnedFile("a", 3, ""), PinnedFile("b", 4, ""))
    tables = {"chunks": PinnedTable("c.lance", 1, 1, files), "sources": PinnedTable("s.lance", 1, 1, files[:1])}
    assert replace(SMALL, tables=tables).size == 10


def test_programs_without_codes_and_with_them_read_each_other() -> None:
    body = load_checked(SMALL.to_json(), "m")
    assert body["changes"] == [{"what": "embedder.model", "before": "a", "after": "b"}]
    del body["codes"]
    assert parse_manifest(dump_checked(body), "m") == SMALL


def test_a_manifest_holds_nothing_but_what_it_says() -> None:
    body = json.loads(SMALL.to_json())
    assert set(body) == {*asdict(SMALL), "codes", "checksum"}
    assert "ü" in SMALL.to_json().decode("utf-8")


def test_a_manifest_of_the_first_releases_does_not_say_what_it_was_built_from() -> None:
    built = replace(SMALL, state=17, registry=23)
    body = json.loads(built.to_json())
    assert (body["state"], body["registry"]) == (17, 23)
    assert parse_manifest(built.to_json(), "m") == built
    older = {name: value for name, value in body.items() if name not in ("state", "registry", "checksum")}
    assert parse_manifest(dump_checked(older), "m") == replace(built, state=None, registry=None)
    with pytest.raises(Damaged, match="reading its fields"):
        parse_manifest(dump_checked({**older, "state": "x"}), "m")
