"""Every verdict of the table can be reached, from exactly its own state, for nothing: no model is called to decide it.
Each has its reasons and one sentence with the next step, and `python -m rag status` says the same."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rag.checked import dump_checked
from rag.commands.cli import main
from rag.errors import Cancelled, QuotaExceeded, SpaceRefused
from rag.manifest import VerdictName
from rag.notebook import Notebook
from rag.storage.lease import lease
from rag.storage.ledger import Ledger
from rag.wording.changes import sentence
from tests.doubles import CountingEmbedding, ScriptedLLM
from tests.notebooks import file, notebook, opened, settings, text_of

Setup = Callable[[Path], AbstractContextManager[None]]
NAMES = {
    "embedder": "RAGBOOK_EMBEDDER",
    "embed_model": "RAGBOOK_EMBED_MODEL",
    "embed_base_url": "RAGBOOK_EMBED_BASE_URL",
    "chunk_size": "RAGBOOK_CHUNK_SIZE",
    "chunk_overlap": "RAGBOOK_CHUNK_OVERLAP",
}


class RaisingLLM(ScriptedLLM):
    """A language model that must not be asked anything."""

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise AssertionError("a language model was called")

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise AssertionError("a language model was called")


def built(home: Path) -> Notebook:
    book = notebook(home, CountingEmbedding())
    book.add([file("a.txt", text_of(3, 1)), file("b.txt", text_of(3, 2))])
    return book


def stopped(book: Notebook, *incoming: Any) -> None:
    """Add, and stop before anything is read."""
    answers = iter([False] * len(incoming))
    with pytest.raises(Cancelled):
        book.add(list(incoming), cancelled=lambda: next(answers, True))


@contextlib.contextmanager
def nothing(home: Path) -> Iterator[None]:
    yield


@contextlib.contextmanager
def only_registered(home: Path) -> Iterator[None]:
    stopped(notebook(home, CountingEmbedding()), file("a.txt", text_of(3)), file("b.txt", text_of(3)))
    yield


@contextlib.contextmanager
def complete(home: Path) -> Iterator[None]:
    built(home)
    yield


@contextlib.contextmanager
def sources_changed(home: Path) -> Iterator[None]:
    stopped(built(home), file("c.txt", "New."), file("a.txt", "Changed."))
    yield


@contextlib.contextmanager
def interrupted(home: Path) -> Iterator[None]:
    model = CountingEmbedding(fail_at=15, error=QuotaExceeded("Enough."))
    with pytest.raises(QuotaExceeded):
        notebook(home, model, batch_size=3).add([file("a.txt", text_of(12))])
    yield


@contextlib.contextmanager
def interrupted_in_a_new_recipe(home: Path) -> Iterator[None]:
    built(home)
    model = CountingEmbedding(fail_at=11, error=QuotaExceeded("Enough."))
    with pytest.raises(QuotaExceeded):
        notebook(settings(home, embed_model="other"), model, batch_size=1).build()
    yield


@contextlib.contextmanager
def truncated(home: Path) -> Iterator[None]:
    book = built(home)
    table = book.history()[0].tables["chunks"]
    path = book.place.folder / table.path / next(one.path for one in table.files if one.path.startswith("data/"))
    path.write_bytes(path.read_bytes()[:-10])
    yield


@contextlib.contextmanager
def manifest_damaged(home: Path) -> Iterator[None]:
    book = built(home)
    book.add([file("c.txt", text_of(1, 3))])
    path = book.place.folder / "manifests" / "00000002.json"
    path.write_bytes(path.read_bytes()[:-10])
    yield


@contextlib.contextmanager
def another_model_answered(home: Path) -> Iterator[None]:
    built(home)
    with pytest.raises(SpaceRefused):
        opened(notebook(home, CountingEmbedding(seed=1))).search("river stone")
    yield


@contextlib.contextmanager
def somebody_builds(home: Path) -> Iterator[None]:
    book = built(home)
    stopped(book, file("c.txt", "New."))
    with lease(book.place.folder, wait_seconds=0):
        yield


@contextlib.contextmanager
def source_became_unreadable(home: Path) -> Iterator[None]:
    built(home).add([file("a.txt", b"")])
    yield


@contextlib.contextmanager
def nothing_readable(home: Path) -> Iterator[None]:
    book = notebook(home, CountingEmbedding())
    book.add([file("a.txt", text_of(1))])
    book.add([file("b.txt", b"")])
    book.remove(["a.txt"])
    yield


@contextlib.contextmanager
def written_by_a_newer_one(home: Path) -> Iterator[None]:
    path = built(home).place.folder / "manifests" / "00000002.json"
    path.write_bytes(dump_checked({"format": 7}))
    yield


@contextlib.contextmanager
def mount_lost(home: Path) -> Iterator[None]:
    built(home)
    (home / "default").rename(home / "elsewhere")
    (home / "default").symlink_to(home / "gone")
    yield


@contextlib.contextmanager
def file_instead_of_folder(home: Path) -> Iterator[None]:
    home.mkdir()
    (home / "default").write_bytes(b"")
    yield


@dataclass(frozen=True)
class Case:
    """A state, settings that differ from those it was made with, and what must be said. `changes` are in their order;
    `...` after the first one stands for words that only this state knows."""

    verdict: VerdictName
    setup: Setup
    snapshot: int | None
    sentence: str
    next_step: str
    changes: tuple[str, ...]
    settings: tuple[tuple[str, Any], ...] = ()


V = VerdictName
TABLE = (
    Case(V.EMPTY, nothing, None, "no sources yet", "Add files", ()),
    Case(V.EMPTY, nothing_readable, 3, "no readable sources", "Add files", ("b.txt: ...",)),
    Case(V.NEW, only_registered, None, "2 sources added", "Build the index", ("a.txt: added", "b.txt: added")),
    Case(V.HIT, complete, 1, "Opened snapshot 1 from disk: 6 chunks from 2 sources", "Ask.", ()),
    Case(
        V.STALE,
        sources_changed,
        1,
        "sources changed since snapshot 1, which keeps answering",
        "Update the index",
        ("c.txt: added", "a.txt: changed"),
    ),
    Case(
        V.OTHER_RECIPE,
        complete,
        1,
        "built with other settings (embedding model: counting → other)",
        "Build beside it, or set the settings back",
        ("embedding model: counting → other",),
        (("embed_model", "other"),),
    ),
    Case(
        V.OTHER_RECIPE,
        complete,
        1,
        "keeps answering in its own space",
        "Build beside it",
        ("size of chunks, in tokens: 48 → 120",),
        (("chunk_size", 120),),
    ),
    Case(V.RESUMABLE, interrupted, None, "6 of 12 texts are paid for", "Continue the build", ("a.txt: added",)),
    Case(
        V.RESUMABLE,
        interrupted_in_a_new_recipe,
        1,
        "2 of 6 texts are paid for",
        "Continue the build",
        ("embedding model: counting → other",),
        (("embed_model", "other"),),
    ),
    Case(V.DAMAGED, truncated, None, "No intact snapshot is left", "Build again", ("damage: index/...",)),
    Case(V.DAMAGED, manifest_damaged, 1, "Snapshot 1 answers instead", "Build again", ("damage: notebooks/main/...",)),
    Case(
        V.REFUSED,
        another_model_answered,
        1,
        "the model that answers to this name now is another one",
        "build --new-space",
        ("embedding model: the model of the saved vectors → another model under the same name",),
    ),
    Case(V.BUSY, somebody_builds, 1, "is building. Snapshot 1 keeps answering", "Follow", ("c.txt: added",)),
    Case(V.SOURCE_ERROR, source_became_unreadable, 2, "former content of 1 source", "Add a readable", ("a.txt: ...",)),
    Case(V.NEWER_FORMAT, written_by_a_newer_one, None, "00000002.json", "newer Ragbook", ("storage format: ...",)),
    Case(V.UNAVAILABLE, mount_lost, None, "leads nowhere", "Check the home folder", ("home: out of reach",)),
    Case(V.UNAVAILABLE, file_instead_of_folder, None, "is no folder", "try again", ("home: out of reach",)),
)


def test_the_table_has_every_verdict_that_is_no_outcome() -> None:
    every = list(VerdictName)
    assert {case.verdict for case in TABLE} == set(every[: every.index(VerdictName.BUILT)])


@pytest.mark.parametrize("case", TABLE, ids=lambda case: f"{case.verdict}-{case.setup.__name__}")
def test_it_is_reached_for_nothing_and_says_why_and_what_next(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    with case.setup(home):
        config = settings(home, **dict(case.settings))
        book = notebook(config, llm=RaisingLLM())
        paid = list(Ledger(book.place.objects).entries())
        verdict = book.status().verdict
        assert (verdict.name, verdict.snapshot) == (case.verdict, case.snapshot)
        assert case.sentence in verdict.sentence
        assert case.next_step in verdict.next_step
        for words in (verdict.sentence, verdict.next_step):
            assert words == words.strip()
            assert words.endswith((".", ")."))
            assert "\n" not in words
            assert "Traceback" not in words
        said = [sentence(change) for change in verdict.changes]
        assert len(said) == len(case.changes)
        for found, expected in zip(said, case.changes, strict=True):
            assert found.startswith(expected.removesuffix("..."))
            assert found == expected or (expected.endswith("...") and len(found) > len(expected))
        receipt = verdict.receipt
        assert (receipt.calls, receipt.texts, receipt.canary_texts, receipt.tokens) == (0, 0, 0, 0)

        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("RAGBOOK_HOME", str(home))
        for field, name in NAMES.items():
            monkeypatch.setenv(name, str(getattr(config, field)))
        capsys.readouterr()
        assert main(["status", "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert (report["verdict"], report["snapshot"]) == (verdict.name, verdict.snapshot)
        assert (report["sentence"], report["next_step"]) == (verdict.sentence, verdict.next_step)
        assert [one["code"] for one in report["changes"]] == [one.code for one in verdict.changes]
        assert main(["status"]) == 0
        shown = capsys.readouterr().out
        assert shown.startswith(f"{verdict.name}: {verdict.sentence} {verdict.next_step}\n")
        assert all(f"  {one}\n" in shown for one in said)
        assert list(Ledger(book.place.objects).entries()) == paid
