"""What it takes to get from a snapshot to what is wanted. Pure: no files, no models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from rag.sources.rows import SourceRow


@dataclass(frozen=True)
class Plan:
    """What a build does with each source. `read` are new, changed or last failed otherwise; `drop` are ids whose
    chunks go."""

    read: tuple[SourceRow, ...]
    keep: tuple[SourceRow, ...]
    renamed: tuple[tuple[SourceRow, SourceRow], ...]
    drop: tuple[SourceRow, ...]

    @property
    def nothing(self) -> bool:
        """Whether the snapshot already is what is wanted."""
        return not (self.read or self.renamed or self.drop)


def plan(
    wanted: Sequence[SourceRow], built: Sequence[SourceRow], again: Callable[[SourceRow], bool] = lambda _: False
) -> Plan:
    """Compare a registry with the sources of a snapshot of the same recipe.

    A source that failed is tried again only with other bytes or under a name with another extension, which decides
    the reader: the same bytes and the same reader fail the same way, and other readers make another recipe. Or where
    `again` says of its row that what it failed for is no more.
    """
    before: Mapping[str, SourceRow] = {row.source_id: row for row in built}
    read, keep, renamed = [], [], []
    for row in wanted:
        old = before.get(row.source_id)
        tried = (
            old is not None
            and old.digest == row.digest
            and old.state != "waiting"
            and (old.name == row.name or _extension(old.name) == _extension(row.name))
            and not (old.state == "failed" and again(old))
        )
        if old is None or not tried:
            read.append(row)
        elif old.name != row.name:
            renamed.append((old, row))
        else:
            keep.append(old)
    ids = {row.source_id for row in wanted}
    drop = tuple(row for row in built if row.source_id not in ids)
    return Plan(tuple(read), tuple(keep), tuple(renamed), drop)


def _extension(name: str) -> str:
    return PurePosixPath(name.lower()).suffix
