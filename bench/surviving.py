"""`killing`: builds killed with SIGKILL, as a table; every promise that does not hold afterwards ends it."""

from __future__ import annotations

from pathlib import Path

from bench.figures import Report
from bench.killing import BATCH, IN_CACHE, run

KILLS = {"quick": 50, "usual": 200, "large": 1000}


def measure(work: Path, extent: str) -> Report:
    """Kill, open, repeat, collect garbage: as often as the extent says."""
    folder = work / "killed"
    folder.mkdir()
    figures = run(folder, KILLS[extent])
    report = Report("killing", f"{KILLS[extent]} builds to be killed; what was found afterwards", ["", "times"])
    report.rows = [
        ["killed", f"{figures.kills:,}"],
        ["ended before the kill came", f"{figures.survived:,}"],
        ["the old snapshot opened", f"{figures.old:,}"],
        ["the new snapshot opened", f"{figures.new:,}"],
        ["acknowledged, and there", f"{figures.acknowledged:,}"],
    ]
    report.raw = {"verdicts": dict(figures.verdicts)}
    report.reaches("most texts paid for again", figures.paid_again, "texts", most=BATCH + 1)
    report.reaches("most files left lying", figures.debris, "files", most=1)
    report.reaches("most files more in the vector cache", figures.debris_in_cache, "files", most=IN_CACHE + 1)
    return report
