"""The doctor beyond single damaged files: what it costs, what it refuses, what it puts together again."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import lancedb
import pytest

from rag.checked import dump_checked
from rag.errors import Damaged
from rag.fingerprint import fingerprint
from rag.home.pinned import PinnedFiles
from rag.home.pinning import pin
from rag.manifest import VerdictName
from rag.notebook import open_snapshot
from rag.storage.aside import set_aside
from rag.storage.digests import file_sha256
from rag.tables.chunk_table import ChunkTable
from rag.upkeep.doctor import examine
from rag.upkeep.repair_costs import repair_plan
from rag.upkeep.repairs import repair
from tests.doubles import CountingEmbedding
from tests.notebooks import file, hits, notebook, opened, text_of

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
    assert repair(book.place, book.config, book.models.embedder).done == ()


def test_an_empty_home_has_no_findings(tmp_path):
    empty = notebook(tmp_path / "nothing")
    assert codes(empty, deep=True) == []
    assert not (tmp_path / "nothing").exists()


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
    done = repair(again.place, again.config, again.models.embedder)
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
