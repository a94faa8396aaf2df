"""Promise 6: two builders, many readers, several processes: one history, nothing lost, one payment per text."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.killing import Paying, contents, paid
from rag.building.pipeline import build_held
from rag.errors import Busy, Conflict, RagbookError
from rag.home.wanted import Wanted, restore_wanted
from rag.manifest import VerdictName
from rag.notebook import Notebook, open_snapshot
from rag.progress import Event, Stage
from rag.sources.rows import Given, register, registry_fingerprint
from rag.storage.stamp import now
from rag.upkeep.doctor import examine
from rag.upkeep.garbage import collect
from rag.upkeep.history import forget
from tests.doubles import CountingEmbedding
from tests.notebooks import ROOT, file, hits, notebook, opened, python, said, text_of, total_chunks

PROCESSES, ADDITIONS = 4, 25


def tell(child: subprocess.Popen[str], word: str) -> None:
    assert child.stdin is not None
    child.stdin.write(word + "\n")
    child.stdin.flush()


def hear(child: subprocess.Popen[str]) -> Any:
    assert child.stdout is not None
    line = child.stdout.readline()
    assert line, child.communicate()[1]
    return json.loads(line)


@pytest.fixture
def talking() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts second processes that are talked to in lines; none outlives the test."""
    children: list[subprocess.Popen[str]] = []

    def start(script: str, *arguments: object) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(script), *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        children.append(child)
        return child

    yield start
    for child in children:
        if child.returncode is None:
            child.kill()
            child.communicate()


def linear(book: Notebook) -> bool:
    history = book.history()
    numbers = [one.snapshot for one in history]
    return numbers == list(range(len(numbers), 0, -1)) and all(
        one.parent == (one.snapshot - 1 or None) for one in history
    )


READER = """
    import gc, json, sys
    from pathlib import Path
    from tests.doubles import CountingEmbedding
    from tests.notebooks import hits, notebook, opened
    book = notebook(Path(sys.argv[1]), CountingEmbedding())
    for word in sys.stdin:
        if word == "look\\n":
            snapshot = opened(book)
        if word == "close\\n":
            snapshot = None
            gc.collect()
            print(json.dumps("closed"), flush=True)
            continue
        found = [hits(snapshot.search(query)) for query in ("river stone", "Entry 1-2 tells of", "copper")]
        print(json.dumps([snapshot.snapshot, found]), flush=True)
    """


def test_readers_stay_on_their_snapshot_and_see_the_new_one_on_the_next_look(tmp_path, talking):
    model = CountingEmbedding()
    book = notebook(tmp_path, model)
    book.add([file("a.txt", text_of(6, 1)), file("b.txt", text_of(6, 2))])
    readers = [talking(READER, tmp_path) for _ in range(2)]
    first = []
    for reader in readers:
        tell(reader, "look")
        first.append(hear(reader))
    assert first[0] == first[1]
    assert first[0][0] == 1
    for change in (
        lambda: book.add([file("a.txt", text_of(7, 3)), file("c.txt", text_of(5, 4))]),
        lambda: book.remove(["b.txt"]),
    ):
        building = threading.Thread(target=change)
        building.start()
        while building.is_alive():
            for reader in readers:
                tell(reader, "again")
                assert hear(reader) == first[0]
        building.join()
    now = [3, [hits(opened(book).search(query)) for query in ("river stone", "Entry 1-2 tells of", "copper")]]
    for reader in readers:
        tell(reader, "again")
        assert hear(reader) == first[0]
        tell(reader, "look")
        assert hear(reader) == json.loads(json.dumps(now))
        reader.communicate()
        assert reader.returncode == 0


SLOW_BUILDER = """
    import json, sys
    from pathlib import Path
    from bench.killing import Paying
    from rag.manifest import VerdictName
    from tests.notebooks import file, notebook, text_of

    class Waiting(Paying):
        asked: bool = False

        def _get_text_embeddings(self, texts):
            if not self.asked and texts[0].startswith("Entry"):
                self.asked = True
                print(json.dumps("embedding"), flush=True)
                sys.stdin.readline()
            return super()._get_text_embeddings(texts)

    book = notebook(Path(sys.argv[1]), Waiting(ledger=sys.argv[2]), batch_size=4)
    outcome = book.add([file("slow.txt", text_of(8, 7))])
    print(json.dumps([outcome.verdict.name, outcome.verdict.snapshot]), flush=True)
    """


def test_the_second_builder_is_told_who_is_building_and_since_when(tmp_path, talking):
    home, ledger = tmp_path / "home", tmp_path / "ledger"
    book = notebook(home, Paying(ledger=str(ledger)), batch_size=4)
    book.add([file("a.txt", text_of(4, 1))])
    before = contents(home)
    child = talking(SLOW_BUILDER, home, ledger)
    assert hear(child) == "embedding"
    status = book.status().verdict
    assert status.name is VerdictName.BUSY
    assert f":{child.pid} (since 20" in status.sentence
    assert contents(home) == before
    with pytest.raises(Busy, match=rf":{child.pid} \(since 20.*\) is building this notebook"):
        book.add([file("b.txt", text_of(4, 2))], wait_seconds=0)
    waiting: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        added = pool.submit(lambda: book.add([file("b.txt", text_of(4, 2))], on_wait=waiting.append))
        while not waiting:
            time.sleep(0.02)
        tell(child, "go on")
        assert hear(child) == ["UPDATED", 2]
        assert added.result().verdict.snapshot == 3
    child.communicate()
    assert len(waiting) == 1
    assert f":{child.pid} " in waiting[0]
    assert [row.name for row in book.sources()] == ["a.txt", "slow.txt", "b.txt"]
    assert linear(book)
    assert set(paid(ledger).values()) == {1}


def test_with_the_lease_stolen_one_publishes_and_the_other_plans_again(tmp_path, talking):
    home, ledger = tmp_path / "home", tmp_path / "ledger"
    book = notebook(home, Paying(ledger=str(ledger)), batch_size=4)
    book.add([file("a.txt", text_of(4, 1))])
    child = talking(SLOW_BUILDER, home, ledger)
    assert hear(child) == "embedding"
    (book.place.folder / ".lock").unlink()
    assert book.add([file("fast.txt", text_of(4, 2))], wait_seconds=0).verdict.snapshot == 2
    found = contents(home)
    tell(child, "go on")
    assert hear(child)[0] in ("UPDATED", "RESUMED", "UNCHANGED")  # all may be there already when it looks again
    child.communicate()
    assert {row.name for row in book.sources()} == {"a.txt", "slow.txt", "fast.txt"}
    assert book.status().verdict.name is VerdictName.HIT
    assert linear(book)
    # Only what both were asked for at the same moment may have been paid for by both.
    times = paid(ledger)
    assert len(times) == 16
    assert times.total() <= 16 + 8
    after = contents(home)
    assert after is not None
    assert found is not None
    assert len(after["chunks"]) == 16
    assert all(source in after["sources"] for source in found["sources"])


def test_without_any_lease_builders_end_in_one_history(tmp_path, talking):
    """Threads and processes that build and register without asking for the lease at all."""
    home, ledger = tmp_path / "home", tmp_path / "ledger"
    notebook(home, CountingEmbedding()).add([file("a.txt", text_of(4, 1))])
    script = """
        import json, sys
        from pathlib import Path
        from rag.building.pipeline import build_held
        from bench.killing import Paying
        from tests.notebooks import file, notebook, text_of
        home, mine = Path(sys.argv[1]), int(sys.argv[3])
        book = notebook(home, Paying(ledger=sys.argv[2]), batch_size=2)
        print(json.dumps("ready"), flush=True)
        sys.stdin.readline()
        told = []
        for number in range(4):
            (book.place.folder / ".lock").unlink(missing_ok=True)
            outcome = book.add([file(f"{mine}-{number}.txt", text_of(2, 100 * mine + number))])
            (book.place.folder / ".lock").unlink(missing_ok=True)
            again = build_held(book.place, book.config, book.models.embedder)
            told.append([outcome.verdict.name, again.verdict.name])
        print(json.dumps(told), flush=True)
        """
    children = [talking(script, home, ledger, mine) for mine in (1, 2)]
    for child in children:
        assert hear(child) == "ready"
    for child in children:
        tell(child, "go")
    told = [hear(child) for child in children]
    for child in children:
        child.communicate()
    assert {name for one in told for names in one for name in names} <= {"UPDATED", "RESUMED", "UNCHANGED"}
    book = notebook(home, CountingEmbedding())
    wanted = {"a.txt", *(f"{mine}-{number}.txt" for mine in (1, 2) for number in range(4))}
    assert {row.name for row in book.sources()} == wanted
    assert linear(book)
    book.build()
    assert book.status().verdict.name is VerdictName.HIT
    everything = contents(home)
    assert everything is not None
    assert len(everything["chunks"]) == 4 + 8 * 2
    assert len({chunk[0] for chunk in everything["chunks"]}) == 4 + 8 * 2
    assert len(paid(ledger)) == 16
    assert max(paid(ledger).values()) <= 2  # by both, where both were at it in the same moment


def test_two_builds_of_the_same_wish_at_the_same_moment_publish_once(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(4, 1))])
    wider = [notebook(book.config.__class__(**{**_fields(book), "chunk_size": 96}), CountingEmbedding()) for _ in "ab"]
    start = threading.Barrier(2)

    def build(one: Notebook) -> VerdictName:
        start.wait()
        return build_held(one.place, one.config, one.models.embedder).verdict.name

    with ThreadPoolExecutor(2) as pool:
        names = sorted(pool.map(build, wider))
    assert names == [VerdictName.REBUILT, VerdictName.UNCHANGED]
    assert [one.snapshot for one in book.history()] == [2, 1]
    assert linear(book)
    assert wider[0].status().verdict.name is VerdictName.HIT


class Wisher:
    """Another process that changes the wanted sources without the lease, just while a build publishes: it writes the
    list of sources at the beginning of stage `writing`, and the state after the build's last look at it."""

    def __init__(self, book: Notebook, writing: Stage, remove: str | None = None) -> None:
        self.place, self.writing, self.remove = book.place, writing, remove

    def __call__(self, event: Event) -> None:
        if event.done:
            return
        if event.stage is self.writing:
            seen = self.place.states.newest()
            rows = self.place.registry.rows(seen.registry)
            digest, size = self.place.originals.keep(text_of(3, 9).encode())
            given = [] if self.remove else [Given("wished.txt", digest, size)]
            self.rows = [row for row in register(rows, given, when=now()).rows if row.name != self.remove]
            self.version = self.place.registry.write(self.rows, seen.registry)
        if event.stage is Stage.PUBLISH:
            self.place.states.change(
                lambda state: replace(
                    state,
                    registry=self.version,
                    sources_fp=registry_fingerprint(self.rows),
                    sources=len(self.rows),
                    pending=(),
                )
            )


@pytest.mark.parametrize("remove", [None, "a.txt"], ids=["added", "removed"])
@pytest.mark.parametrize("writing", [Stage.VERIFY, Stage.PUBLISH], ids=["before the results", "after the last look"])
def test_a_wish_between_the_last_look_and_publishing_is_the_next_thing_to_do(tmp_path, writing, remove):
    model = CountingEmbedding()
    book = notebook(tmp_path, model)
    book.add([file("a.txt", text_of(3, 1))])
    outcome = book.add([file("b.txt", text_of(3, 2))], on_event=Wisher(book, writing, remove))
    assert outcome.verdict.snapshot == 2
    head = book.history()[0]
    assert head.counts.sources == 2
    # The snapshot says what it was built from, and the wish is newer.
    state = book.place.states.newest()
    assert head.state is not None
    assert head.state < state.number
    status = book.status()
    assert status.verdict.name is VerdictName.STALE
    wanted = {"b.txt"} if remove else {"a.txt", "b.txt", "wished.txt"}
    assert {row.name for row in book.sources()} == wanted
    assert examine(book.place, book.config, deep=True).healthy
    assert book.estimate().chunks == 3 * len(wanted)
    # Another wish on top of it does not undo it.
    done = book.add([file("c.txt", text_of(3, 3))])
    assert done.verdict.name is VerdictName.UPDATED
    assert {row.name for row in book.sources() if row.state == "indexed"} == wanted | {"c.txt"}
    assert book.status().counts.chunks == 3 * len(wanted | {"c.txt"})
    assert book.status().verdict.name is VerdictName.HIT
    assert total_chunks(model) == 3 * len(wanted | {"a.txt", "c.txt"})


@pytest.mark.parametrize("remove", [None, "a.txt"], ids=["added", "removed"])
def test_restoring_the_list_of_sources_does_not_overwrite_a_wish(tmp_path, remove):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(3, 1)), file("b.txt", text_of(3, 2))])
    wisher = Wisher(book, Stage.PUBLISH, remove)
    seen = book.place.states.newest()
    wisher(Event(Stage.PUBLISH, 0, 1))
    lost = [row for row in book.place.registry.rows(seen.registry) if row.name != "b.txt"]
    with pytest.raises(Conflict, match="changed the sources"):
        restore_wanted(book.place, seen, Wanted(tuple(lost), seen.registry))
    assert {row.name for row in book.sources()} == ({"b.txt"} if remove else {"a.txt", "b.txt", "wished.txt"})
    book.build()
    assert book.status().verdict.name is VerdictName.HIT
    assert {row.name for row in book.sources()} == ({"b.txt"} if remove else {"a.txt", "b.txt", "wished.txt"})


def _fields(book: Notebook) -> dict[str, Any]:
    return {name: getattr(book.config, name) for name in book.config.__dataclass_fields__}


def test_four_processes_with_25_additions_each_lose_nothing_and_pay_once(tmp_path):
    home, ledger = tmp_path / "home", tmp_path / "ledger"
    script = """
        import json, sys
        from pathlib import Path
        from bench.killing import Paying
        from tests.notebooks import file, notebook, text_of
        home, ledger, mine, additions = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
        book = notebook(home, Paying(ledger=ledger), batch_size=4)
        done = [
            book.add([file(f"{mine}-{number}.txt", text_of(1, 1000 * mine + number))]).verdict.snapshot
            for number in range(additions)
        ]
        print(json.dumps(done))
        """
    children = [python(script, home, ledger, mine, ADDITIONS) for mine in range(PROCESSES)]
    done = [said(child) for child in children]
    every = PROCESSES * ADDITIONS
    assert sorted(number for one in done for number in one) == list(range(1, every + 1))
    assert all(one == sorted(one) for one in done)
    book = notebook(home)
    rows = book.sources()
    assert {row.name for row in rows} == {f"{mine}-{n}.txt" for mine in range(PROCESSES) for n in range(ADDITIONS)}
    assert {row.state for row in rows} == {"indexed"}
    assert len(book.history()) == every
    assert linear(book)
    assert book.status().verdict.name is VerdictName.HIT
    assert book.status().counts.chunks == every
    times = paid(ledger)
    assert len(times) == every
    assert times.total() == every  # under the lease nobody pays at the same instant as another


def test_settings_and_title_saved_during_an_addition_are_kept_and_lose_no_source(tmp_path):
    home, ledger = tmp_path / "home", tmp_path / "ledger"
    book = notebook(home, Paying(ledger=str(ledger)), batch_size=4)
    stop = threading.Event()
    saved: list[str] = []

    def save() -> None:
        other = notebook(home)
        while not stop.is_set():
            title = f"Title {len(saved)}"
            other.rename(title)
            other.save_settings({"RAGBOOK_LLM": "none"})
            saved.append(title)

    saving = threading.Thread(target=save)
    saving.start()
    try:
        for number in range(6):
            book.add([file(f"{number}.txt", text_of(1, number))])
    finally:
        stop.set()
        saving.join()
    assert len(saved) > 6
    assert [row.name for row in notebook(home).sources()] == [f"{number}.txt" for number in range(6)]
    assert notebook(home).title == saved[-1]
    assert notebook(home).saved_settings() == {"RAGBOOK_LLM": "none"}
    assert notebook(home).status().verdict.name is VerdictName.HIT


def test_all_sessions_of_a_process_share_one_opened_snapshot_and_one_copy_of_its_vectors(tmp_path):
    from ui.session import forget_opened
    from ui.session import opened as opened_by_a_session

    book = notebook(tmp_path, CountingEmbedding(dimensions=256))
    book.add([file("a.txt", text_of(30, 1))])
    forget_opened()
    start = threading.Barrier(2)

    def session(_: int) -> Any:
        start.wait()
        # A session has a Notebook object of its own.
        return opened_by_a_session(notebook(tmp_path, CountingEmbedding(dimensions=256)), 1)

    try:
        with ThreadPoolExecutor(2) as pool:
            one, other = pool.map(session, range(2))
        assert one is other
        many = [opened_by_a_session(notebook(tmp_path), 1) for _ in range(50)]
        assert {id(each) for each in many} == {id(one)}
        with ThreadPoolExecutor(8) as pool:
            matrices = list(pool.map(lambda each: each.table.reader().exact(), many))
        assert len({id(matrix) for matrix in matrices}) == 1
        # Past the cache, each opening is its own.
        assert open_snapshot(book, 1) is not open_snapshot(book, 1)
    finally:
        forget_opened()


def test_a_snapshot_that_somebody_reads_is_not_pulled_away(tmp_path, talking):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(6, 1)), file("b.txt", text_of(6, 2))])
    reader = talking(READER, tmp_path)
    tell(reader, "look")
    first = hear(reader)
    assert first[0] == 1
    book.add([file("a.txt", text_of(6, 3))])
    book.remove(["b.txt"])
    with pytest.raises(RagbookError, match="Snapshot 1 is being read"):
        forget(book.place, 1)
    collect(book.place, grace_seconds=0)
    tell(reader, "again")
    assert hear(reader) == first
    # Even where its manifest went another way, its files stay as long as it is read.
    book.place.objects.delete(book.place.snapshots.name(1))
    assert "still being read" in collect(book.place, grace_seconds=0).blocked
    tell(reader, "again")
    assert hear(reader) == first
    tell(reader, "close")
    assert hear(reader) == "closed"
    found = collect(book.place, grace_seconds=0)
    assert found.files
    assert not found.blocked
    reader.communicate()
    assert reader.returncode == 0
    assert notebook(tmp_path).status().verdict.name is VerdictName.HIT
    gc.collect()
    assert list((book.place.folder / "lease/readers").glob("*")) == []


def test_a_reader_that_was_killed_holds_nothing(tmp_path, talking):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(2, 1))])
    reader = talking(READER, tmp_path)
    tell(reader, "look")
    assert hear(reader)[0] == 1
    book.add([file("a.txt", text_of(2, 3))])
    reader.kill()
    reader.communicate()
    forget(book.place, 1)
    assert [one.snapshot for one in book.history()] == [2]
    assert Path(book.place.folder / "lease/readers").is_dir()
