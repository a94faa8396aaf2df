"""Promise 5: any damage is named and repaired, or refused with a sentence. Never a traceback, never a wrong answer,
never a loss of originals.

The home has two snapshots: the first of a.txt and c.txt, the second with b.txt added and c.txt changed.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rag.checked import dump_checked
from rag.errors import RagbookError, SpaceRefused
from rag.home.retiring import keep
from rag.manifest import VerdictName
from rag.notebook import open_snapshot
from rag.storage.ledger import Ledger, entry
from rag.upkeep.doctor import examine
from rag.upkeep.repair_costs import repair_plan
from rag.upkeep.repairs import repair
from tests.doubles import CountingEmbedding
from tests.notebooks import answered, file, hits, notebook, opened, settings, text_of, total_chunks
from tests.privileges import permissions_count

QUESTION = "lantern and harbour"
TORN = ("missing", "empty", "truncated", "folder")
ALL = (*TORN, "flipped")
THERE = ("empty", "truncated", "folder", "flipped")

# Which file; damage; verdict; what answers; what the deep examination finds; what building then comes to.
# Found "": a flipped bit in bytes that nothing reads changes nothing, and may or may not be noticed.
# What answers: `same` as before the damage, `older` is the snapshot before, `words` is the same snapshot without the
# model, which cannot be checked any more, and says so; `refused` is an error with a sentence.
TABLE = (
    ("newest manifest", THERE, "DAMAGED", "older", "manifest-damaged", "RECOVERED"),
    ("newest manifest", ("missing",), "RESUMABLE", "older", None, "RESUMED"),  # it was never published
    ("older manifest", THERE, "HIT", "same", "manifest-damaged", "UNCHANGED"),
    ("older manifest", ("missing",), "HIT", "same", None, "UNCHANGED"),
    ("newest state", THERE, "DAMAGED", "same", "state-damaged", "UNCHANGED"),
    ("newest state", ("missing",), "DAMAGED", "same", "state-missing", "UNCHANGED"),
    ("older state", ALL, "HIT", "same", None, "UNCHANGED"),
    ("chunks of both", ("missing", "folder"), "DAMAGED", "refused", "file-missing", "RECOVERED"),
    ("chunks of both", ("empty", "truncated"), "DAMAGED", "refused", "file-size", "RECOVERED"),
    ("chunks of both", ("flipped",), "HIT", "refused", "file-altered", "RECOVERED"),
    ("chunks of the newest", ("missing", "folder"), "DAMAGED", "older", "file-missing", "RECOVERED"),
    ("chunks of the newest", ("empty", "truncated"), "DAMAGED", "older", "file-size", "RECOVERED"),
    ("chunks of the newest", ("flipped",), "HIT", "older", "file-altered", "RECOVERED"),
    ("deletions", ("missing", "folder"), "DAMAGED", "older", "file-missing", "RECOVERED"),
    ("deletions", ("empty", "truncated"), "DAMAGED", "older", "file-size", "RECOVERED"),
    ("deletions", ("flipped",), "HIT", "older", "file-altered", "RECOVERED"),
    ("chunk version", ("missing", "folder"), "DAMAGED", "older", "file-missing", "RECOVERED"),
    ("chunk version", ("empty", "truncated"), "DAMAGED", "older", "file-size", "RECOVERED"),
    ("chunk version", ("flipped",), "HIT", "older", "file-altered", "RECOVERED"),
    ("text index", ("missing", "folder"), "DAMAGED", "refused", "file-missing", "RECOVERED"),
    ("text index", ("empty", "truncated"), "DAMAGED", "refused", "file-size", "RECOVERED"),
    ("text index", ("flipped",), "HIT", "refused", "file-altered", "RECOVERED"),
    ("sources of both", ("missing", "folder"), "DAMAGED", "refused", "file-missing", "RECOVERED"),
    ("sources of both", ("empty", "truncated"), "DAMAGED", "refused", "file-size", "RECOVERED"),
    ("sources of both", ("flipped",), "HIT", "refused", "file-altered", "RECOVERED"),
    ("sources of the newest", ("missing", "folder"), "DAMAGED", "older", "file-missing", "RECOVERED"),
    ("sources of the newest", ("empty", "truncated"), "DAMAGED", "older", "file-size", "RECOVERED"),
    ("sources of the newest", ("flipped",), "HIT", "older", "file-altered", "RECOVERED"),
    ("sources version", ("missing", "folder"), "DAMAGED", "older", "file-missing", "RECOVERED"),
    ("sources version", ("empty", "truncated"), "DAMAGED", "older", "file-size", "RECOVERED"),
    ("sources version", ("flipped",), "HIT", "older", "file-altered", "RECOVERED"),
    ("wanted sources version", TORN, "HIT", "same", "registry-damaged", "UNCHANGED"),
    ("wanted sources version", ("flipped",), "HIT", "same", "", "UNCHANGED"),
    ("space", ALL, "DAMAGED", "words", "space-damaged", "refused"),
    ("cached vectors", ALL, "HIT", "same", "cache-damaged", "UNCHANGED"),
    ("cache version", TORN, "HIT", "same", "cache-damaged", "UNCHANGED"),
    ("cache version", ("flipped",), "HIT", "same", "", "UNCHANGED"),
    ("version hint", ALL, "HIT", "same", None, "UNCHANGED"),
    ("original", ("missing", "folder"), "HIT", "same", "original-missing", "UNCHANGED"),
    ("original", ("empty", "truncated", "flipped"), "HIT", "same", "original-damaged", "UNCHANGED"),
    ("cell", ("empty", "truncated", "flipped"), "HIT", "same", "cell-damaged", "UNCHANGED"),
    ("cell", ("missing", "folder"), "HIT", "same", None, "UNCHANGED"),
    ("tags", THERE, "HIT", "same", "tags-damaged", "UNCHANGED"),
    ("tags", ("missing",), "HIT", "same", None, "UNCHANGED"),  # those from before count
    ("note of a build", ALL, "HIT", "same", None, "UNCHANGED"),
    ("lock", ("missing", "empty", "truncated", "flipped"), "HIT", "same", None, "UNCHANGED"),
    ("lock", ("folder",), "HIT", "same", None, "refused"),
    ("note of the builder", ALL, "HIT", "same", None, "UNCHANGED"),
    ("note of a purge", ALL, "HIT", "same", None, "UNCHANGED"),
    ("mark of a reader", ALL, "HIT", "same", None, "UNCHANGED"),
    ("mark to be kept", ALL, "HIT", "same", None, "UNCHANGED"),
    ("ledger", ALL, "HIT", "same", None, "UNCHANGED"),
    ("lock of the cache", ALL, "HIT", "same", None, "UNCHANGED"),
    ("sources deletions", ("missing", "folder"), "DAMAGED", "older", "file-missing", "RECOVERED"),
    ("sources deletions", ("empty", "truncated"), "DAMAGED", "older", "file-size", "RECOVERED"),
    ("sources deletions", ("flipped",), "HIT", "older", "file-altered", "RECOVERED"),
    ("chunk transaction", ALL, "HIT", "same", None, "UNCHANGED"),
    ("sources transaction", ALL, "HIT", "same", None, "UNCHANGED"),
    ("cache transaction", ALL, "HIT", "same", None, "UNCHANGED"),
    ("newer cached vectors", ALL, "HIT", "same", "cache-damaged", "UNCHANGED"),
    ("newest cache version", TORN, "HIT", "same", "cache-damaged", "UNCHANGED"),
    ("newest cache version", ("flipped",), "HIT", "same", "", "UNCHANGED"),
)  # fmt: skip
CASES = [(kind, damage, *row) for kind, damages, *row in TABLE for damage in damages]
KINDS = tuple(dict.fromkeys(row[0] for row in TABLE))
STAYS_DAMAGED = {"original-missing", "file-missing", "file-size", "file-altered"}
"""What is told even after a repair: originals to be added again, and snapshots that are past and cannot be had back."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The undamaged home, where each kind of file lies in it, and the right answers: of the newest snapshot, of the
    one before, and of the newest by words only."""
    home = tmp_path_factory.mktemp("whole") / "home"
    book = notebook(home, CountingEmbedding())
    book.add([file("a.txt", text_of(6, 1)), file("c.txt", text_of(4, 3))])
    book.add([file("b.txt", text_of(5, 2)), file("c.txt", text_of(5, 3))])
    book.keep_cell(answered(book, QUESTION))
    (book.place.folder / "lease").mkdir(exist_ok=True)
    (book.place.folder / "lease" / "build.json").write_text('{"paid": 3, "total": 9}')
    (book.place.folder / "lease" / "purge.json").write_bytes(dump_checked({"names": ["gone.txt"]}))
    (book.place.folder / "lease" / "readers").mkdir(exist_ok=True)
    (book.place.folder / "lease" / "readers" / "00000001-1-abcd.lock").write_bytes(b"x")
    (book.place.folder / ".lock.json").write_text('{"writer": "host:1", "since": "2026-01-01"}')
    keep(book.place, 1)
    book.tag(["a.txt"], add=["first"])
    book.tag(["a.txt"], add=["second"])
    Ledger(book.place.objects).record(entry("counting", "build", texts=1, tokens=9, cost_usd=None, notebook="main"))
    other = notebook(settings(home, embed_model="other"), CountingEmbedding())
    answers = {
        "same": hits(opened(book).search(QUESTION)),
        "older": hits(open_snapshot(book, 1).search(QUESTION)),
        "words": hits(opened(other).search(QUESTION)),
    }
    return home, {kind: path.relative_to(home) for kind, path in _files(book).items()}, answers


def _files(book):
    first, newest = book.place.snapshots.get(1), book.place.snapshots.get(2)
    folder, root = book.place.folder, book.place.objects.root
    found = {
        "newest manifest": folder / "manifests/00000002.json",
        "older manifest": folder / "manifests/00000001.json",
        "newest state": folder / "state/00000002.json",
        "older state": folder / "state/00000001.json",
        "note of a build": folder / "lease/build.json",
        "lock": folder / ".lock",
        "cell": next(folder.glob("cells/*.json")),
        "tags": folder / "tags/00000002.json",
        "space": next(root.glob("spaces/*/space.json")),
        "note of the builder": folder / ".lock.json",
        "note of a purge": folder / "lease/purge.json",
        "mark of a reader": folder / "lease/readers/00000001-1-abcd.lock",
        "mark to be kept": folder / "kept/00000001.json",
        "ledger": next(root.glob("ledger/*/*.jsonl")),
        "lock of the cache": next(root.glob("spaces/*/.lock")),
        "chunk transaction": _latest(folder, "index/*/chunks.lance/_transactions/*"),
        "sources transaction": _latest(folder, "sources.lance/_transactions/*"),
        "cache transaction": _latest(root, "spaces/*/vectors.lance/_transactions/*"),
        "newer cached vectors": _latest(root, "spaces/*/vectors.lance/data/*"),
        "newest cache version": min(root.glob("spaces/*/vectors.lance/_versions/*.manifest")),
        "cached vectors": next(root.glob("spaces/*/vectors.lance/data/*")),
        "cache version": min(root.glob("spaces/*/vectors.lance/_versions/*.manifest")),
        "version hint": next(folder.glob("index/*/chunks.lance/_versions/*.json")),
        "original": book.place.originals.path(book.sources()[0].digest),
        "wanted sources version": folder
        / f"sources.lance/_versions/{2**64 - 1 - book.place.states.newest().registry:020d}.manifest",
    }
    for key, title in (("chunks", "chunks"), ("sources", "sources")):
        before = {one.path for one in first.tables[key].files}
        for one in newest.tables[key].files:
            path = folder / newest.tables[key].path / one.path
            if one.path.startswith("data/"):
                found[f"{title} of both" if one.path in before else f"{title} of the newest"] = path
            elif one.path.startswith("_versions/"):
                found["chunk version" if key == "chunks" else "sources version"] = path
            elif one.path.startswith("_deletions/"):
                found["deletions" if key == "chunks" else "sources deletions"] = path
            elif one.path.startswith("_indices/"):
                found["text index"] = path
    return found


def _latest(root: Path, pattern: str) -> Path:
    return max(root.glob(pattern), key=lambda path: (path.stat().st_mtime_ns, path.name))


def _damage(path: Path, damage: str) -> None:
    content = path.read_bytes()
    if damage == "flipped":
        at = len(content) // 2
        path.write_bytes(content[:at] + bytes([(content[at : at + 1] or b"\0")[0] ^ 16]) + content[at + 1 :])
        return
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes(b"" if damage == "empty" else content[: len(content) // 2])


def _damaged(whole, tmp_path, kind, damage):
    home = tmp_path / "home"
    shutil.copytree(whole[0], home)
    _damage(home / whole[1][kind], damage)
    model = CountingEmbedding()
    return notebook(home, model), model


def _answer(book, answers):
    """Which of the right answers came: its name, or `refused`. A wrong one is a failure."""
    try:
        snapshot = opened(book)
        found = snapshot.search(QUESTION)
    except RagbookError:
        return "refused"
    which = [name for name, answer in answers.items() if answer == hits(found)]
    assert which, "a wrong answer"
    assert which[0] != "words" or "by words only" in found.notes[0]
    assert which[0] != "older" or snapshot.snapshot == 1
    return which[0]


def _originals(book):
    folder = book.place.objects.root / "originals"
    return sorted(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("kind", "damage", "verdict", "answers", "found", "built"), CASES, ids=lambda value: str(value)
)
def test_damage_is_named_and_building_pays_nothing(whole, tmp_path, kind, damage, verdict, answers, found, built):
    book, model = _damaged(whole, tmp_path, kind, damage)
    originals = _originals(book)
    status = book.status()
    assert status.verdict.name == verdict
    if verdict == "DAMAGED":
        assert status.verdict.sentence.endswith("The originals were not touched.")
        assert whole[1][kind].name in status.verdict.sentence or "state" in status.verdict.sentence
    codes = {one.code for one in examine(book.place, book.config, deep=True).findings}
    assert found in codes if found else codes <= ({"registry-damaged", "cache-damaged"} if found == "" else set())
    only_hashing_sees_it = (verdict, built) == ("HIT", "RECOVERED")
    assert (book.status(hashing=True).verdict.name == "DAMAGED") == (verdict == "DAMAGED" or only_hashing_sees_it)
    # Where the bit makes it unreadable, whoever opens an older version sets it aside, and then looking sees it too.
    path = tmp_path / "home" / whole[1][kind]
    assert book.status().verdict.name == ("DAMAGED" if only_hashing_sees_it and not path.exists() else verdict)
    assert _answer(book, whole[2]) == answers
    if only_hashing_sees_it:  # and whoever opened knows from then on, until it is repaired
        known = book.status().verdict
        assert known.name == "DAMAGED"
        assert whole[1][kind].name in known.sentence
        assert ("SHA-256" if path.exists() else "is missing") in known.sentence
        assert known.snapshot == (1 if answers == "older" else None)
    paid = total_chunks(model)
    if built == "refused":
        with pytest.raises(RagbookError, match=r"doctor --repair|Check that the home"):
            book.build()
    else:
        assert book.build().verdict.name == built
        assert _answer(book, whole[2]) == ("same" if answers != "words" else answers)
        assert book.status().verdict.name is VerdictName.HIT
        assert {row.name for row in book.sources()} == {"a.txt", "b.txt", "c.txt"}
    assert total_chunks(model) == paid
    assert _originals(book) == originals


@pytest.mark.parametrize(("kind", "damage"), [case[:2] for case in CASES if case[4]], ids=lambda value: str(value))
def test_the_doctor_repairs_it_and_pays_nothing(whole, tmp_path, kind, damage):
    book, model = _damaged(whole, tmp_path, kind, damage)
    originals = _originals(book)
    planned = repair_plan(book.place, book.config, examine(book.place, book.config, deep=True))
    assert planned.steps
    assert (planned.texts, planned.tokens, planned.cost_usd) == (0, 0, 0.0)
    done = repair(book.place, book.config, book.models.embedder)
    assert {one.code for one in done.left} <= STAYS_DAMAGED
    assert _answer(book, whole[2]) == "same"
    assert book.status().verdict.name is VerdictName.HIT
    assert {row.name for row in book.sources()} == {"a.txt", "b.txt", "c.txt"}
    assert total_chunks(model) == planned.check_texts // 2  # eight texts of the index, to check the model by
    assert _originals(book) == originals
    again = {one.code for one in examine(book.place, book.config, deep=True).findings if one.severity != "note"}
    assert again <= STAYS_DAMAGED
    assert not [one for one in examine(book.place, book.config, deep=True).findings if one.severity == "damage"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_read_is_refused_or_passed_over_and_comes_back(whole, tmp_path, kind):
    book, _ = _damaged(whole, tmp_path, kind, "flipped")
    path = tmp_path / "home" / whole[1][kind]
    shutil.copyfile(whole[0] / whole[1][kind], path)
    path.chmod(0)
    with permissions_count():
        assert book.status().verdict.sentence.endswith((".", ")"))
        assert _answer(book, whole[2]) in ("same", "older", "words", "refused")
        examine(book.place, book.config, deep=True)
    path.chmod(0o644)
    book, _ = notebook(tmp_path / "home", CountingEmbedding()), None
    assert _answer(book, whole[2]) == "same"
    assert book.status().verdict.name is VerdictName.HIT


@pytest.mark.parametrize("damage", ALL)
def test_a_refused_model_stays_refused_whatever_became_of_the_note(tmp_path, damage):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(4, 1))])
    other = notebook(tmp_path, CountingEmbedding(seed=1))
    with pytest.raises(SpaceRefused):
        opened(other).search(QUESTION)
    assert other.status().verdict.name is VerdictName.REFUSED
    _damage(next(book.place.objects.root.glob("spaces/*/refused.json")), damage)
    assert notebook(tmp_path).status().verdict.name is VerdictName.HIT  # nobody knows of it any more
    again = notebook(tmp_path, CountingEmbedding(seed=1))
    with pytest.raises(SpaceRefused):
        opened(again).search(QUESTION)
    assert opened(notebook(tmp_path, CountingEmbedding())).search(QUESTION).passages


@pytest.mark.parametrize("damage", ALL)
def test_spending_is_told_from_what_is_left_of_the_ledger(whole, tmp_path, damage):
    """A line that cannot be read is passed over, and a file that is none is a sentence."""
    book, _ = _damaged(whole, tmp_path, "ledger", damage)
    ledger = Ledger(book.place.objects)
    if damage == "folder":
        with pytest.raises(RagbookError, match=r"ledger/.*\.jsonl"):
            ledger.spent("day")
        return
    assert [one.calls for one in ledger.spent("day")] in ([], [1])
    ledger.record(entry("counting", "question", texts=1, tokens=3, cost_usd=None, notebook="main"))
    assert [one.texts for one in ledger.spent("purpose")][-1:] == [1]
