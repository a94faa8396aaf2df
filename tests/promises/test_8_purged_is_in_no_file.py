"""Promise 8: what was purged is in no file under the home: not its text, its name, its id, nor its vectors."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa
import pytest

from rag.errors import Busy, Cancelled, Damaged, NotFound, RagbookError
from rag.home.retiring import keep, kept
from rag.manifest import VerdictName
from rag.notebook import open_snapshot
from rag.storage.lease import lease
from rag.storage.originals import Originals
from rag.text.analysis import terms
from rag.upkeep.history import forget, rollback
from rag.upkeep.purge_plan import plan_purge
from rag.upkeep.purging import purge
from tests.doubles import CountingEmbedding
from tests.notebooks import answered, file, hits, notebook, opened, python, said, settings, text_of

NAME = "zanzibar.txt"
WORD = "quagmire"
TERM = terms(WORD, "en")[0]
"""As the text index has it; the beginning of the word."""
OLD, NEW = (
    "\n\n".join(f"Quagmire {number} of the {age} secret lies near marker {number * 7}." for number in range(6))
    for age in ("former", "present")
)


@dataclass(frozen=True)
class Secret:
    """What must be nowhere."""

    words: tuple[bytes, ...]
    vectors: frozenset[bytes]

    def found(self, home: Path) -> list[str]:
        """Where it is all the same: raw bytes of every file, and every row of every version of every table."""
        places = self.in_bytes(home)
        for path in sorted(home.rglob("*.lance")):
            if any((path / "_versions").glob("*")):
                places += self._in_table(path, path.relative_to(home).as_posix())
        return places

    def in_bytes(self, home: Path) -> list[str]:
        """Files that hold it."""
        places = []
        for path in sorted(path for path in home.rglob("*") if path.is_file()):
            content = path.read_bytes()
            name = path.relative_to(home).as_posix()
            places += [f"{name}: {word!r}" for word in self.words if word in content.lower() or word.decode() in name]
            places += [f"{name}: a vector" for vector in self.vectors if vector in content][:1]
        return places

    def _in_table(self, path: Path, name: str) -> list[str]:
        places = []
        table = lancedb.connect(str(path.parent)).open_table(path.stem)
        for version in [one["version"] for one in table.list_versions()]:
            table.checkout(version)
            rows = table.search().to_arrow()
            for column in rows.schema.names:
                if pa.types.is_string(rows[column].type):
                    joined = "\n".join(value or "" for value in rows[column].to_pylist()).encode().lower()
                    places += [f"{name} version {version}: {word!r}" for word in self.words if word in joined]
            if "vector" in rows.schema.names:
                matrix = [np.array(one, np.float32).tobytes() for one in rows["vector"].to_pylist()]
                places += [f"{name} version {version}: a vector"] * bool(self.vectors & set(matrix))
            if TERM.encode() in self.words and table.list_indices():
                matched = table.search(TERM, query_type="fts").limit(5).to_arrow()
                places += [f"{name} version {version}: in the text index"] * bool(matched.num_rows)
        return places


def vectors_of(book) -> set[bytes]:
    """Vectors of the chunks of the secret source in every snapshot."""
    found = set()
    for manifest in book.history():
        pinned = open_snapshot(book, manifest.snapshot)
        for source_id, name in pinned.names.items():
            if name == NAME:
                rows = pinned.table.rows_of_source(source_id, with_vectors=True)
                found |= {np.asarray(row.vector, np.float32).tobytes() for row in rows}
    return found


def add_without_building(book, name, text):
    """Register a file, and stop before anything is read."""
    calls = iter([False])
    with pytest.raises(Cancelled):
        book.add([file(name, text)], cancelled=lambda: next(calls, True))
    assert name not in {row.name for row in book.sources() if row.chunks}


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory) -> tuple[Path, Secret]:
    """A home where a secret has left its traces everywhere: two contents, two recipes, history, answers, damage."""
    home = tmp_path_factory.mktemp("lived") / "home"
    book = notebook(home, CountingEmbedding())
    book.add([file("plain.txt", text_of(4, 1)), file(NAME, OLD)])
    keep(book.place, 1)
    book.keep_cell(answered(book, "Where does Quagmire 3 lie?"))
    innocent = book.keep_cell(answered(book, "What does Entry 1-2 tell of?", k=1))
    assert innocent.answer.passages[0].source == "plain.txt"
    book.add([file(NAME, NEW), file("second.txt", text_of(3, 2))])
    wide = notebook(settings(home, chunk_size=96), CountingEmbedding())
    wide.build()
    book = notebook(home, CountingEmbedding())
    book.build()
    book.tag([NAME, "plain.txt"], add=["a tag"])
    book.tag([NAME], add=["Zanzibar"])
    book.remove([NAME])
    rollback(book.place, 2)
    add_without_building(book, "later.txt", text_of(2, 9))
    notebook(home, CountingEmbedding(), slug="other").add([file("o.txt", text_of(3, 5))])
    workspace = home / "default"
    (book.place.folder / "manifests" / "00000001.json.damaged").write_text(OLD)
    (workspace / "originals" / "ab").mkdir(exist_ok=True)
    (workspace / "originals" / "ab" / "abc.damaged-2").write_text(OLD)
    (book.place.folder / "sources.lance" / "_versions" / "9.manifest.torn").write_text(NAME)
    space = next((workspace / "spaces").iterdir())
    shutil.copytree(space / "vectors.lance", space / "damaged-1.lance")
    ids = {row.source_id for row in book.sources() if row.name == NAME}
    assert len(ids) == 1
    secret = Secret((b"zanzibar", TERM.encode(), ids.pop().encode()), frozenset(vectors_of(book)))
    assert len(secret.vectors) >= 5
    return home, secret


@pytest.fixture
def home(lived_in, tmp_path):
    shutil.copytree(lived_in[0], tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def secret(lived_in):
    return lived_in[1]


def test_it_is_everywhere_before_and_nowhere_after(home, secret):
    before = "\n".join(secret.found(home))
    for place in (
        "cells/",
        "manifests/",
        "originals/",
        "chunks.lance",
        "sources.lance",
        "vectors.lance",
        "text index",
        "tags/",
    ):
        assert place in before, place
    book = notebook(home)
    planned = plan_purge(book.place, [NAME])
    assert "\n".join(secret.found(home)) == before  # planning changes nothing
    assert (planned.names, len(planned.cells), planned.shared) == ((NAME,), 1, ())
    assert planned.chunks > 0
    assert len(planned.forgotten) >= 4
    assert "1 answer that quote" in planned.sentence
    found = hits(opened(notebook(home, CountingEmbedding())).search("Entry 1-2"))
    done, outcome = purge(book.place, [NAME])
    assert done == planned
    assert outcome.verdict.name is VerdictName.UPDATED
    assert outcome.verdict.receipt.calls == 0
    assert secret.found(home) == []
    # What is not it is as it was.
    live = notebook(home, CountingEmbedding())
    assert {row.name for row in live.sources()} == {"plain.txt", "second.txt", "later.txt"}
    assert list(live.tags().values()) == [("a tag",)]
    assert [cell.answer.passages[0].source for cell in live.cells()] == ["plain.txt"]
    again = hits(opened(live).search("Entry 1-2"))
    plain = {"plain.txt", "second.txt"}
    assert {hit[2] for hit in found if hit[1] in plain} <= {hit[2] for hit in again}
    assert live.status().verdict.name is VerdictName.STALE  # later.txt is still wanted
    built = live.build()
    assert (built.chunks.embedded, live.status().verdict.name) == (2, VerdictName.HIT)
    assert opened(notebook(home, CountingEmbedding(), slug="other")).search("Entry 5-1").passages
    with pytest.raises(NotFound):
        purge(book.place, [NAME])


def test_vectors_of_others_are_still_paid_for(home, secret):
    purge(notebook(home).place, [NAME])
    book = notebook(settings(home, chunk_size=96))  # raises if called
    with pytest.raises(AssertionError, match="paid for already"):
        book.build()  # only the file that was never built
    book = notebook(home, CountingEmbedding())
    book.remove(["later.txt"])
    assert notebook(settings(home, chunk_size=96)).build().chunks.embedded == 0


def test_adding_it_again_is_paid_for_again(home):
    purge(notebook(home).place, [NAME])
    model = CountingEmbedding()
    notebook(home, model).add([file(NAME, NEW)])
    assert any(WORD in text.lower() for text in model.seen)


def test_another_notebook_with_the_same_file_keeps_it_and_that_is_said(home, secret):
    other = notebook(home, CountingEmbedding(), slug="other")
    other.add([file("copy.txt", NEW)])
    other.remove(["copy.txt"])  # in its history it still is
    book = notebook(home)
    planned, _ = purge(book.place, [NAME, "plain.txt"])
    assert planned.shared == ("other",)
    assert "also in other: there they stay" in planned.sentence
    digest, size = Originals(book.place.objects).keep(NEW.encode())
    assert book.place.originals.intact(digest, size)
    rollback(other.place, 2)
    assert opened(notebook(home, CountingEmbedding(), slug="other")).search("Quagmire 3 present").passages
    assert notebook(home, slug="other").add([file("again.txt", NEW)]).chunks.embedded == 0
    # What only this notebook had is gone, though the other file is shared.
    mine = Secret((NAME.encode(), b"former secret", b"entry 1-2"), frozenset())
    assert [place for place in mine.found(home) if "/other/" not in place] == []


def test_a_name_inside_another_name_is_another(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(2, 1))])
    book.add([file("data.txt", text_of(2, 2))])
    book.remove(["a.txt"])
    book.add([file("a.txt", NEW)])
    book.remove(["a.txt"])
    cell = book.keep_cell(answered(book, "What does Entry 2-1 tell of?"))
    planned = plan_purge(book.place, ["a.txt"])
    assert planned.cells == ()
    assert plan_purge(book.place, ["data.txt"]).cells == (cell.id,)
    purge(book.place, ["a.txt"])
    assert [one.id for one in book.cells()] == [cell.id]


def test_a_copy_in_the_same_notebook_keeps_the_bytes(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("one.txt", NEW), file("two.txt", NEW)])
    purge(book.place, ["one.txt"])
    assert notebook(tmp_path).build().verdict.name is VerdictName.UNCHANGED
    assert [row.name for row in book.sources()] == ["two.txt"]
    assert book.place.originals.intact(book.sources()[0].digest, book.sources()[0].size)
    assert Secret((b"one.txt",), frozenset()).found(tmp_path) == []


def test_the_last_source_and_one_that_was_never_built(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    add_without_building(book, NAME, NEW)
    assert "No index was built yet" in purge(book.place, [NAME])[1].verdict.sentence
    secret = Secret((b"zanzibar", TERM.encode()), frozenset())
    assert secret.found(tmp_path) == []
    book.add([file(NAME, NEW)])
    _, outcome = purge(book.place, [NAME])
    assert outcome.chunks.total == 0
    assert secret.found(tmp_path) == []
    assert book.status().verdict.name is VerdictName.EMPTY
    assert book.add([file("new.txt", text_of(2))]).chunks.total == 2


def test_a_removal_that_was_not_built_yet_stays_wanted(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file(NAME, NEW), file("a.txt", text_of(2, 1)), file("b.txt", text_of(2, 2))])
    with pytest.raises(Cancelled):
        book.remove(["b.txt"], cancelled=lambda: True)
    purge(book.place, [NAME])
    assert Secret((b"zanzibar", TERM.encode()), frozenset()).found(tmp_path) == []
    outcome = notebook(tmp_path).build()
    assert outcome.chunks.total == 2
    assert [row.name for row in book.sources()] == ["a.txt"]


def test_what_is_refused_changes_nothing(home, secret):
    book = notebook(home, CountingEmbedding())
    before = secret.found(home)
    with pytest.raises(NotFound, match=r"nowhere\.txt"):
        purge(book.place, [NAME, "nowhere.txt"])
    reader = opened(book)
    with pytest.raises(RagbookError, match="is being read"):
        purge(book.place, [NAME])
    del reader
    with lease(book.place.folder, wait_seconds=0), pytest.raises(Busy):
        purge(book.place, [NAME], wait_seconds=0)
    manifest = book.place.objects.root / book.place.snapshots.name(1)
    whole = manifest.read_bytes()
    manifest.write_bytes(whole[:50])
    with pytest.raises(Damaged, match="doctor"):
        purge(book.place, [NAME])
    manifest.write_bytes(whole)
    other = home / "default" / "notebooks" / "other" / "manifests" / "00000001.json"
    whole = other.read_bytes()
    other.write_bytes(whole[:50])
    with pytest.raises(RagbookError, match="doctor"):
        purge(book.place, [NAME])
    other.write_bytes(whole)
    assert secret.found(home) == before
    assert 1 in kept(book.place)
    forget(book.place, 5)
    purge(book.place, [NAME])
    assert secret.found(home) == []


KILLED = """
    import json, os, shutil, signal, sys
    from pathlib import Path
    from rag.home.place import Place
    from rag.storage.objects import LocalObjects
    import rag.upkeep.purging, rag.upkeep.garbage, rag.tables.chunk_table, rag.tables.vectors

    home, kills = Path(sys.argv[1]), int(sys.argv[2])

    def child(target, die_at):
        steps = 0
        def step(frame, event, argument):
            nonlocal steps
            caller = frame.f_back if event in ("call", "return") else frame
            if caller is None or not caller.f_code.co_filename.endswith(("rag/upkeep/purging.py",
            "rag/upkeep/garbage.py")):
                return
            if caller.f_code.co_name in ("purge", "collect", "_publish_without", "_purge_caches", "_purge_set_aside"):
                steps += 1
                if steps == die_at:
                    os.kill(os.getpid(), signal.SIGKILL)
        place = Place(LocalObjects(target / "default"), "main")
        sys.setprofile(step)
        rag.upkeep.purging.purge(place, ["zanzibar.txt"])
        sys.setprofile(None)
        target.with_suffix(".steps").write_text(str(steps))

    def run(number, die_at):
        target = home.with_name(f"killed-{number}")
        shutil.copytree(home, target)
        pid = os.fork()
        if pid == 0:
            try:
                child(target, die_at)
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        return target

    whole = run(0, -1)
    total = int(whole.with_suffix(".steps").read_text())
    at = [1 + round(number * (total - 1) / (kills - 1)) for number in range(kills)]
    print(json.dumps([total, [[die_at, str(run(die_at, die_at))] for die_at in at]]))
"""


def test_killed_half_way_purging_again_finishes(home, secret):
    total, killed = said(python(KILLED, home, 5))
    assert total > 60
    left = 0
    for die_at, target in killed:
        target = Path(target)
        book = notebook(target, CountingEmbedding())
        left += bool(secret.in_bytes(target))
        assert opened(book).search("Entry 1-2").passages, die_at
        assert not target.with_suffix(".steps").exists(), die_at
        note = book.place.folder / "lease" / "purge.json"
        if note.exists() or secret.in_bytes(target):  # else it was killed after its last step
            purge(book.place, [NAME])
        assert secret.found(target) == [], die_at
        assert not note.exists()
        book.remove(["later.txt"])
        assert notebook(target).build().verdict.name is VerdictName.UNCHANGED, die_at
        assert opened(book).search("Entry 1-2").passages, die_at
    assert left > 2
