"""Promise 4, when something fails: a sentence, the old snapshot keeps answering, and what was paid stays paid."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.killing import Paying, contents, paid
from rag.asking.answering import ask
from rag.asking.explaining import explain, sentences_of
from rag.citing.answer import Answer
from rag.config import Config
from rag.errors import DiskFull, NotWritable, QuotaExceeded, RagbookError, ServerDown, SpaceRefused, StoreError
from rag.manifest import VerdictName
from rag.models.embedder import Embedder
from rag.models.endpoint import Patience
from rag.models.factory import COMPATIBLE_BATCH, make_embedder
from rag.notebook import Notebook
from rag.prices import Prices
from rag.storage.ledger import Ledger
from rag.upkeep.garbage import collect
from tests.notebooks import ROOT, answered, file, notebook, opened, python, said, settings, text_of
from tests.servers import Misbehaving, failure, free_port, hang, misbehaving_server, status, vectors
from tests.waiting import CEILING, FOREVER

BATCH = 2
FIRST = [file("a.txt", text_of(4, 1))]
SECOND = [file("b.txt", text_of(9, 2))]


def book_of(home: Path, ledger: Path, **model: Any) -> Notebook:
    return notebook(home, Paying(ledger=str(ledger), **model), batch_size=BATCH)


def keeps_answering(home: Path, before: dict[str, Any] | None) -> None:
    """The old snapshot opens and answers, and nothing is called damaged."""
    assert before is not None
    assert contents(home) == before
    verdict = notebook(home).status().verdict
    assert verdict.name in (VerdictName.HIT, VerdictName.STALE, VerdictName.RESUMABLE), verdict
    assert verdict.snapshot == before["snapshot"]


def goes_on(home: Path, ledger: Path, needed: int, again: int = 0) -> None:
    """The same once more ends well, and at most `again` texts were paid for twice in all."""
    book_of(home, ledger).add(SECOND)
    assert notebook(home).status().verdict.name is VerdictName.HIT
    assert [row.name for row in notebook(home).sources()] == ["a.txt", "b.txt"]
    times = paid(ledger)
    assert len(times) == needed
    assert times.total() - len(times) <= again


def is_a_sentence(error: BaseException) -> None:
    assert isinstance(error, RagbookError)
    assert str(error).rstrip().endswith(".")
    assert "Traceback" not in str(error)
    assert ".rs:" not in str(error)


def mount(*arguments: object) -> bool:
    """Whether it worked: only root may."""
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, check=False)
    return done.returncode == 0


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[bool]:
    """A disk of that size at `folder`, where we may mount one."""
    folder.mkdir()
    mounted = mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def room_left(disk: Path, mounted: bool, room: int) -> Iterator[None]:
    """No more than `room` bytes can be written: by filling the disk, or else no file can be longer."""
    if not mounted:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room // 20, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        return
    ballast = disk / "ballast"
    free = shutil.disk_usage(disk).free
    ballast.write_bytes(b"\0" * max(0, free - room))
    try:
        yield
    finally:
        ballast.unlink()


@pytest.mark.parametrize("by_mount", [True, False])
def test_a_full_disk_at_any_point_of_an_update(tmp_path, by_mount):
    disk, ledger = tmp_path / "disk", tmp_path / "ledger"
    with small_disk(disk, "8m") if by_mount else contextlib.nullcontext(False) as mounted:
        home = disk / "home"
        book_of(home, ledger).add(FIRST)
        before = contents(home)
        full = 0
        for room in (0, 8_192, 32_768, 98_304):
            with room_left(disk, mounted, room):
                keeps_answering(home, before)
                try:
                    book_of(home, ledger).add(SECOND)
                except StoreError as error:
                    is_a_sentence(error)
                    full += isinstance(error, DiskFull)
                else:
                    break
            keeps_answering(home, before)
        assert full >= 2
        # Each time, the batch whose vectors did not get onto the disk.
        goes_on(home, ledger, 13, again=4 * BATCH)


def test_on_a_full_disk_room_can_be_made(tmp_path):
    disk = tmp_path / "disk"
    with small_disk(disk, "8m") as mounted:
        book = book_of(disk / "home", tmp_path / "ledger")
        book.add(FIRST)
        book.add(SECOND)
        book.remove(["a.txt"])
        place = book.place
        for number in (1, 2):
            place.objects.delete(place.snapshots.name(number))
        with room_left(disk, mounted, 0):
            found = collect(place, grace_seconds=0)
        assert found.files
        assert not found.blocked
        assert notebook(disk / "home").status().verdict.name is VerdictName.HIT


@contextlib.contextmanager
def read_only(home: Path) -> Iterator[None]:
    """Nothing below `home` can be written: by mounting it so, or else by its modes."""
    if mount("--bind", home, home):
        try:
            assert mount("-o", "remount,bind,ro", home)
            yield
        finally:
            subprocess.run(["umount", "-l", str(home)], check=True)
        return
    everything = [home, *home.rglob("*")]
    for path in everything:
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        yield
    finally:
        for path in everything:
            path.chmod(path.stat().st_mode | 0o200)


def test_a_read_only_home_answers_and_says_so_when_written_to(tmp_path):
    home, ledger = tmp_path / "home", tmp_path / "ledger"
    book_of(home, ledger).add(FIRST)
    before = contents(home)
    with read_only(home):
        keeps_answering(home, before)
        assert notebook(home).status().verdict.name is VerdictName.HIT
        book = book_of(home, ledger)
        answer = answered(book, "river stone")
        assert answer.passages
        for attempt in (
            lambda: book.add(SECOND),
            lambda: book.remove(["a.txt"]),
            lambda: book.save_settings({"RAGBOOK_LLM": "none"}),
            lambda: book.rename("Another title"),
            lambda: book.keep_cell(answer),
            lambda: collect(book.place, grace_seconds=0),
        ):
            with pytest.raises(NotWritable) as refused:
                attempt()
            is_a_sentence(refused.value)
    assert contents(home) == before
    goes_on(home, ledger, 13)


def test_a_folder_of_another_owner(tmp_path):
    home, ledger = tmp_path / "home", tmp_path / "ledger"
    book_of(home, ledger).add(FIRST)
    before = contents(home)
    script = """
        import json, sys
        from pathlib import Path
        from tests.privileges import permissions_count
        with permissions_count():  # before any thread of Lance's is there
            from bench.killing import Paying
            from rag.errors import RagbookError
            from tests.notebooks import file, notebook, opened, text_of
            home = Path(sys.argv[1])
            told = []
            for place in sys.argv[3:]:
                modes = {path: path.stat().st_mode for path in [Path(place), *Path(place).rglob("*")] if path.is_dir()}
                for path in modes:
                    path.chmod(0o500)
                said = ["nothing", ""]
                try:
                    notebook(home, Paying(ledger=sys.argv[2]), batch_size=2).add([file("b.txt", text_of(9, 2))])
                except RagbookError as error:
                    said = [type(error).__name__, str(error)]
                status = notebook(home).status().verdict
                told.append([*said, status.name, status.snapshot, opened(notebook(home)).snapshot])
                for path, mode in modes.items():
                    path.chmod(mode)
            print(json.dumps(told))
        """
    places = [
        home / "default/originals",
        home / "default/notebooks/main/sources.lance/_versions",
        home / "default/notebooks/main/state",
        next(home.glob("default/spaces/*/vectors.lance/data")),
        next(home.glob("default/notebooks/main/index/*/chunks.lance/data")),
        home / "default/notebooks/main/manifests",
    ]
    for place, (kind, sentence, verdict, *snapshots) in zip(
        places, said(python(script, home, ledger, *places)), strict=True
    ):
        assert (place, kind) == (place, "NotWritable"), sentence
        assert sentence.endswith("."), place
        assert verdict in ("HIT", "STALE", "RESUMABLE"), place
        assert snapshots == [1, 1], place
    keeps_answering(home, before)
    goes_on(home, ledger, 13, again=BATCH)  # of `vectors`: paid for, and nowhere to put it


@pytest.mark.parametrize(
    "error",
    [
        QuotaExceeded("The spending limit is reached. Raise it, then build again."),
        ServerDown("No answer from the embedding model. Check that the server runs."),
    ],
)
def test_a_model_that_stops_half_way(tmp_path, error):
    home, ledger = tmp_path / "home", tmp_path / "ledger"
    book_of(home, ledger).add(FIRST)
    before = contents(home)
    broken = book_of(home, ledger, fail_at=8 + 2 * BATCH + 1, error=error)
    with pytest.raises(type(error), match=str(error)):
        broken.add(SECOND)
    assert len(paid(ledger)) == 4 + 2 * BATCH
    keeps_answering(home, before)
    status = notebook(home).status().verdict
    assert status.name is VerdictName.RESUMABLE
    assert f"{2 * BATCH} of 9 texts" in status.sentence
    goes_on(home, ledger, 13)


def test_a_server_that_dies_half_way(tmp_path, misbehaving: Misbehaving):
    quick = Patience(seconds=2, attempts=2, first_wait=0.01)
    config = settings(tmp_path / "home", embed_base_url=misbehaving.address)
    book = Notebook(config, make_embedder=lambda config: make_embedder(config, patience=quick))

    def sent() -> list[list[str]]:
        return [request.body["input"] for request in misbehaving.requests if "Entry" in request.body["input"][0]]

    misbehaving.play(vectors(8))
    book.add(FIRST)
    canary = vectors(8)
    misbehaving.play(canary, vectors(8), vectors(8), failure(503, "going down"))
    with pytest.raises(ServerDown) as told:
        book.add([file("long.txt", text_of(40, 5))])
    is_a_sentence(told.value)
    paid_for = [text for batch in sent()[:2] for text in batch]
    assert len(paid_for) == 2 * COMPATIBLE_BATCH
    status = book.status().verdict
    assert (status.name, status.snapshot) == (VerdictName.RESUMABLE, 1)
    assert opened(book).snapshot == 1
    misbehaving.play(vectors(8))
    book.build()
    assert book.status().verdict.name is VerdictName.HIT
    rest = [text for batch in sent() for text in batch]
    assert len(rest) == 40 - len(paid_for)
    assert not set(rest) & set(paid_for)


def test_a_server_process_that_is_gone_in_the_middle_of_a_build(tmp_path):
    """Its connections are cut, and then nobody listens at its address."""
    server = python("""
        import os, time
        from tests.servers import misbehaving_server, vectors
        with misbehaving_server() as server:
            server.play(vectors(8))
            print(server.address, flush=True)
            while sum("Entry" in request.body["input"][0] for request in server.requests) < 3:
                time.sleep(0.001)
            os._exit(9)
        """)
    assert server.stdout is not None
    address = server.stdout.readline().strip()
    quick = Patience(seconds=2, attempts=2, first_wait=0.01)
    config = settings(tmp_path / "home", embed_base_url=address)
    book = Notebook(config, make_embedder=lambda config: make_embedder(config, patience=quick))
    book.add(FIRST)  # its only request of texts
    with pytest.raises(ServerDown) as told:
        book.add([file("long.txt", text_of(5 * COMPATIBLE_BATCH, 5))])
    server.communicate()
    assert server.returncode == 9
    is_a_sentence(told.value)
    status = book.status().verdict
    assert (status.name, status.snapshot) == (VerdictName.RESUMABLE, 1)
    assert opened(book).snapshot == 1
    with pytest.raises(ServerDown):  # still nobody there, and still nothing lost
        book.build()
    assert book.status().verdict.sentence == status.sentence
    with misbehaving_server() as again:
        again.play(vectors(8))
        # The same model behind another address is the same space.
        moved = settings(tmp_path / "home", embed_base_url=again.address)
        back = Notebook(moved, make_embedder=lambda config: make_embedder(config, patience=quick))
        assert back.build().verdict.name is VerdictName.RESUMED
        sent = [text for one in again.requests if "Entry" in one.body["input"][0] for text in one.body["input"]]
    assert 0 < len(sent) <= 4 * COMPATIBLE_BATCH
    assert back.status().verdict.name is VerdictName.HIT


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (failure(503, "going down"), "failed (status 503): going down. Try again, or look at the server."),
        (hang(FOREVER), "did not answer in time. Try again, or look at the server."),
        (failure(429, "You exceeded your current quota", "insufficient_quota"), "Add credit there."),
        (failure(401, "no such key"), "Set OPENAI_API_KEY or RAGBOOK_EMBED_API_KEY."),
        (status(404, {"error": "no such model"}), "RAGBOOK_EMBED_BASE_URL."),
        (status(200, "not JSON"), "is an OpenAI-compatible address, usually ending in /v1."),
    ],
)
def test_a_question_whose_model_fails_is_searched_for_by_words(tmp_path, misbehaving: Misbehaving, broken, said):
    quick = Patience(seconds=1, attempts=1, first_wait=0.01)
    config = settings(
        tmp_path / "home",
        embed_base_url=misbehaving.address,
        prices=Prices(embedding=(("counting", 1000.0),)),
    )

    def made(config: Config) -> Embedder:
        model = make_embedder(config, patience=quick)
        if "did not answer" in said:
            model.model.timeout = 2.0
        return model

    misbehaving.play(vectors(8))
    Notebook(config, make_embedder=made).add(
        [file("owls.txt", "Owls hunt at night."), file("bread.txt", "Bread rises because yeast makes gas.")]
    )
    book = Notebook(config, make_embedder=made)
    ledger = Ledger(book.place.objects)
    lines = len(list(ledger.entries()))
    index = opened(book)
    misbehaving.play(vectors(8), broken)  # the canary is paid for, and then it fails
    found = index.search("When do owls hunt?")
    (note,) = found.notes
    assert note.startswith("Searched by words only. The ")
    assert note.endswith(said)
    assert [(one.source, one.dense) for one in found.passages] == [("owls.txt", None)]
    assert (found.receipt.texts, found.receipt.canary_texts) == (0, 8)
    paid_for = list(ledger.entries())[lines:]
    assert [one.purpose for one in paid_for] == ["canary"]
    assert found.receipt.cost_usd == pytest.approx(sum(one.cost_usd or 0.0 for one in paid_for)) != 0.0
    *_, answer = ask(index, "When do owls hunt?")
    assert isinstance(answer, Answer)
    assert (answer.kind, answer.notes) == ("extractive", (note,))
    asked = len(misbehaving.requests)
    explained = explain(index, "When do owls hunt?")
    assert len(misbehaving.requests) == asked + 1, "a dead server is waited for once"
    assert explained.notes == (note,)
    assert "There is no vector of the question, so that its words alone decide." in sentences_of(explained)
    misbehaving.play(vectors(8))
    found = index.search("When do owls hunt?")
    assert (found.notes, found.receipt.texts, found.receipt.canary_texts) == ((), 1, 0)
    assert [one.purpose for one in ledger.entries()][lines:] == ["canary", "question"]


def test_the_command_line_answers_by_words_while_nobody_listens(tmp_path, misbehaving: Misbehaving):
    config = settings(tmp_path / "home", embed_base_url=misbehaving.address)
    misbehaving.play(vectors(8))
    Notebook(config, make_embedder=make_embedder).add([file("owls.txt", "Owls hunt at night.")])
    nobody = f"http://127.0.0.1:{free_port()}/v1"
    environment = {
        "RAGBOOK_HOME": config.home,
        "RAGBOOK_EMBEDDER": config.embedder,
        "RAGBOOK_EMBED_MODEL": config.embed_model,
        "RAGBOOK_EMBED_BASE_URL": nobody,
        "RAGBOOK_CHUNK_SIZE": str(config.chunk_size),
    }
    for command in (["search"], ["search", "--explain"], ["ask"]):
        child = subprocess.run(
            [sys.executable, "-m", "rag", *command, "When do owls hunt?", "--json"],
            cwd=ROOT,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=CEILING,
        )
        assert child.returncode == 0, child.stderr
        report = json.loads(child.stdout)
        assert [hit["source"] for hit in report["hits"]] == ["owls.txt"]
        (note,) = report["notes"]
        assert note.startswith("Searched by words only. No connection to the embedding model at 127.0.0.1:")
        assert note.endswith(
            "Check that the server is running and that RAGBOOK_EMBED_BASE_URL and the network are right."
        )


def test_another_model_is_refused_and_not_searched_around(tmp_path, misbehaving: Misbehaving):
    config = settings(tmp_path / "home", embed_base_url=misbehaving.address)
    book = Notebook(config, make_embedder=make_embedder)
    misbehaving.play(vectors(8))
    book.add([file("owls.txt", "Owls hunt at night.")])
    index = opened(Notebook(config, make_embedder=make_embedder))
    misbehaving.play(vectors(8, lambda text, position: float((len(text) * 7 + position * 3) % 11 + 1)))
    with pytest.raises(SpaceRefused):
        index.search("When do owls hunt?")
    misbehaving.play(vectors(16))
    with pytest.raises(SpaceRefused):
        index.search("When do owls hunt?")


def test_a_clock_that_jumps_back_changes_nothing(tmp_path):
    home = tmp_path / "home"
    script = """
        import datetime, json, sys
        import lancedb, llama_index.core, obstore, pyarrow  # which look into the real one from C

        class Elsewhere(datetime.datetime):
            __slots__ = ()

            @classmethod
            def now(cls, tz=None):
                return super().now(tz) + datetime.timedelta(days=int(sys.argv[2]))

        datetime.datetime = Elsewhere  # before any of ours imports it
        from pathlib import Path
        from tests.doubles import CountingEmbedding
        from tests.notebooks import answered, file, notebook, text_of
        book = notebook(Path(sys.argv[1]), CountingEmbedding())
        book.add([file(f"{sys.argv[3]}.txt", text_of(3, int(sys.argv[3])))])
        book.rename(f"Title {sys.argv[3]}")
        head = book.history()[0]
        print(json.dumps([book.status().verdict.name, head.snapshot, head.created]))
        """
    told = [said(python(script, home, days, number)) for number, days in enumerate((3650, -3650))]
    assert [one[:2] for one in told] == [["HIT", 1], ["HIT", 2]]
    created = [one[2] for one in told]
    assert created == sorted(created, reverse=True)
    book = notebook(home)
    assert [(one.snapshot, one.parent) for one in book.history()] == [(2, 1), (1, None)]
    assert [row.name for row in book.sources()] == ["0.txt", "1.txt"]
    assert book.title == "Title 1"
    assert opened(book).snapshot == 2
    # Files that will only be written in ten years are not garbage, and the rest is found as ever.
    for path in home.rglob("*.lance/data/*"):
        os.utime(path, (4e9, 4e9))
    collect(book.place, grace_seconds=0)
    assert notebook(home).status().verdict.name is VerdictName.HIT
