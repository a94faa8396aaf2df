"""What a snapshot says about itself, and what an opening or a build came to. Standard library only.

A manifest is one small JSON object, immutable once published. Its `checksum` is the fingerprint of everything else in
it, so a torn or altered manifest is never believed. See `docs/storage.md` for the format.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from rag.changes import Change
from rag.checked import FORMAT, _plain, load_checked, refuse_newer
from rag.errors import Damaged
from rag.fingerprint import fingerprint
from rag.old_sentences import read_pair, saved_pair


class VerdictName(StrEnum):
    """What an opening found, or an action came to."""

    EMPTY = "EMPTY"
    NEW = "NEW"
    HIT = "HIT"
    STALE = "STALE"
    OTHER_RECIPE = "OTHER_RECIPE"
    RESUMABLE = "RESUMABLE"
    DAMAGED = "DAMAGED"
    REFUSED = "REFUSED"
    BUSY = "BUSY"
    SOURCE_ERROR = "SOURCE_ERROR"
    NEWER_FORMAT = "NEWER_FORMAT"
    UNAVAILABLE = "UNAVAILABLE"
    # outcomes of actions
    BUILT = "BUILT"
    UPDATED = "UPDATED"
    REBUILT = "REBUILT"
    RESUMED = "RESUMED"
    RECOVERED = "RECOVERED"
    SWITCHED = "SWITCHED"
    ROLLED_BACK = "ROLLED_BACK"
    UNCHANGED = "UNCHANGED"
    CONFLICT = "CONFLICT"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Receipt:
    """What something cost. `texts` were embedded for chunks or questions, `saved_texts` needed a vector and had one
    already, and `canary_texts` were embedded to see that the model is the one it says. `calls` and `tokens` cover all.

    `cost_usd` is None where the price is not known, and 0.0 for the embedded model. `stages` are seconds per stage;
    `seconds` is the wall time from start to end.
    """

    calls: int = 0
    texts: int = 0
    tokens: int = 0
    cost_usd: float | None = 0.0
    saved_texts: int = 0
    canary_texts: int = 0
    seconds: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """A name, the reasons, what it cost, one plain sentence and the next step.

    `where` is `disk` for what was read from there, None otherwise.
    """

    name: VerdictName
    sentence: str
    next_step: str = ""
    snapshot: int | None = None
    changes: tuple[Change, ...] = ()
    receipt: Receipt = field(default_factory=Receipt)
    where: str | None = None


@dataclass(frozen=True)
class PinnedFile:
    """One file of a pinned table: path below the table's folder, bytes, SHA-256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class PinnedTable:
    """A Lance table at one version. `path` is below the notebook's folder and ends in `.lance`."""

    path: str
    version: int
    rows: int
    files: tuple[PinnedFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all pinned files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Counts:
    """What a snapshot holds: sources with chunks, sources that could not be read, chunks."""

    sources: int
    failed: int
    chunks: int


@dataclass(frozen=True)
class Failure:
    """A source that could not be read, and why. `kept` says that chunks of its former bytes stay in the index."""

    name: str
    reason: str
    kept: bool = False


@dataclass(frozen=True)
class Manifest:
    """One published snapshot of a notebook. `tables` maps `chunks` and `sources` to what they pin.

    `sources_fp` is the fingerprint of the registry the snapshot was built from. `failures` names at most the first 50
    sources that could not be read; `counts.failed` is their number. `changes` likewise are at most 50. `state` is the
    number of the state it was built from and `registry` the version of the registry which that state asked for; both
    are None in what was not built here, or before this was written down. `epoch` is 0 on local disks; what reads this
    format asks for it.
    """

    snapshot: int
    parent: int | None
    created: str
    writer: str
    verdict: VerdictName
    recipe: Mapping[str, Any]
    recipe_fp: str
    space_fp: str
    sources_fp: str
    counts: Counts
    tables: Mapping[str, PinnedTable]
    receipt: Receipt
    changes: tuple[Change, ...] = ()
    failures: tuple[Failure, ...] = ()
    state: int | None = None
    registry: int | None = None
    epoch: int = 0
    format: int = FORMAT

    @property
    def size(self) -> int:
        """Bytes of all pinned files of all tables."""
        return sum(table.size for table in self.tables.values())

    def to_json(self) -> bytes:
        """The manifest with its checksum, indented for human readers."""
        body = _plain(asdict(replace(self, changes=())))
        # Programs that know no codes read the sentences, and pass over what stands beside them.
        body["changes"], body["codes"] = saved_pair(self.changes)
        body["checksum"] = fingerprint(body)
        return json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False).encode("utf-8")


def parse_manifest(content: bytes, name: str) -> Manifest:
    """The manifest in `content`; `name` is the object's name, for the sentence.

    Raises:
        Damaged: not JSON, a field is missing or of the wrong kind, or the checksum differs.
        NewerFormat: its format number is higher than ours.
    """
    body = load_checked(content, name)
    refuse_newer(body, name)
    try:
        return Manifest(
            snapshot=int(body["snapshot"]),
            parent=None if body["parent"] is None else int(body["parent"]),
            created=str(body["created"]),
            writer=str(body["writer"]),
            epoch=int(body["epoch"]),
            verdict=VerdictName(body["verdict"]),
            recipe=dict(body["recipe"]),
            recipe_fp=str(body["recipe_fp"]),
            space_fp=str(body["space_fp"]),
            sources_fp=str(body["sources_fp"]),
            counts=Counts(**body["counts"]),
            tables={
                key: PinnedTable(
                    table["path"],
                    int(table["version"]),
                    int(table["rows"]),
                    tuple(PinnedFile(**file) for file in table["files"]),
                )
                for key, table in body["tables"].items()
            },
            receipt=_receipt(body["receipt"]),
            changes=read_pair(body["changes"], body.get("codes")),
            failures=tuple(Failure(**failure) for failure in body["failures"]),
            state=_optional(body.get("state")),
            registry=_optional(body.get("registry")),
            format=int(body["format"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Damaged(f"{name} fails its check: {error!r} while reading its fields.") from error


def _optional(number: Any) -> int | None:
    return None if number is None else int(number)


def _receipt(body: Mapping[str, Any]) -> Receipt:
    cost = body["cost_usd"]
    return Receipt(
        calls=int(body["calls"]),
        texts=int(body["texts"]),
        tokens=int(body["tokens"]),
        cost_usd=None if cost is None else float(cost),
        saved_texts=int(body["saved_texts"]),
        canary_texts=int(body["canary_texts"]),
        seconds=float(body["seconds"]),
        stages={str(key): float(value) for key, value in body["stages"].items()},
    )
