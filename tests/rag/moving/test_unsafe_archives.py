"""Archives that somebody made with bad intent, or that broke on the way: a sentence, and nothing left behind."""

from __future__ import annotations

import contextlib
import random
import resource
import shutil
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rag.checked import dump_checked
from rag.errors import Damaged, NewerFormat, NotFound, RagbookError, SourceTooLarge, StoreError
from rag.moving import unpacking
from rag.moving.contents import CONTENTS
from rag.moving.export import export_notebook
from rag.moving.importing import import_notebook
from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook, settings, text_of
from tests.rag.moving.archives import edited, everything_below, put_together, sealed, taken_apart

REGULAR = (stat.S_IFREG | 0o600) << 16


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that has another notebook."""
    home = tmp_path_factory.mktemp("other") / "home"
    notebook(home, CountingEmbedding(dimensions=16), slug="old").add([file("x.txt", text_of(2, 8))])
    return home


@pytest.fixture
def home(other: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(other, tmp_path / "home")
    return tmp_path / "home"


def refused(home: Path, archive: Path, kind: type[RagbookError] = Damaged) -> str:
    """The sentence of a refusal that left the home, and the place of a home that is not there yet, as they were."""
    before = everything_below(home)
    with pytest.raises(kind) as caught:
        import_notebook(settings(home), archive, "taken")
    assert everything_below(home) == before
    fresh = home.parent / "fresh" / "home"
    with pytest.raises(kind):
        import_notebook(settings(fresh), archive, "taken")
    assert not fresh.parent.exists()
    sentence = str(caught.value)
    assert sentence[-1] in ".!"
    assert "Traceback" not in sentence
    return sentence


def test_a_good_archive_packed_again_is_taken(good: Path, tmp_path: Path) -> None:
    """The tests below change one thing each; without a change there is no refusal, compressed or not."""
    for number, compression in enumerate((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)):
        again = put_together(sealed(taken_apart(good)), tmp_path / "again.zip", compression)
        assert import_notebook(settings(tmp_path / "home"), again, f"n{number}").chunks == 12


@pytest.mark.parametrize(
    "name",
    [
        "../evil.txt",
        "notebook/../../evil.txt",
        "/etc/evil.txt",
        "C:/evil.txt",
        "..\\evil.txt",
        "notebook/cells/../../../../evil.json",
        "originals/ab/../../../evil",
    ],
)
def test_names_that_lead_out_are_refused(good: Path, home: Path, tmp_path: Path, name: str) -> None:
    """Whether the list of contents names them or not."""
    for seal in (sealed, lambda members: members):
        members = seal(taken_apart(good) | {name: b"evil"})
        assert "unsafe name" in refused(home, put_together(members, tmp_path / "bad.zip"))
    assert not list(tmp_path.rglob("evil*"))


def test_a_name_that_ends_early_is_refused(good: Path, home: Path, tmp_path: Path) -> None:
    """A NUL in a name makes two programs see two names."""
    put_together(sealed(taken_apart(good) | {"originals/xxNUL/../evil": b"evil"}), tmp_path / "bad.zip")
    raw = (tmp_path / "bad.zip").read_bytes().replace(b"originals/xxNUL/../evil", b"originals/xx\0UL/../evil")
    (tmp_path / "bad.zip").write_bytes(raw)
    refused(home, tmp_path / "bad.zip")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFDIR])
def test_links_and_devices_are_refused(good: Path, home: Path, tmp_path: Path, kind: int) -> None:
    """A member under a name that Ragbook writes, but which is no file."""
    members = taken_apart(good)
    original = next(name for name in members if name.startswith("originals/"))
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as made:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (kind | 0o777) << 16 if name == original else REGULAR
            made.writestr(entry, b"/etc/passwd" if name == original else content)
    assert "not a file" in refused(home, tmp_path / "bad.zip")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_doubles_are_refused(good: Path, home: Path, tmp_path: Path) -> None:
    """Two members of one name: which one counts would depend on the program."""
    members = taken_apart(good)
    with zipfile.ZipFile(put_together(members, tmp_path / "bad.zip"), "a") as made:
        made.writestr(CONTENTS, members[CONTENTS])
    assert "twice" in refused(home, tmp_path / "bad.zip")


def test_encrypted_members_are_refused(good: Path, home: Path, tmp_path: Path) -> None:
    """One of them is enough, whatever its name."""
    raw = bytearray(put_together(sealed(taken_apart(good)), tmp_path / "bad.zip").read_bytes())
    at = raw.index(b"PK\1\2")
    while at >= 0:
        locked = bytearray(raw)
        locked[at + 8] |= 1
        (tmp_path / "bad.zip").write_bytes(locked)
        assert "is encrypted" in refused(home, tmp_path / "bad.zip")
        at = raw.find(b"PK\1\2", at + 4)


@contextlib.contextmanager
def files_no_longer_than(size: int) -> Iterator[None]:
    """As on a full disk: the system refuses to write more than `size` bytes into any file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 300, 1_500, 4_000])
def test_a_disk_that_fills_up_half_way_keeps_nothing_of_the_archive(
    good: Path, home: Path, tmp_path: Path, size: int
) -> None:
    with files_no_longer_than(size):
        refused(home, good, StoreError)
    assert import_notebook(settings(home), good, "taken").chunks == 12


@pytest.mark.parametrize("size", [0, 300, 4_000])
def test_a_disk_that_fills_up_half_way_leaves_no_part_of_an_archive(good: Path, tmp_path: Path, size: int) -> None:
    import_notebook(settings(tmp_path / "home"), good, "main")
    book = notebook(tmp_path / "home", CountingEmbedding(dimensions=16))
    (tmp_path / "out").mkdir()
    with files_no_longer_than(size), pytest.raises(RagbookError) as told:
        export_notebook(book, tmp_path / "out" / "part.zip")
    assert str(told.value).endswith(".")
    assert list((tmp_path / "out").iterdir()) == []
    export_notebook(book, tmp_path / "out" / "whole.zip")
    assert import_notebook(settings(tmp_path / "home"), tmp_path / "out" / "whole.zip", "again").chunks == 12


def test_bombs_are_refused_before_anything_is_unpacked(good: Path, home: Path, tmp_path: Path) -> None:
    """By ratio; by the sizes it claims; by the number of members; by members that lie over each other."""
    name = f"originals/ab/{'ab' * 32}"
    packed = put_together(sealed(taken_apart(good) | {name: bytes(80 << 20)}), tmp_path / "r.zip", zipfile.ZIP_DEFLATED)
    assert packed.stat().st_size < 1 << 20
    assert "expand" in refused(home, packed, SourceTooLarge)

    raw = bytearray(put_together(sealed(taken_apart(good)), tmp_path / "big.zip").read_bytes())
    at = raw.index(b"PK\1\2")
    raw[at + 20 : at + 28] = struct.pack("<LL", 0xFFFFFFF0, 0xFFFFFFF0)
    (tmp_path / "big.zip").write_bytes(raw)
    assert "lie over" in refused(home, tmp_path / "big.zip")

    raw = bytearray(good.read_bytes())
    end = raw.rindex(b"PK\5\6")
    raw[end + 12 : end + 16] = struct.pack("<L", 1 << 30)
    (tmp_path / "list.zip").write_bytes(raw)
    refused(home, tmp_path / "list.zip", RagbookError)

    raw = bytearray(put_together({"x": b""}, tmp_path / "many.zip").read_bytes())
    end = raw.rindex(b"PK\5\6")
    raw[end + 8 : end + 16] = struct.pack("<HHL", 0xFFFF, 0xFFFF, 0xFFFFFFFF)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 10**7, 10**7, 10**9, 0)
    (tmp_path / "many.zip").write_bytes(raw[:end] + end64 + locator + raw[end:])
    assert f"{unpacking.MAX_MEMBERS:,}" in refused(home, tmp_path / "many.zip", SourceTooLarge)


def test_what_is_missing_or_too_much_is_named(good: Path, home: Path, tmp_path: Path) -> None:
    """Each member in turn is taken away: with the list of contents as it was, and with one that fits."""
    members = taken_apart(good)
    for name in members:
        rest = {other: content for other, content in members.items() if other != name}
        refused(home, put_together(rest, tmp_path / "bad.zip"))
        optional = name.endswith("vectors.bin") or "/cells/" in name or name == CONTENTS
        if not optional:
            refused(home, put_together(sealed(rest), tmp_path / "bad.zip"))
    extra = f"originals/ab/{'ab' * 32}"
    assert extra in refused(home, put_together(members | {extra: b"x"}, tmp_path / "bad.zip"))
    assert extra in refused(home, put_together(sealed(members | {extra: b"x"}), tmp_path / "bad.zip"))
    assert "never writes" in refused(home, put_together(sealed(members | {"run.sh": b"x"}), tmp_path / "bad.zip"))
    assert "never writes" in refused(home, put_together(sealed(members | {"a.pkl": b"x"}), tmp_path / "bad.zip"))


def test_a_changed_byte_in_any_member_is_noticed(good: Path, home: Path, tmp_path: Path) -> None:
    """With the zip's own CRC made to fit; the SHA-256 in the list of contents does not."""
    members = taken_apart(good)
    for name, content in members.items():
        at = len(content) // 2
        changed = content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]
        refused(home, put_together(members | {name: changed}, tmp_path / "bad.zip"))


def test_a_list_of_contents_that_fits_does_not_help(good: Path, home: Path, tmp_path: Path) -> None:
    """Tables are checked against the manifest, originals against their names, sources against both."""
    members = taken_apart(good)
    for name, content in members.items():
        if name == CONTENTS or name.endswith("vectors.bin"):
            continue
        changed = content[:-1] + bytes([content[-1] ^ 4])
        refused(home, put_together(sealed(members | {name: changed}), tmp_path / "bad.zip"))


@pytest.mark.parametrize(
    ("ending", "change"),
    [
        ("00000001.json", lambda body: body.update(snapshot=2)),
        ("00000001.json", lambda body: body.update(recipe_fp="0" * 64)),
        ("00000001.json", lambda body: body.update(space_fp="0" * 64)),
        ("00000001.json", lambda body: body.update(sources_fp="0" * 64)),
        ("00000001.json", lambda body: body["counts"].update(chunks=7)),
        ("00000001.json", lambda body: body["tables"].pop("sources")),
        ("00000001.json", lambda body: body["tables"].update(more=body["tables"]["chunks"])),
        ("00000001.json", lambda body: body["tables"]["chunks"].update(path="../../../evil.lance")),
        ("00000001.json", lambda body: body["tables"]["chunks"].update(path="sources.lance")),
        ("00000001.json", lambda body: body["tables"]["chunks"].update(version=1)),
        ("00000001.json", lambda body: body["tables"]["chunks"].update(rows="many")),
        ("00000001.json", lambda body: body["tables"]["chunks"]["files"].pop()),
        ("00000001.json", lambda body: body["recipe"].update(embedder=[])),
        ("00000001.json", lambda body: body.update(tables=[])),
        ("00000001.json", lambda body: body.update(state=7)),
        ("00000001.json", lambda body: body.update(registry=99)),
        ("space.json", lambda body: body["canary"].update(text_vectors="AAAA")),
        ("space.json", lambda body: body["space"].update(dimensions=17)),
        ("space.json", lambda body: body.pop("canary")),
    ],
)
def test_lies_in_json_are_noticed(
    good: Path, home: Path, tmp_path: Path, ending: str, change: Callable[[dict[str, Any]], object]
) -> None:
    """Every checksum fits; what the parts say of each other does not."""
    refused(home, put_together(edited(taken_apart(good), ending, change), tmp_path / "bad.zip"))


@pytest.mark.parametrize(
    "tags",
    [{"0" * 32: ["tax"]}, {"a": ["\u202etax"]}, {"a": "tax"}, {"a": ["x" * 41]}, {"a": list("abcdefghijklmnopqrst0")}],
    ids=["of nobody", "unseen", "no list", "long", "many"],
)  # fmt: skip
def test_tags_nobody_could_have_given_are_refused(good: Path, home: Path, tmp_path: Path, tags: Any) -> None:
    """The id `a` stands for one of a source in the archive."""
    members = taken_apart(good)
    import_notebook(settings(tmp_path / "elsewhere"), good, "taken")
    known = notebook(tmp_path / "elsewhere", slug="taken").sources()[0].source_id
    if isinstance(tags, dict):
        tags = {known if one == "a" else one: given for one, given in tags.items()}
    body = dump_checked({"format": 1, "number": 1, "tags": tags})
    refused(home, put_together(sealed(members | {"notebook/tags/00000001.json": body}), tmp_path / "bad.zip"))
    refused(home, put_together(sealed(members | {"notebook/tags/00000002.json": body}), tmp_path / "bad.zip"))
    body = dump_checked({"format": 1, "number": 1, "tags": {known: ["tax"]}})
    whole = put_together(sealed(members | {"notebook/tags/00000001.json": body}), tmp_path / "good.zip")
    import_notebook(settings(home), whole, "taken")
    assert notebook(home, slug="taken").tags() == {known: ("tax",)}


def test_vectors_that_are_none_are_refused(good: Path, home: Path, tmp_path: Path) -> None:
    """Not finite, not of length 1, or cut off: none of it gets into the vector cache."""
    members = taken_apart(good)
    name = next(name for name in members if name.endswith("vectors.bin"))
    for bad in (
        members[name][:-4] + struct.pack("<f", float("nan")),
        members[name][:-4] + struct.pack("<f", 3.0),
        members[name][:-1],
    ):
        refused(home, put_together(sealed(members | {name: bad}), tmp_path / "bad.zip"))


def test_newer_formats_are_not_touched(good: Path, home: Path, tmp_path: Path) -> None:
    """Of the archive, of the manifest in it, of the space."""
    members = taken_apart(good)
    newer = put_together(sealed(members, archive=2), tmp_path / "bad.zip")
    assert "newer Ragbook" in refused(home, newer, NewerFormat)
    for ending in ("00000001.json", "space.json"):
        newer = put_together(edited(members, ending, lambda body: body.update(format=99)), tmp_path / "bad.zip")
        assert "99" in refused(home, newer, NewerFormat)


@pytest.mark.parametrize("field", ["slug", "title", "snapshot", "created", "members"])
@pytest.mark.parametrize("value", [None, 7.5, [], {}, "../up"])
def test_contents_of_the_wrong_kind_are_refused(
    good: Path, home: Path, tmp_path: Path, field: str, value: object
) -> None:
    """Any field, any kind; a name for the notebook that leads out is no name."""
    from rag.checked import dump_checked, load_checked

    members = taken_apart(good)
    body = load_checked(members[CONTENTS], CONTENTS) | {field: value}
    bad = put_together(members | {CONTENTS: dump_checked(body)}, tmp_path / "bad.zip")
    if field in ("title", "created", "slug") and value == "../up":
        if field == "slug":
            with pytest.raises(Damaged):
                import_notebook(settings(home), bad)
        return
    refused(home, bad)


def test_what_is_no_zip_is_said_to_be_none(good: Path, home: Path, tmp_path: Path) -> None:
    """Empty, text, an archive cut off anywhere, another zip; a folder and nothing at all."""
    raw = good.read_bytes()
    for content in (b"", b"hello", b"PK\5\6", raw[:100], raw[: len(raw) // 2], raw[:-1], raw[200:], b"PK\3\4" * 9000):
        (tmp_path / "bad.zip").write_bytes(content)
        refused(home, tmp_path / "bad.zip")
    assert "not an archive of Ragbook" in refused(home, put_together({"x.txt": b"x"}, tmp_path / "x.zip"))
    refused(home, put_together({}, tmp_path / "nothing.zip"))
    for path in (tmp_path, tmp_path / "missing.zip"):
        refused(home, path, NotFound)


def test_random_damage_never_passes_unseen(good: Path, tmp_path: Path) -> None:
    """Bytes changed at random: refused with a sentence, or unchanged in all that counts."""
    raw = good.read_bytes()
    chance = random.Random(7)
    home = tmp_path / "home"
    taken = 0
    for number in range(60):
        damaged = bytearray(raw)
        for _ in range(chance.choice((1, 3, 30))):
            # Half of them into the zip's directory, which is where a parser breaks.
            low = len(raw) - 6000 if chance.random() < 0.5 else 0
            damaged[chance.randrange(low, len(raw))] = chance.randrange(256)
        (tmp_path / "bad.zip").write_bytes(damaged)
        try:
            imported = import_notebook(settings(home), tmp_path / "bad.zip", f"n{number}")
        except RagbookError:
            assert not (home / f"default/notebooks/n{number}").exists()
        else:
            taken += 1
            assert imported.chunks == 12
    assert taken < 30
    assert not list(home.rglob(".tmp-*"))
