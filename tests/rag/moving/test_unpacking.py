"""Archives that anybody may have made: what their list of members says is checked before a byte is written."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from rag.errors import AlreadyExists, Damaged, NotFound, SourceTooLarge, StoreError
from rag.moving.contents import CONTENTS, original_name
from rag.moving.packing import Packing
from rag.moving.unpacking import open_archive
from tests.rag.moving.archives import put_together, sealed, taken_apart

MANIFEST = "notebook/manifests/00000001.json"
SPACE = "spaces/0123456789abcdef/vectors.bin"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """An archive of two members; nothing but its list is looked at here."""
    with Packing(tmp_path / "small.zip") as packing:
        packing.add_bytes(MANIFEST, b"manifest")
        packing.add_bytes(SPACE, b"vectors" * 1000)
        packing.finish("main", "Title", 1, "2026-01-01T00:00:00Z")
    return tmp_path / "small.zip"


def refused(archive: Path, kind: type[Exception] = Damaged) -> str:
    with pytest.raises(kind) as told, open_archive(archive):
        pytest.fail("opened all the same")
    assert str(told.value).endswith((".", "!"))
    return str(told.value)


def test_a_good_archive_tells_what_is_in_it(small: Path, tmp_path: Path) -> None:
    with open_archive(small) as archive:
        assert (archive.contents.slug, archive.contents.snapshot) == ("main", 1)
        assert archive.names() == [MANIFEST, SPACE]
        assert archive.names("spaces/") == [SPACE]
        assert archive.size == 7008
        archive.unpack(SPACE, tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == b"vectors" * 1000
        with pytest.raises((AlreadyExists, StoreError, FileExistsError)):
            archive.unpack(SPACE, tmp_path / "out")


def test_a_member_is_checked_while_it_is_written(small: Path, tmp_path: Path) -> None:
    members = taken_apart(small)
    put_together(members | {SPACE: b"VECTORS" * 1000}, tmp_path / "bad.zip")
    with open_archive(tmp_path / "bad.zip") as archive, pytest.raises(Damaged, match=r"vectors\.bin is not what"):
        archive.unpack(SPACE, tmp_path / "out")


def test_bytes_that_break_in_the_middle_are_named(small: Path, tmp_path: Path) -> None:
    packed = put_together(taken_apart(small), tmp_path / "bad.zip", zipfile.ZIP_DEFLATED)
    raw = bytearray(packed.read_bytes())
    at = raw.index(SPACE.encode()) + len(SPACE) + 4
    raw[at : at + 8] = b"\xff" * 8
    packed.write_bytes(raw)
    with open_archive(packed) as archive, pytest.raises(Damaged, match=r"vectors\.bin"):
        archive.unpack(SPACE, tmp_path / "out")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_odd_compression_is_refused(small: Path, tmp_path: Path, compression: int) -> None:
    assert "does not read" in refused(put_together(taken_apart(small), tmp_path / "bad.zip", compression))


def test_a_list_of_contents_of_gigabytes_is_not_read(small: Path, tmp_path: Path) -> None:
    put_together(taken_apart(small), tmp_path / "bad.zip")
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as made:
        made.writestr(MANIFEST, b"x")
        with made.open(CONTENTS, "w") as target:
            for _ in range(65):
                target.write(bytes(1 << 20))
    assert "is too long" in refused(tmp_path / "bad.zip")


def test_a_list_that_lies_about_sizes_and_names(small: Path, tmp_path: Path) -> None:
    members = taken_apart(small)
    original = original_name("ab" * 32)
    longer = put_together(members | {SPACE: b"vectors" * 999}, tmp_path / "size.zip")
    assert "has another size" in refused(longer)
    named = put_together(sealed(members | {original: b"not of that digest"}), tmp_path / "name.zip")
    assert "is not what its name says" in refused(named)
    without = put_together({name: content for name, content in members.items() if name != SPACE}, tmp_path / "w.zip")
    assert f"{SPACE} is missing" in refused(without)
    more = put_together(members | {original: b"x"}, tmp_path / "more.zip")
    assert "not in its list" in refused(more)
    nothing = {name: content for name, content in members.items() if name != CONTENTS}
    assert f"has no {CONTENTS}" in refused(put_together(nothing, tmp_path / "none.zip"))


def test_a_directory_that_points_out_of_the_file(small: Path, tmp_path: Path) -> None:
    raw = bytearray(small.read_bytes())
    end = raw.rindex(b"PK\5\6")
    raw[end:end] = b"PK\6\7" + bytes(4) + (1 << 40).to_bytes(8, "little") + bytes(4)
    (tmp_path / "bad.zip").write_bytes(raw)
    assert "not a zip file" in refused(tmp_path / "bad.zip")


@pytest.mark.parametrize("field", [42, 46])
def test_members_that_lie_elsewhere_are_damage(small: Path, tmp_path: Path, field: int) -> None:
    """The place of a member in the file, and what comes after."""
    raw = bytearray(small.read_bytes())
    at = raw.index(b"PK\1\2")
    raw[at + field : at + field + 4] = b"\xff\xff\xff\x7f"
    (tmp_path / "bad.zip").write_bytes(raw)
    with pytest.raises(Damaged), open_archive(tmp_path / "bad.zip") as archive:
        archive.unpack(MANIFEST, tmp_path / "out")


def test_what_is_no_file_and_what_is_no_zip(tmp_path: Path) -> None:
    assert "Check the path" in refused(tmp_path / "none.zip", NotFound)
    assert "Check the path" in refused(tmp_path, NotFound)
    (tmp_path / "text").write_text("PK is how an archive begins")
    assert "Get the archive again" in refused(tmp_path / "text")


def test_claims_beyond_all_limits_are_refused_before_anything_is_read(small: Path, tmp_path: Path) -> None:
    raw = bytearray(small.read_bytes())
    end = raw.rindex(b"PK\5\6")
    raw[end + 12 : end + 16] = (65 << 20).to_bytes(4, "little")  # of the directory
    (tmp_path / "bad.zip").write_bytes(raw)
    refused(tmp_path / "bad.zip", SourceTooLarge)
