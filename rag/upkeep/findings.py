"""What the doctor finds, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["damage", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    `code` is stable and in kebab-case; `lost` says what cannot be had back ("" for nothing), `repair` what `--repair`
    does about it or the user must. `files` are names below the workspace. `damage` keeps something from working,
    a `warning` would once it is needed, a `note` only takes room.
    """

    code: str
    sentence: str
    lost: str
    repair: str
    files: tuple[str, ...] = ()
    snapshot: int | None = None
    severity: Severity = "damage"


@dataclass(frozen=True)
class Examination:
    """All findings, worst first; how many things of each kind were looked at; seconds it took.

    `deep` tells whether every pinned file, original and cached vector was read in full.
    """

    findings: tuple[Finding, ...]
    checked: dict[str, int]
    seconds: float
    deep: bool = False

    @property
    def healthy(self) -> bool:
        """Whether there is no damage and no warning."""
        return all(finding.severity == "note" for finding in self.findings)
