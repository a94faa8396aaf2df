"""Every verdict an opening can come to, for nothing."""

from __future__ import annotations

import pytest

from rag.checked import dump_checked
from rag.errors import Cancelled, QuotaExceeded
from rag.manifest import VerdictName
from rag.storage.lease import lease
from rag.wording.changes import sentence
from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook, opened, settings, text_of


@pytest.fixture
def home(tmp_path):
    return tmp_path


@pytest.fixture
def built(home):
    book = notebook(home, CountingEmbedding())
    book.add([file("a.txt", text_of(3, 1)), file("b.txt", text_of(3, 2))])
    return book


def verdict(home, **changes):
    """The verdict of a notebook whose embedder raises; it must be free of charge."""
    status = notebook(settings(home, **changes)).status()
    receipt = status.verdict.receipt
    assert (receipt.calls, receipt.texts, receipt.canary_texts, receipt.tokens) == (0, 0, 0, 0)
    assert status.verdict.sentence.endswith(".")
    assert status.verdict.next_step
    return status.verdict


def test_empty_and_new(home):
    assert verdict(home).name is VerdictName.EMPTY
    book = notebook(home, CountingEmbedding())
    with pytest.raises(Cancelled):
        book.add([file("a.txt", "One."), file("b.txt", "Two.")], cancelled=iter([False, False, True]).__next__)
    found = verdict(home)
    assert found.name is VerdictName.NEW
    assert found.sentence.startswith("2 sources added")
    assert [sentence(change) for change in found.changes] == ["a.txt: added", "b.txt: added"]


def test_hit(home, built):
    found = verdict(home)
    assert (found.name, found.snapshot, found.where) == (VerdictName.HIT, 1, "disk")
    assert found.receipt.saved_texts == 6
    status = notebook(home).status()
    assert (status.counts.chunks, status.counts.sources, status.registered) == (6, 2, 2)
    assert status.recipe_fp == status.head.recipe_fp
    assert status.size_bytes > 0


def test_stale_names_what_changed_and_goes_away_when_it_is_undone(home, built):
    def interrupted(*incoming):
        calls = iter([False] * len(incoming))
        with pytest.raises(Cancelled):
            built.add(list(incoming), cancelled=lambda: next(calls, True))

    interrupted(file("c.txt", "New."), file("a.txt", "Changed."))
    found = verdict(home)
    assert found.name is VerdictName.STALE
    assert [sentence(change) for change in found.changes] == ["c.txt: added", "a.txt: changed"]
    assert "snapshot 1, which keeps answering" in found.sentence
    with pytest.raises(Cancelled):
        built.remove(["c.txt"], cancelled=lambda: True)
    undone = built.add([file("a.txt", text_of(3, 1))], cancelled=iter([False]).__next__)
    assert undone.verdict.name is VerdictName.UNCHANGED
    assert verdict(home).name is VerdictName.HIT


def test_other_recipe_names_each_choice(home, built):
    found = verdict(home, chunk_size=100, chunk_overlap=10, embed_model="other")
    assert found.name is VerdictName.OTHER_RECIPE
    assert [sentence(change) for change in found.changes] == [
        "embedding model: counting → other",
        "overlap of chunks, in tokens: 0 → 10",
        "size of chunks, in tokens: 48 → 100",
    ]
    assert "counting → other" in found.sentence
    assert found.snapshot == 1


def test_resumable_says_how_much_is_paid(home):
    model = CountingEmbedding(fail_at=15, error=QuotaExceeded("Enough."))
    with pytest.raises(QuotaExceeded):
        notebook(home, model, batch_size=3).add([file("a.txt", text_of(12))])
    found = verdict(home)
    assert found.name is VerdictName.RESUMABLE
    assert "6 of 12 texts" in found.sentence


def test_busy_names_the_builder_and_an_ended_one_is_none(home, built):
    with lease(built.place.folder, wait_seconds=0):
        found = verdict(home)
        assert found.name is VerdictName.BUSY
        assert "Snapshot 1 keeps answering" in found.sentence
    assert verdict(home).name is VerdictName.HIT


@pytest.mark.parametrize("damage", ["truncated", "empty", "one bit", "missing"])
def test_damage_to_any_file_of_the_snapshot_is_named(home, built, damage):
    head = built.history()[0]
    folder = built.place.folder
    paths = [folder / "manifests" / "00000001.json"]
    paths += [folder / table.path / one.path for table in head.tables.values() for one in table.files]
    for path in paths:
        content = path.read_bytes()
        if damage == "one bit" and path != paths[0]:
            continue  # found by the deep check only
        if damage == "missing":
            if path == paths[0]:
                continue  # the snapshot before it is then the newest
            path.unlink()
        elif damage == "one bit":
            path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        else:
            path.write_bytes(content[: len(content) // 2] if damage == "truncated" else b"")
        found = verdict(home)
        assert found.name is VerdictName.DAMAGED, path
        assert path.name in found.sentence
        assert "originals" in found.sentence
        path.write_bytes(content)
    assert verdict(home).name is VerdictName.HIT


def test_a_damaged_description_of_the_space_is_damage_and_the_snapshot_answers_by_words(home, built):
    (path,) = home.glob("default/spaces/*/space.json")
    path.write_bytes(path.read_bytes()[:50])
    found = verdict(home)
    assert found.name is VerdictName.DAMAGED
    assert "space.json" in found.sentence
    model = CountingEmbedding()
    answer = opened(notebook(home, model)).search("Entry 1-2")
    assert "1-2" in answer.passages[0].text
    assert "cannot be checked" in answer.notes[0]
    assert model.calls == 0


@pytest.mark.parametrize("where", ["manifests/00000002.json", "state/00000002.json"])
def test_newer_format(home, built, where):
    path = built.place.folder / where
    path.write_bytes(dump_checked({"format": 7}))
    found = verdict(home)
    assert found.name is VerdictName.NEWER_FORMAT
    assert path.name in found.sentence
    path.write_bytes(b'{"format": 7}')  # without its checksum it is damage, not a newer format
    assert verdict(home).name in (VerdictName.DAMAGED, VerdictName.HIT)


def test_unavailable(home, built):
    folder = built.place.folder / "manifests"
    folder.rename(folder.with_name("kept"))
    folder.symlink_to(folder)  # a folder that leads nowhere, as a lost mount does
    found = verdict(home)
    assert found.name is VerdictName.UNAVAILABLE
    assert "leads nowhere" in found.sentence
    folder.unlink()
    folder.with_name("kept").rename(folder)
    assert verdict(home).name is VerdictName.HIT
