"""`growth`: what each action costs as a notebook grows."""

from __future__ import annotations

import shutil
from importlib import import_module
from pathlib import Path
from statistics import median

from bench import additions, contestant, notebooks
from bench.appending import LATE, NEW, SIZES
from bench.figures import Report
from bench.meter import Meter, new_bytes, sizes

OPENED, ADDED, ROLLED_BACK = 9, 5, 3
"""How often each is done, and the median taken; what comes after them is done once."""

SAME = 2.0
"""A document costs the same in a large notebook: less than this many times what it costs in a small one."""

STRAY = 1.5
"""What milliseconds of CPU may stray."""

ROWS = (
    ("open_snapshot, CPU ms", "open", "cpu", 1000),
    ("  of it: checking sizes, SHA-256 of 4 MiB at most", "check", "cpu", 1000),
    ("manifest, KB", "manifest", "bytes", 1e-3),
    ("add one document, CPU s", "add", "cpu", 1),
    ("  written, KB", "add", "written", 1e-3),
    ("  new files, KB", "add", "bytes", 1e-3),
    ("rollback, CPU s", "rollback", "cpu", 1),
    ("  written, KB", "rollback", "written", 1e-3),
    ("doctor, CPU s", "doctor", "cpu", 1),
    ("doctor --deep, CPU s", "deep", "cpu", 1),
    ("export, CPU s", "export", "cpu", 1),
    ("  archive, KB", "export", "bytes", 1e-3),
    ("import, CPU s", "import", "cpu", 1),
    ("  new files, KB", "import", "bytes", 1e-3),
)


def measure(work: Path, extent: str) -> Report:
    """The same actions in notebooks of rising size; then a notebook that came to be by many small additions."""
    found = {}
    for chunks in SIZES[extent]:
        folder = work / "growing"
        shutil.copytree(notebooks.home(work, chunks), folder / "home")
        found[chunks] = contestant.run(__name__, "ragbook", folder=str(folder))
        shutil.rmtree(folder)
    small, large = min(found), max(found)
    report = Report(
        "growth",
        f"one process per notebook; medians of {OPENED} openings, {ADDED} added documents of ten chunks and "
        f"{ROLLED_BACK} rollbacks",
        ["chunks x 384", *(f"{chunks:,}" for chunks in found), "ratio"],
        raw={str(chunks): run for chunks, run in found.items()},
    )
    for title, stage, kind, scale in ROWS:
        values = [run[stage][kind] for run in found.values()]
        shown = (f"{value * scale:,.2f}" if scale == 1 else f"{value * scale:,.1f}" for value in values)
        report.rows.append([title, *shown, f"{values[-1] / max(values[0], 1e-9):,.1f}"])

    def grows(what: str, stage: str, kind: str, most: float | None = None) -> None:
        report.times(
            f"{what}, {large:,} / {small:,} chunks", found[large][stage][kind], found[small][stage][kind], most
        )

    manifest = max(1.0, found[large]["manifest"]["bytes"] / found[small]["manifest"]["bytes"])
    grows("opening, CPU", "open", "cpu", STRAY * manifest)
    grows("opening without checking the files, CPU", "unchecked", "cpu", STRAY * manifest)
    grows("one document added, CPU", "add", "cpu", SAME)
    grows("one document added, bytes written", "add", "written", SAME)
    grows("rollback, CPU", "rollback", "cpu")
    report.further.append(additions.compare(work, extent))
    return report


def ragbook(folder: str) -> contestant.Result:
    """All actions, one after the other, in a process that has imported everything and done each thing once."""
    from rag.config import Config
    from rag.home.pinned import HASHED_AT_OPENING, PinnedFiles
    from rag.moving.export import export_notebook
    from rag.moving.importing import import_notebook
    from rag.notebook import open_snapshot
    from rag.upkeep.doctor import examine
    from rag.upkeep.history import rollback

    for module in LATE:
        import_module(module)
    meter = Meter()
    home, archive, second = Path(folder) / "home", Path(folder) / "archive.zip", Path(folder) / "second"
    book = notebooks.notebook(home)
    place = book.place
    head = place.snapshots.head()
    assert head is not None
    open_snapshot(book)
    for number in range(OPENED):
        with meter.stage(f"open {number}"):
            open_snapshot(book)
        with meter.stage(f"check {number}"):
            assert PinnedFiles(place, HASHED_AT_OPENING).first(head) is None

    additions.add(book, NEW)
    for number in range(ADDED):
        before = sizes(home)
        with meter.stage(f"add {number}"):
            additions.add(book, NEW - 1 - number)
        meter.stages[f"add {number}"]["bytes"] = new_bytes(before, sizes(home))
    for number in range(ROLLED_BACK):
        with meter.stage(f"rollback {number}"):
            rollback(place, number + 2)

    for name, deep in (("doctor", False), ("deep", True)):
        with meter.stage(name):
            examined = examine(place, book.config, deep=deep)
        assert examined.healthy, examined.findings
    with meter.stage("export"):
        exported = export_notebook(book, archive)
    with meter.stage("import"):
        import_notebook(Config(home=str(second)), archive)

    stages = meter.stages
    stages["export"]["bytes"] = exported.bytes
    stages["import"]["bytes"] = new_bytes({}, sizes(second))
    for name, times in (("open", OPENED), ("check", OPENED), ("add", ADDED), ("rollback", ROLLED_BACK)):
        runs = [stages.pop(f"{name} {number}") for number in range(times)]
        stages[name] = {kind: median(run[kind] for run in runs) for kind in runs[0]}
    stages["unchecked"] = {"cpu": stages["open"]["cpu"] - stages["check"]["cpu"]}
    manifest = place.objects.root / place.snapshots.name(head.snapshot)
    stages["manifest"] = {"bytes": manifest.stat().st_size}
    return dict(stages)
