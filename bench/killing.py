"""Kill builds with SIGKILL and look at what opens: `python -m bench.killing [KILLS] [SEED]`.

Each kill: a copy of a home, one action on it in a process of its own, SIGKILL from outside after a random time or from
inside at the n-th step on the disk, before or after it. Then: what opens is what was there or what was wanted, byte by
byte and hit by hit; what was acknowledged is there; the same action again ends as if nothing had happened, and pays
for at most one batch a second time; after a collection of garbage no more files lie there than without the kill.

Children are forks of a process that has imported everything and used nothing: half a second each instead of three.
Steps are counted around functions of the standard library, in the child alone; the steps inside Lance, which is no
Python, are met by the random times.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rag.errors import NotFound
from rag.manifest import VerdictName
from rag.notebook import Notebook, open_snapshot
from rag.spaces.canary import CANARY_TEXTS
from rag.upkeep.garbage import collect
from rag.upkeep.history import forget, rollback
from tests.doubles import CountingEmbedding
from tests.notebooks import file, hits, notebook, settings, text_of

BATCH = 4
IN_CACHE = 8
"""Files that one kill may leave in the vector cache, where nothing is ever garbage: the rest of the batch in flight
(data, version, transaction, a temporary name), and as many because batches are cut otherwise the next time."""
QUIET = {VerdictName.EMPTY, VerdictName.NEW, VerdictName.HIT, VerdictName.STALE, VerdictName.RESUMABLE}
QUIET_TOO = QUIET | {VerdictName.OTHER_RECIPE}
_QUERIES = ("river stone bridge", "Entry 1-3 tells of", "copper engine and winter")
_STEPS = ("fsync", "link", "replace", "rename", "unlink", "mkdir", "rmdir", "utime")

Step = Callable[[str], None]


class Paying(CountingEmbedding):
    """A model that writes down every text it is paid for, in a file that outlives its process."""

    ledger: str

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors = super()._get_text_embeddings(texts)
        _step("before a payment")
        lines = "".join(f"{hashlib.sha256(text.encode()).hexdigest()}\n" for text in texts if text not in CANARY_TEXTS)
        with Path(self.ledger).open("a", encoding="utf-8") as ledger:
            ledger.write(lines)
        _step("after a payment")
        return vectors


def paid(ledger: Path) -> Counter[str]:
    """How often each text was paid for."""
    return Counter(ledger.read_text().split()) if ledger.exists() else Counter()


# ---------------------------------------------------------------------------------------------------- what is done


def first_build(book: Notebook) -> None:
    """Three files into an empty home."""
    book.add([file("a.txt", text_of(10, 1)), file("b.txt", text_of(6, 2)), file("c.txt", text_of(3, 3))])


def update(book: Notebook) -> None:
    """One file changed, one added."""
    book.add([file("a.txt", text_of(5, 1) + text_of(6, 4)), file("d.txt", text_of(6, 5))])


def remove(book: Notebook) -> None:
    """One file taken out; where it is wanted no longer, the build that does it."""
    if "b.txt" in [row.name for row in book.sources()]:
        book.remove(["b.txt"])
    else:
        book.build()


def switch(book: Notebook) -> None:
    """Another recipe: a table of its own."""
    Notebook(settings(Path(book.config.home), chunk_size=96), make_embedder=book.models.embedder).build()


def go_back(book: Notebook) -> None:
    """Roll back to the first snapshot."""
    if book.history()[0].verdict is not VerdictName.ROLLED_BACK:
        rollback(book.place, 1)


def tidy_up(book: Notebook) -> None:
    """Forget the first snapshot and collect the garbage."""
    with contextlib.suppress(NotFound):
        forget(book.place, 1)
    collect(book.place, grace_seconds=0)


def fill(book: Notebook) -> None:
    """Many small builds: the next one compacts the tables."""
    for number in range(33):
        book.add([file(f"{number}.txt", text_of(2, number))])


@dataclass(frozen=True)
class Scenario:
    """An action, what was done before it, and what an interrupted one may look like."""

    name: str
    before: tuple[Callable[[Notebook], None], ...]
    action: Callable[[Notebook], None]
    batch: int = BATCH
    verdicts: frozenset[VerdictName] = frozenset(QUIET)


SCENARIOS = {
    one.name: one
    for one in (
        Scenario("first build", (), first_build),
        Scenario("update", (first_build,), update),
        Scenario("removal", (first_build,), remove),
        Scenario("other recipe", (first_build,), switch, verdicts=frozenset(QUIET_TOO)),
        Scenario("rollback", (first_build, update), go_back),
        Scenario("garbage", (first_build, update), tidy_up),
        Scenario("compaction", (fill,), update, batch=1),
    )
}


def work_on(home: Path, ledger: Path, batch: int) -> Notebook:
    """The notebook of a home, with a model that keeps its ledger."""
    return notebook(home, Paying(ledger=str(ledger)), batch_size=batch)


# ---------------------------------------------------------------------------------------------------- what opens


def contents(home: Path) -> dict[str, Any] | None:
    """Everything of the newest snapshot: sources, chunks with vectors, search results; None before the first. Every
    pinned file is hashed."""
    try:
        return _contents(home)
    finally:
        gc.collect()  # nothing is read any more: otherwise the marks of readers would lie there, and hold back garbage


def _contents(home: Path) -> dict[str, Any] | None:
    book = notebook(home, CountingEmbedding())
    try:
        snapshot = open_snapshot(book, deep=True)
    except NotFound:
        return None
    rows = book.place.registry.rows(snapshot.manifest.tables["sources"].version)
    numbers = range(snapshot.table.count)
    chunks = [
        [row.id, row.source_id, row.ordinal, row.text, row.start, row.end, row.heading,
         row.vector.tobytes().hex() if row.vector is not None else None]
        for row in snapshot.table.reader().rows_at(list(numbers), with_vectors=True)
    ]  # fmt: skip
    found = [sorted(_rounded(hits(snapshot.search(query)))) for query in _QUERIES]
    return {
        "snapshot": snapshot.snapshot,
        "problems": list(snapshot.problems),
        "recipe": snapshot.manifest.recipe_fp,
        "sources": sorted([row.source_id, row.name, row.built_digest, row.chunks, row.state] for row in rows),
        "chunks": sorted(chunks),
        "found": found,
    }


def _rounded(found: list[list[Any]]) -> list[list[Any]]:
    return [[round(value, 6) if isinstance(value, float) else value for value in one] for one in found]


def files_in(home: Path) -> Counter[str]:
    """How many files lie where; names made of numbers and digests do not matter."""
    places: Counter[str] = Counter()
    for path in home.rglob("*"):
        if path.is_file():
            parts = path.relative_to(home).parts
            # Names of indexes differ; a table begun anew is in a folder with a number.
            folder = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|-\d+(?=/)", "", "/".join(parts[:-1]))
            places["vector cache" if "vectors.lance" in parts else folder] += 1
    return places


# ---------------------------------------------------------------------------------------------------- the child

_step: Step = lambda _: None  # noqa: E731 - replaced in the child that counts


def _count_steps(home: Path, die_at: int, log: int) -> None:
    """Count every change on the disk below `home` from here on, and die by SIGKILL at number `die_at`; a step has two
    numbers, before and after. `log` is a descriptor that gets the last number."""
    global _step
    number = 0
    inside = str(home)

    def step(_: str) -> None:
        nonlocal number
        number += 1
        if number == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        os.pwrite(log, str(number).encode(), 0)

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def call(*arguments: Any, **named: Any) -> Any:
            step("before")
            result = original(*arguments, **named)
            step("after")
            return result

        return call

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        # Files opened for writing; the ledger is the test's own.
        if event == "open" and isinstance(arguments[0], str | os.PathLike):
            path, _, flags = arguments
            if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR) and str(path).startswith(inside):
                step("opened to write")

    for name in _STEPS:
        setattr(os, name, counted(getattr(os, name)))
    sys.addaudithook(hear)
    _step = step


def _act(order: dict[str, Any], log: int, said: int) -> None:
    home, ledger = Path(order["home"]), Path(order["ledger"])
    scenario = SCENARIOS[order["scenario"]]
    book = work_on(home, ledger, scenario.batch)
    if order["count"]:
        _count_steps(home, order["die_at"], log)
    scenario.action(book)
    os.write(said, b"done")


def _template() -> None:
    """Fork a child for each order that comes in, kill it when the order says so, and tell what became of it."""
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        reading, said = os.pipe()
        log = os.memfd_create("steps")
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.close(reading)
                _act(order, log, said)
                code = 0
            finally:
                if code:
                    sys.excepthook(*sys.exc_info())
                sys.stderr.flush()
                os._exit(code)
        os.close(said)
        if order["seconds"] is not None:
            time.sleep(order["seconds"])
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        answer = {
            "killed": os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL,
            "code": os.waitstatus_to_exitcode(status),
            "acknowledged": os.read(reading, 16) == b"done",
            "steps": int(os.pread(log, 16, 0) or b"0"),
            "seconds": time.monotonic() - started,
        }
        os.close(reading)
        os.close(log)
        print(json.dumps(answer), flush=True)


class Template:
    """The process whose forks are killed."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error",
                "-W",
                "ignore:lancedb fork support:RuntimeWarning",
                "-m",
                "bench.killing",
                "-",
            ],
            cwd=Path(__file__).resolve().parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._in, self._out = self._process.stdin, self._process.stdout
        assert self._out.readline() == "ready\n"

    def run(
        self, scenario: Scenario, home: Path, ledger: Path, *, die_at: int = 0, seconds: float | None = None
    ) -> dict[str, Any]:
        """Do the action in a child. Steps are counted unless it is killed by the clock."""
        order = {
            "scenario": scenario.name,
            "home": str(home),
            "ledger": str(ledger),
            "count": seconds is None,
            "die_at": die_at,
            "seconds": seconds,
        }
        self._in.write(json.dumps(order) + "\n")
        self._in.flush()
        answer: dict[str, Any] = json.loads(self._out.readline())
        return answer

    def close(self) -> None:
        """End it."""
        self._in.close()
        self._process.wait(30)
        self._out.close()


@contextlib.contextmanager
def template() -> Iterator[Template]:
    """A Template for the block."""
    running = Template()
    try:
        yield running
    finally:
        running.close()


# ---------------------------------------------------------------------------------------------------- the harness


@dataclass
class Stage:
    """A scenario with the home before it, and what it comes to when nobody kills it."""

    scenario: Scenario
    before: Path
    old: dict[str, Any] | None
    new: dict[str, Any] | None
    old_names: list[str]
    new_names: list[str]
    needed: Counter[str]
    files: Counter[str]
    steps: int
    seconds: float


@dataclass
class Figures:
    """What a run came to. `paid_again` is the most texts that one kill made us pay for a second time; `debris` the
    most files more than without a kill, after the next build and a collection of garbage."""

    kills: int = 0
    survived: int = 0
    old: int = 0
    new: int = 0
    acknowledged: int = 0
    paid_again: int = 0
    debris: int = 0
    debris_in_cache: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)


def staged(name: str, work: Path, running: Template) -> Stage:
    """Prepare a scenario: do what comes before, then the action itself, undisturbed, on a copy."""
    scenario = SCENARIOS[name]
    folder = work / name.replace(" ", "-")
    before, after, ledger = folder / "before", folder / "after", folder / "ledger"
    before.mkdir(parents=True)
    for action in scenario.before:
        action(work_on(before, folder / "ledger-before", scenario.batch))
    shutil.copytree(before, after)
    answer = running.run(scenario, after, ledger)
    assert answer["acknowledged"], answer
    # The clock of an unhurried run; counting steps slows it down a little.
    timed = folder / "timed"
    shutil.copytree(before, timed)
    seconds = running.run(scenario, timed, folder / "ledger-timed")["seconds"]
    old, new = contents(before), contents(after)
    collect(notebook(after).place, grace_seconds=0)
    old_names, new_names = (_names(home) for home in (before, after))
    return Stage(
        scenario,
        before,
        old,
        new,
        old_names,
        new_names,
        paid(ledger),
        files_in(after),
        answer["steps"],
        seconds,
    )


def _names(home: Path) -> list[str]:
    return [row.name for row in notebook(home).sources()]


def kill(stage: Stage, work: Path, running: Template, figures: Figures, **how: Any) -> None:
    """One kill, and everything that must hold afterwards."""
    home, ledger = work / "home", work / "ledger"
    shutil.copytree(stage.before, home)
    try:
        answer = running.run(stage.scenario, home, ledger, **how)
        _judge(stage, home, ledger, answer, figures, how)
    finally:
        shutil.rmtree(home)
        ledger.unlink(missing_ok=True)


def _judge(
    stage: Stage, home: Path, ledger: Path, answer: dict[str, Any], figures: Figures, how: dict[str, Any]
) -> None:
    told = f"{stage.scenario.name}, killed at {how}: "
    assert answer["killed"] or answer["code"] == 0, f"{told}the child failed: {answer}"
    verdict = notebook(home).status().verdict
    assert verdict.name in stage.scenario.verdicts, f"{told}{verdict}"
    found = contents(home)
    assert found in (stage.old, stage.new), f"{told}a mixture: {_brief(found)}"
    names = _names(home)
    assert names in (stage.old_names, stage.new_names), f"{told}the wanted sources are a mixture: {names}"
    if answer["acknowledged"]:
        assert found == stage.new, f"{told}acknowledged and lost"
    figures.kills += answer["killed"]
    figures.survived += not answer["killed"]
    figures.acknowledged += answer["acknowledged"]
    figures.old += found == stage.old
    figures.new += found == stage.new and found != stage.old
    figures.verdicts[verdict.name] += 1

    stage.scenario.action(work_on(home, ledger, stage.scenario.batch))
    assert _names(home) == stage.new_names, f"{told}the wanted sources are not the ones asked for"
    times = paid(ledger)
    assert times.keys() == stage.needed.keys(), f"{told}other texts were paid for"
    twice = times.total() - len(times)
    assert twice <= stage.scenario.batch, f"{told}{twice} texts were paid for again"
    figures.paid_again = max(figures.paid_again, twice)

    collect(notebook(home).place, grace_seconds=0)
    left = files_in(home)
    more = left - stage.files
    figures.debris_in_cache = max(figures.debris_in_cache, more.pop("vector cache", 0))
    figures.debris = max(figures.debris, more.total())
    assert not more, f"{told}debris is left: {dict(more)}"
    assert figures.debris_in_cache <= IN_CACHE, f"{told}{figures.debris_in_cache} more files in the vector cache"
    again = contents(home)
    assert again == stage.new, f"{told}the next time it ended elsewhere: {_brief(again)}"


def _brief(found: dict[str, Any] | None) -> object:
    return found and {**found, "chunks": len(found["chunks"]), "found": "…"}


def killed_everywhere(stage: Stage, kills: int, work: Path, running: Template, figures: Figures, seed: int = 0) -> None:
    """So many kills of one scenario: half of them at steps, evenly from the first to the last, half at random times."""
    chance = random.Random(f"{stage.scenario.name} {seed}")
    at_steps = (kills + 1) // 2
    shift = chance.random()  # so that other runs meet other steps
    for number in range(at_steps):
        kill(stage, work, running, figures, die_at=1 + int((number + shift) * stage.steps / at_steps))
    wanted = figures.kills + kills - at_steps
    for _ in range(3 * kills):  # some have finished before their time comes
        if figures.kills >= wanted:
            break
        kill(stage, work, running, figures, seconds=chance.uniform(0, stage.seconds))


def run(work: Path, kills: int, seed: int = 0, names: Sequence[str] = tuple(SCENARIOS)) -> Figures:
    """So many kills, spread over the scenarios."""
    figures = Figures()
    with template() as running:
        for place, name in enumerate(names):
            share = kills // len(names) + (place < kills % len(names))
            killed_everywhere(staged(name, work, running), share, work, running, figures, seed)
    return figures


def main() -> None:
    """Run it and print the figures."""
    kills, seed = map(int, [*sys.argv[1:], "200", "0"][:2] if len(sys.argv) != 2 else [sys.argv[1], "0"])
    started = time.monotonic()
    with TemporaryDirectory(prefix="ragbook-killing-") as folder:
        figures = run(Path(folder), kills, seed)
    print(f"{figures}\n{time.monotonic() - started:.0f} s by the clock")


if __name__ == "__main__":
    if sys.argv[1:] == ["-"]:
        _template()
    else:
        main()
