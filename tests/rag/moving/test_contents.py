"""The list of contents of an archive, and the names that Ragbook writes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rag.checked import dump_checked, load_checked
from rag.errors import Damaged, NewerFormat
from rag.moving.contents import (
    ARCHIVE_FORMAT,
    CONTENTS,
    TAGS,
    Contents,
    Member,
    known_name,
    manifest_name,
    original_name,
    parse_contents,
    table_members,
)
from rag.storage import layout
from tests.notebooks import notebook

DIGEST = "ab" * 32
LIST = Contents("main", "Größe", 7, "2026-01-01T00:00:00Z", (Member("a", 3, DIGEST), Member("b", 0, DIGEST)))


def changed(**fields: Any) -> bytes:
    return dump_checked(load_checked(LIST.to_json(), CONTENTS) | fields)


def test_what_is_written_is_read() -> None:
    assert parse_contents(LIST.to_json()) == LIST
    assert parse_contents(replace(LIST, members=()).to_json()).members == ()


@pytest.mark.parametrize("at", range(0, len(LIST.to_json()), 17))
def test_no_changed_byte_passes(at: int) -> None:
    raw = bytearray(LIST.to_json())
    raw[at] ^= 1
    with pytest.raises(Damaged):
        parse_contents(bytes(raw))


@pytest.mark.parametrize(
    "fields",
    [
        {"slug": None},
        {"title": 3},
        {"snapshot": "7"},
        {"snapshot": True},
        {"created": []},
        {"members": None},
        {"members": ["a"]},
        {"members": [{"name": "a", "size": 3}]},
        {"members": [{"name": "a", "size": 3.5, "sha256": DIGEST}]},
        {"members": [{"name": "a", "size": 1, "sha256": DIGEST}] * 2},
        {"archive": None},
        {"archive": 0},
        {"archive": "1"},
    ],
    ids=str,
)
def test_fields_of_a_wrong_kind_are_damage(fields: dict[str, Any]) -> None:
    with pytest.raises(Damaged, match=CONTENTS):
        parse_contents(changed(**fields))


def test_a_newer_format_is_told_even_where_nothing_else_is_known() -> None:
    newer = dump_checked({"archive": ARCHIVE_FORMAT + 1, "format": 1})
    with pytest.raises(NewerFormat, match=f"format {ARCHIVE_FORMAT + 1}"):
        parse_contents(newer)


@pytest.mark.parametrize(
    "name",
    [
        CONTENTS,
        TAGS,
        original_name(DIGEST),
        manifest_name(12),
        layout.space_description("0" * 16),
        "spaces/0123456789abcdef/vectors.bin",
        f"notebook/cells/{'0' * 32}.json",
        "notebook/sources.lance/data/a-b_c.lance",
        "notebook/index/0123456789abcdef/chunks.lance/_versions/1.manifest",
        "notebook/index/0123456789abcdef-12/chunks.lance/_deletions/1.arrow",
        f"notebook/index/0123456789abcdef/chunks.lance/_indices/{'0' * 8}-0000-0000-0000-{'0' * 12}/metadata.lance",
    ],
)
def test_names_that_ragbook_writes(name: str) -> None:
    assert known_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ragbook.json/",
        "./ragbook.json",
        original_name(DIGEST).upper(),
        "originals/ab/../ab",
        "notebook/manifests/1.json",
        "notebook/tags/00000002.json",
        "notebook/state/00000001.json",
        "notebook/sources.lance/data/.hidden",
        "notebook/sources.lance/data/a/b",
        "notebook/sources.lance/other/a",
        "notebook/index/0123456789abcdef-1234/chunks.lance/data/a",
        f"notebook/sources.lance/data/{'a' * 201}",
        TAGS + "\n",
    ],
)
def test_names_that_it_does_not(name: str) -> None:
    assert not known_name(name)


def test_every_file_of_the_tables_is_a_member_that_is_known(book: Any) -> None:
    manifest = book.history()[0]
    members = table_members(manifest)
    assert len(members) == sum(len(table.files) for table in manifest.tables.values()) > 0
    for name, (size, sha256) in members.items():
        assert known_name(name)
        path = book.place.folder / name.removeprefix("notebook/")
        assert (path.stat().st_size, len(sha256)) == (size, 64)
    assert notebook(book.config).status().verdict.name == "HIT"
