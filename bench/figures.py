"""Tables, ratios and goals: how figures are kept, compared and shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Ratio:
    """One comparison. `value` is how many times the first is larger; `goal` the limit it should keep, as worded."""

    what: str
    value: float
    shown: str
    goal: str = ""
    met: bool | None = None


@dataclass
class Report:
    """What one benchmark found. `rows` are lines of a table under `columns`, figures as shown; `further` are tables
    that belong to it."""

    name: str
    about: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)
    cpu: float = 0.0
    further: list[Report] = field(default_factory=list)

    def smaller(self, what: str, ours: float, theirs: float, goal: float | None = None) -> None:
        """Ours as a share of theirs; `goal` times smaller is wanted."""
        value = theirs / ours
        wanted = "" if goal is None else f"1/{goal:,.0f} or less"
        self.ratios.append(Ratio(what, value, f"1/{value:,.0f}", wanted, None if goal is None else value >= goal))

    def times(self, what: str, ours: float, theirs: float, most: float | None = None) -> None:
        """Ours as a multiple of theirs; at most `most` is wanted."""
        value = ours / theirs
        wanted = "" if most is None else f"{most:g} times or less"
        shown = f"{value:.2f} times" if value >= 0.1 else f"1/{1 / value:,.0f}"
        self.ratios.append(Ratio(what, value, shown, wanted, None if most is None else value <= most))

    def reaches(
        self, what: str, value: float, unit: str, *, least: float | None = None, most: float | None = None
    ) -> None:
        """A figure of our own, against a limit if there is one."""
        wanted, met = "", None
        if least is not None:
            wanted, met = f"{least:g} or more", value >= least
        elif most is not None:
            wanted, met = f"under {most:g}", value < most
        self.ratios.append(Ratio(what, value, f"{value:,.1f} {unit}", wanted, met))

    def text(self) -> str:
        """The table and the ratios, for a terminal."""
        lines = [f"{self.name}: {self.about}", "", *_aligned([self.columns, *self.rows]), ""]
        for ratio in self.ratios:
            verdict = {None: "", True: ": met", False: ": MISSED"}[ratio.met]
            lines.append(f"  {ratio.what}: {ratio.shown}" + (f" (goal {ratio.goal}{verdict})" if ratio.goal else ""))
        return "\n".join([*lines, *(f"\n{report.text()}" for report in self.further)]) + "\n"

    def all_ratios(self) -> list[Ratio]:
        """Its own, and those of the further tables."""
        return [*self.ratios, *(ratio for report in self.further for ratio in report.all_ratios())]

    def record(self) -> dict[str, Any]:
        """For JSON: shown rows, ratios with goals, and the figures of every single run."""
        return asdict(self)


def middle(runs: Sequence[dict[str, Any]], *path: str) -> float:
    """Median over runs of the figure at `path`."""
    found = []
    for run in runs:
        value: Any = run
        for step in path:
            value = value[step]
        found.append(float(value))
    return float(median(found))


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    shown = []
    for line in lines:
        cells = [
            line[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
        ]
        shown.append("  " + "  ".join(cells).rstrip())
    shown.insert(1, "  " + "  ".join("-" * width for width in widths))
    return shown
