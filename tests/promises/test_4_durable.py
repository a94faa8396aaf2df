"""Promise 4, when the power fails: what was acknowledged is on the disk, and what was not is no half of anything.

A child works on a home and notes every fsync: the bytes of a file, or the entries of a folder, as of that moment.
From its notes it makes the disk as a power cut would leave it, in two ways that real file systems lie between:

- `kept`: only what was synced. A file has its bytes as of its last fsync, and is there only if its folder was synced
  after it came.
- `torn`: every name is there, as where folders are written early, but the bytes of a file are those of its last fsync:
  none if there was none.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.killing import Paying, contents, paid
from rag.errors import RagbookError
from rag.manifest import VerdictName
from rag.notebook import Notebook
from rag.upkeep.history import rollback
from tests.notebooks import answered, file, notebook, python, said, text_of
from tests.waiting import CEILING

BATCH = 2
ACTIONS: dict[str, Callable[[Notebook], object]] = {
    "first build": lambda book: book.add([file("a.txt", text_of(5, 1)), file("b.txt", text_of(3, 2))]),
    "update": lambda book: book.add([file("a.txt", text_of(6, 3)), file("c.txt", text_of(2, 4))]),
    "removal": lambda book: book.remove(["b.txt"]),
    "rollback": lambda book: rollback(book.place, 1),
    "settings": lambda book: book.save_settings({"RAGBOOK_LLM": "none"}),
    "title": lambda book: book.rename("After the storm"),
    "cell": lambda book: book.keep_cell(answered(book, "river stone")),
}


class Disk:
    """What has reached the disk below `root`. Everything there at the beginning has."""

    def __init__(self, root: Path, blind: str = "") -> None:
        self.root = root
        self._blind = blind
        self._bytes: dict[int, bytes] = {}
        self._entries: dict[int, dict[str, tuple[int, bool]]] = {}
        self._held: list[int] = []  # descriptors, so that no inode number is given out again
        self.on_sync: Callable[[], None] = lambda: None
        self._fsync = os.fsync
        for folder, _, names in os.walk(root):
            self._note(folder)
            for name in names:
                self._note(os.path.join(folder, name))
        os.fsync = self._noting

    def _noting(self, descriptor: int) -> None:
        self._fsync(descriptor)
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if path.startswith(str(self.root)) and not (self._blind and self._blind in path):
            self._note(path)
            self.on_sync()

    def _note(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        self._held.append(descriptor)
        number = os.fstat(descriptor).st_ino
        if os.path.isdir(path):
            self._entries[number] = {entry.name: (entry.inode(), entry.is_dir()) for entry in os.scandir(path)}
        else:
            self._bytes[number] = Path(path).read_bytes()

    def kept(self, target: Path) -> None:
        """Write to `target` what a power cut leaves when nothing gets there unasked."""
        self._keep(os.stat(self.root).st_ino, target)

    def _keep(self, number: int, target: Path) -> None:
        target.mkdir()
        for name, (inside, is_folder) in self._entries.get(number, {}).items():
            if is_folder:
                self._keep(inside, target / name)
            else:
                (target / name).write_bytes(self._bytes.get(inside, b""))

    def torn(self, target: Path) -> None:
        """Write to `target` what a power cut leaves when names get there before bytes."""
        target.mkdir()
        for folder, folders, names in os.walk(self.root):
            here = target / os.path.relpath(folder, self.root)
            for name in folders:
                (here / name).mkdir()
            for name in names:
                number = os.stat(os.path.join(folder, name)).st_ino
                (here / name).write_bytes(self._bytes.get(number, b""))


def child(work: Path, names: list[str], blind: str, every: int) -> None:
    """Do the actions; after each write the home as it is and as a power cut would leave it. With `every`, cut at every
    so many syncs too. Prints the cuts as [folder, action, texts paid for by then], and what each action cost in all."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    root, ledger = work / "disk", work / "ledger"
    root.mkdir()
    disk = Disk(root, blind)
    model = Paying(ledger=str(ledger))
    cuts: list[tuple[str, str, int]] = []
    costs: dict[str, int] = {}
    for name in names:
        syncs = 0

        def cut(name: str = name) -> None:
            nonlocal syncs
            syncs += 1
            if every and syncs % every == 0:
                for way in (disk.kept, disk.torn):
                    target = work / f"cut-{len(cuts)}"
                    way(target)
                    cuts.append((str(target / "home"), name, paid(ledger).total()))

        disk.on_sync = cut
        ACTIONS[name](notebook(root / "home", model, batch_size=BATCH))
        disk.on_sync = lambda: None
        costs[name] = paid(ledger).total()
        folder = work / name
        folder.mkdir()
        shutil.copytree(root, folder / "real")
        disk.kept(folder / "kept")
        disk.torn(folder / "torn")
    print(json.dumps([cuts, costs]))


def after(work: Path, names: list[str], blind: str = "", every: int = 0) -> tuple[list[list[Any]], dict[str, int]]:
    """Run `child` in a process of its own."""
    script = """
        import sys
        from pathlib import Path
        from tests.promises.test_4_durable import child
        child(Path(sys.argv[1]), sys.argv[2].split(","), sys.argv[3], int(sys.argv[4]))
        """
    cuts, costs = said(python(script, work, ",".join(names), blind, every))
    return cuts, costs


def everything(home: Path) -> dict[str, Any]:
    """What the user has: the snapshot that opens, what is wanted, the originals, and what was paid for."""
    book = notebook(home)
    rows = book.sources()
    return {
        "verdict": book.status().verdict.name,
        "index": contents(home),
        "sources": [(row.name, book.place.originals.intact(row.digest, row.size)) for row in rows],
        "vectors": [space["vectors"] for space in book.spaces()],
        "title": book.title,
        "settings": book.saved_settings(),
        "cells": [cell.answer.question for cell in book.cells()],
    }


def test_what_was_acknowledged_survives_a_power_cut(tmp_path):
    after(tmp_path, list(ACTIONS))
    for name in ACTIONS:
        real = everything(tmp_path / name / "real" / "home")
        assert real["verdict"] is VerdictName.HIT
        for way in ("kept", "torn"):
            assert everything(tmp_path / name / way / "home") == real, f"{name}, {way}"
    last = tmp_path / list(ACTIONS)[-1]
    assert everything(last / "kept" / "home")["cells"] == ["river stone"]
    assert everything(last / "kept" / "home")["title"] == "After the storm"
    # And it goes on from there, with nothing paid for twice.
    for way in ("kept", "torn"):
        book = notebook(last / way / "home")
        assert book.add([file("a.txt", text_of(6, 3))]).verdict.receipt.calls == 0


def test_without_a_sync_the_harness_finds_the_loss(tmp_path):
    """The same with a disk on which some syncs never happened. All in one child: each disk is a folder of its own."""
    blind = ["chunks.lance", "sources.lance", "vectors.lance", "manifests", "state", "originals"]
    script = """
        import sys
        from pathlib import Path
        from tests.promises.test_4_durable import child
        for blind in sys.argv[2:]:
            work = Path(sys.argv[1]) / blind
            work.mkdir()
            child(work, ["first build"], blind, 0)
        """
    out, err = python(script, tmp_path, *blind).communicate(timeout=CEILING)
    assert len(out.splitlines()) == len(blind), err
    for name in blind:
        work = tmp_path / name / "first build"
        real = everything(work / "real" / "home")
        for way in ("kept", "torn"):
            try:
                found = everything(work / way / "home")
            except RagbookError:
                continue
            assert found != real, (name, way)


def test_a_power_cut_at_any_moment_leaves_the_old_or_the_new(tmp_path):
    names = ["first build", "update"]
    cuts, costs = after(tmp_path, names, every=24)
    assert len(cuts) >= 8
    states = [None, *(contents(tmp_path / name / "real" / "home") for name in names)]
    seen = set()
    for number, (folder, name, by_then) in enumerate(cuts):
        home, at = Path(folder), names.index(name)
        found = contents(home)
        told = f"{folder}, during {name}"
        assert found in states[at : at + 2], told
        seen.add((name, found == states[at + 1]))
        # The same again ends where it would have, and pays for at most the batch in flight a second time.
        ledger = tmp_path / f"ledger-{number}"
        ACTIONS[name](notebook(home, Paying(ledger=str(ledger)), batch_size=BATCH))
        new = contents(home)
        assert new == states[at + 1], told
        assert by_then + paid(ledger).total() - costs[name] <= BATCH, told
    assert seen >= {("first build", False), ("update", False)}
