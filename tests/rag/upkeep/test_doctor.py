"""The doctor beyond single damaged files: what it costs, what it refuses, what it puts together again."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace

import lancedb
import pytest

from rag.asking.opening import open_snapshot
from rag.checked import dump_checked
from rag.errors import Damaged, RagbookError, SpaceRefused
from rag.fingerprint import fingerprint
from rag.home.pinned import PinnedFiles
from rag.home.pinning import pin
from rag.manifest import VerdictName
from rag.storage.aside import set_aside
from rag.storage.digests import file_sha256
from rag.storage.lease import lease
from rag.tables.chunk_table import ChunkTable
from rag.upkeep.doctor import examine
from rag.upkeep.repair_costs import repair_plan
from rag.upkeep.repairs import repair
from tests.doubles import CountingEmbedding
from tests.notebooks import answered, file, hits, notebook, opened, text_of, total_chunks

QUESTION = "lantern and harbour"


@pytest.fixture
def book(tmp_path):
    made = notebook(tmp_path, CountingEmbedding())
    made.add([file("a.txt", text_of(4, 1)), file("b.txt", text_of(3, 2))])
    return made


def codes(book, **how):
    return [one.code for one in examine(book.place, book.config, **how).findings]


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_healthy_notebook_has_no_findings(book):
    for deep in (False, True):
        found = examine(book.place, book.config, deep=deep)
        assert found.findings == ()
        assert found.healthy
        assert found.checked["originals"] == 2
        assert found.checked["chunks"] == found.checked["cached vectors"] == 7
        assert found.checked["hashed"] == found.checked["files"] >= 5
    assert repair_plan(book.place, book.config, found).sentence == "There is nothing to repair."
    assert repair(book.place, book.config, book.make_embedder).done == ()


def test_an_empty_home_has_no_findings(tmp_path):
    empty = notebook(tmp_path / "nothing")
    assert codes(empty, deep=True) == []
    assert not (tmp_path / "nothing").exists()


def test_what_no_copy_holds_is_paid_for_again_and_said_before(book):
    root = book.place.objects.root
    shutil.rmtree(next(root.glob("spaces/*/vectors.lance")))
    for path in book.place.folder.glob("index/*/chunks.lance/data/*"):
        path.unlink()
    planned = repair_plan(book.place, book.config, examine(book.place, book.config, deep=True))
    assert planned.texts == 7
    assert planned.tokens > 100
    assert planned.cost_usd is None  # the double stands for a server of unknown price
    assert planned.sentence.startswith("7 texts (")
    model = CountingEmbedding()
    done = repair(book.place, book.config, notebook(book.place.objects.root.parent, model).make_embedder)
    assert done.outcome.verdict.name is VerdictName.RECOVERED
    assert total_chunks(model) == 7
    assert book.status().verdict.name is VerdictName.HIT


def test_the_cache_is_filled_from_the_index_at_no_cost(book):
    shutil.rmtree(next(book.place.objects.root.glob("spaces/*/vectors.lance")))
    assert codes(book) == ["cache-damaged"]
    quiet = notebook(book.place.objects.root.parent)  # raises if a text is embedded
    assert repair(quiet.place, quiet.config, quiet.make_embedder).left == ()
    assert book.spaces()[0]["vectors"] == 7
    quiet.remove(["a.txt"])
    assert quiet.add([file("a.txt", text_of(4, 1))]).verdict.receipt.calls == 0


def test_the_headings_are_part_of_what_was_sent(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    text = "# Harvest\n\n" + text_of(3, 1) + "\n## Storage\n\n" + text_of(3, 2)
    book.add([file("a.md", text)])
    shutil.rmtree(next(book.place.objects.root.glob("spaces/*/vectors.lance")))
    quiet = notebook(tmp_path)
    repair(quiet.place, quiet.config, quiet.make_embedder)
    quiet.remove(["a.md"])
    assert quiet.add([file("a.md", text)]).verdict.receipt.calls == 0


def test_a_changed_model_does_not_become_the_canary_of_a_lost_space(book):
    next(book.place.objects.root.glob("spaces/*/space.json")).unlink()
    other = notebook(book.place.objects.root.parent, CountingEmbedding(seed=1))
    with pytest.raises(Damaged, match="doctor --repair"):
        other.add([file("c.txt", text_of(2, 5))])
    with pytest.raises(SpaceRefused, match="another one"):
        repair(other.place, other.config, other.make_embedder)
    assert "by words only" in opened(other).search(QUESTION).notes[0]
    repair(book.place, book.config, book.make_embedder)
    assert opened(book).search(QUESTION).notes == ()


def test_the_list_of_sources_is_proved_from_names_and_bytes_when_all_of_it_is_gone(book):
    book.add([file("b.txt", text_of(4, 2)), file("c.txt", text_of(2, 3))])
    book.keep_cell(answered(book, QUESTION))
    before, state = hits(opened(book).search(QUESTION)), book.place.states.newest()
    shutil.rmtree(book.place.registry.path)
    assert "registry-damaged" in codes(book)
    quiet = notebook(book.place.objects.root.parent)
    done = repair(quiet.place, quiet.config, quiet.make_embedder)
    assert "a.txt, b.txt, c.txt" in " ".join(done.done)
    assert quiet.place.states.newest().sources_fp == state.sources_fp
    assert hits(opened(book).search(QUESTION)) == before


def test_names_that_nothing_tells_are_said_to_be_lost_and_no_original_goes(book):
    book.add([file("b.txt", text_of(4, 2))])
    shutil.rmtree(book.place.registry.path)
    shutil.rmtree(book.place.folder / "index")
    originals = sorted((book.place.objects.root / "originals").glob("*/*"))
    with pytest.raises(Damaged, match="Add the files again"):
        repair(book.place, book.config, book.make_embedder)
    assert sorted((book.place.objects.root / "originals").glob("*/*")) == originals


def test_a_damaged_original_is_moved_aside_and_adding_it_again_heals(book):
    path = book.place.originals.path(book.sources()[0].digest)
    flip(path)
    assert codes(book) == []
    assert codes(book, deep=True) == ["original-damaged"]
    done = repair(book.place, book.config, book.make_embedder)
    assert [one.code for one in done.left] == ["original-missing"]
    assert path.with_name(path.name + ".damaged").is_file()
    assert book.add([file("a.txt", text_of(4, 1))]).verdict.name is VerdictName.UNCHANGED
    assert codes(book, deep=True) == []


def test_a_damaged_original_is_not_built_from(book):
    path = book.place.originals.path(book.sources()[0].digest)
    flip(path)
    shutil.rmtree(book.place.folder / "index")
    outcome = book.build()
    assert [name for name, _ in outcome.failures] == ["a.txt"]
    assert "Add the file again" in outcome.failures[0][1]
    again = book.add([file("a.txt", text_of(4, 1))])
    assert (again.failures, again.chunks.total, again.chunks.embedded) == ((), 7, 0)


def test_only_a_deep_look_reads_more_than_the_budget(book):
    manifest = book.place.snapshots.get(1)
    path = next(book.place.folder.glob("index/*/chunks.lance/data/*"))
    flip(path)
    assert PinnedFiles(book.place, 0).first(manifest) is None
    assert "SHA-256" in PinnedFiles(book.place).first(manifest)
    for deep in (False, True):
        with pytest.raises(Damaged, match="SHA-256"):
            open_snapshot(book, deep=deep)


def test_an_older_state_keeps_its_title_and_says_what_is_lost(book):
    book.rename("Harbour")
    book.add([file("c.txt", text_of(2, 3))])
    newest = sorted(book.place.folder.glob("state/*.json"))[-1]
    newest.write_bytes(b"")
    assert book.status().verdict.name is VerdictName.DAMAGED
    assert notebook(book.place.objects.root.parent).build().verdict.name is VerdictName.UNCHANGED
    assert book.title == "Harbour"
    assert {row.name for row in book.sources()} == {"a.txt", "b.txt", "c.txt"}
    assert book.status().verdict.name is VerdictName.HIT


def test_leftovers_are_listed_and_go_with_a_repair_once_they_are_old(book):
    root = book.place.objects.root
    stray = [root / "originals" / ".tmp-1", book.place.folder / "index" / "0" / "chunks.lance" / "data" / "x.lance"]
    for path in stray:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"rest")
    assert codes(book) == []
    for path in stray:
        os.utime(path, (1, 1))
    found = examine(book.place, book.config)
    assert [one.code for one in found.findings] == ["leftovers"]
    assert len(found.findings[0].files) == 2
    assert found.healthy
    repair(book.place, book.config, book.make_embedder)
    assert not any(path.exists() for path in stray)
    assert opened(book).search(QUESTION).passages


def test_a_running_build_is_told_and_waited_for(book):
    with lease(book.place.folder, wait_seconds=0):
        assert "build-running" in codes(book)
        with pytest.raises(RagbookError, match="is building"):
            repair(book.place, book.config, book.make_embedder)


def forged(book, change):
    """A head whose chunk table was changed by `change` and pinned as it is now: every file has its SHA-256."""
    head = book.history()[0]
    pinned = head.tables["chunks"]
    path = book.place.folder / pinned.path
    change(lancedb.connect(str(path.parent)).open_table("chunks"))
    version = ChunkTable.open(path.parent, "chunks").version
    changed = replace(head, tables={**head.tables, "chunks": pin(book.place, path, version, pinned.rows, None)})
    (book.place.objects.root / book.place.snapshots.name(head.snapshot)).write_bytes(changed.to_json())


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("rows-wrong", lambda table: table.delete("ordinal = 0")),
        ("vectors-wrong", lambda table: table.update("ordinal = 0", {"vector": [3.0] * 64})),
        ("vectors-wrong", lambda table: table.update("ordinal = 0", {"vector": [1e39] * 64})),
        ("sources-wrong", lambda table: table.update("ordinal = 0", {"source_id": "0" * 32})),
    ],
)
def test_wrong_content_with_right_checksums_is_found_and_built_again_for_nothing(book, code, change):
    right = hits(opened(book).search(QUESTION))
    forged(book, change)
    found = examine(book.place, book.config)
    assert [one.code for one in found.findings if one.severity == "damage"] == [code]
    assert repair_plan(book.place, book.config, found).texts == 0
    model = CountingEmbedding()
    again = notebook(book.place.objects.root.parent, model)
    done = repair(again.place, again.config, again.make_embedder)
    assert done.outcome.verdict.name is VerdictName.RECOVERED
    assert model.texts == 0
    assert hits(opened(again).search(QUESTION)) == right
    assert not [one for one in examine(book.place, book.config, deep=True).findings if one.severity == "damage"]
    assert again.status().verdict.name is VerdictName.HIT


def manifest_with(book, number, **fields):
    path = book.place.objects.root / book.place.snapshots.name(number)
    path.write_bytes(replace(book.place.snapshots.get(number), **fields).to_json())


def test_vectors_of_another_space_are_found(book):
    head = book.history()[0]
    embedder = {**head.recipe["embedder"], "model": "another"}
    manifest_with(book, 1, recipe={**head.recipe, "embedder": embedder}, space_fp=fingerprint(embedder))
    assert "vectors-foreign" in codes(book)
    with pytest.raises(Damaged, match="another embedding space"):
        opened(book)


def test_a_broken_chain_is_found(book):
    book.add([file("c.txt", text_of(2, 3))])
    for parent in (2, 7, 0):
        manifest_with(book, 2, parent=parent)
        assert codes(book) == ["chain-broken"]
        assert opened(book).snapshot == 2
    manifest_with(book, 2, parent=None)
    assert codes(book) == []


def test_many_pieces_are_a_note(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(70, 1))])

    def cut(table):
        rows = table.search().limit(None).to_arrow()
        table.delete("true")
        for number in range(70):
            table.add(rows.slice(number, 1))

    forged(book, cut)
    found = examine(book.place, book.config)
    assert [one.code for one in found.findings] == ["fragmented"]
    assert found.healthy


def test_a_newer_format_stops_the_repair(book):
    newer = book.place.objects.root / book.place.snapshots.name(9)
    newer.write_bytes(dump_checked({"format": 99}))
    assert "newer-format" in codes(book)
    with pytest.raises(RagbookError, match="newer Ragbook"):
        repair(book.place, book.config, book.make_embedder)


def test_cached_vectors_that_fail_their_checksum_are_counted(book):
    folder = next(book.place.objects.root.glob("spaces/*/vectors.lance")).parent
    lancedb.connect(str(folder)).open_table("vectors").update("true", {"crc": 1})
    assert codes(book) == []
    (found,) = examine(book.place, book.config, deep=True).findings
    assert found.code in ("cached-vectors-wrong", "cache-damaged")
    assert "7 vectors" in found.sentence


def test_setting_aside_never_overwrites(tmp_path):
    for number in range(3):
        path = tmp_path / "x"
        path.write_bytes(bytes([number]))
        set_aside(path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.damaged", "x.damaged-2", "x.damaged-3"]
    assert file_sha256(tmp_path / "x.damaged-3") != file_sha256(tmp_path / "x.damaged")


@pytest.mark.parametrize("damage", ["cut", "emptied"])
def test_a_torn_version_that_no_snapshot_needs_locks_the_table_and_is_moved_out_of_the_way(book, damage):
    """As a power cut leaves a build that had not published: the table is ahead of its snapshot, and not whole."""
    head = book.place.snapshots.head()
    before = hits(open_snapshot(book).search(QUESTION))
    table = book.place.folder / head.tables["chunks"].path
    lancedb.connect(str(table.parent)).open_table("chunks").update(where="ordinal = 0", values={"heading": "x"})
    newest = min((table / "_versions").glob("*.manifest"))  # they count down
    assert newest.name not in [file.path.rsplit("/", 1)[1] for file in head.tables["chunks"].files]
    content = newest.read_bytes()
    newest.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    for deep in (False, True):
        (finding,) = examine(book.place, book.config, deep=deep).findings
        assert (finding.code, finding.severity, finding.lost) == ("table-unreadable", "damage", "")
        assert finding.snapshot == head.snapshot
        assert finding.files == (f"notebooks/main/{head.tables['chunks'].path}",)
    quiet = notebook(book.place.objects.root.parent)  # whose model must not be asked
    planned = repair_plan(quiet.place, quiet.config, examine(quiet.place, quiet.config, deep=True))
    assert (planned.texts, planned.cost_usd) == (0, 0.0)
    repaired = repair(quiet.place, quiet.config, quiet.make_embedder)
    assert any("that no snapshot needs was moved aside" in line for line in repaired.done)
    assert repaired.left == ()
    assert newest.with_name(f"{newest.name}.torn").exists()
    assert codes(book, deep=True) == []
    assert hits(open_snapshot(book).search(QUESTION)) == before


def test_a_neighbour_of_a_newer_format_makes_what_is_left_over_unknown(book):
    other = notebook(book.place.objects.root.parent, CountingEmbedding(), slug="other")
    other.add([file("c.txt", text_of(1, 3))])
    state = other.place.objects.root / other.place.objects.names("notebooks/other/state")[-1]
    body = json.loads(state.read_bytes())
    del body["checksum"]
    state.write_bytes(dump_checked({**body, "format": 99}))
    (finding,) = examine(book.place, book.config).findings
    assert (finding.code, finding.severity, finding.lost) == ("leftovers-unknown", "note", "")
    assert "99" in finding.sentence
    assert examine(book.place, book.config).healthy, "the notebook itself is in order"
    state.write_bytes(dump_checked(body))
    assert codes(book) == []
