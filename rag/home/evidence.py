"""Which sources a notebook had, when no list of them can be read: put together from what else tells of them.

A source's id is made of its name and bytes as first added, so a name that a snapshot or a kept answer tells of belongs
to an original when both together give an id that the index has. And the fingerprint of the whole list is in states and
manifests: a list that has it is the list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from math import prod

from rag.changes import Code
from rag.errors import NotFound, StoreError
from rag.fingerprint import fingerprint
from rag.home.cells import Cells
from rag.home.place import Place
from rag.home.state import State
from rag.manifest import Manifest
from rag.sources.rows import SourceRow, registry_fingerprint
from rag.storage import layout
from rag.storage.originals import bad_original
from rag.storage.stamp import now

_TRIED_AT_MOST = 20_000


def gather(
    place: Place, manifests: Sequence[Manifest], state: State, older: Sequence[SourceRow], expected: str
) -> tuple[list[SourceRow], bool]:
    """The sources, and whether they are proved to be those whose fingerprint is `expected`.

    `older` are the sources of an older list that can be read; `manifests` are newest first. Where nothing can be
    proved, the sources are the older ones and those whose name and original are proved to belong together.
    """
    ids = _indexed_ids(place, manifests)
    kept = (name.rsplit("/", 1)[1] for name in sorted(place.files.found(layout.ORIGINALS, "*/*")))
    digests = [name for name in kept if len(name) == 64]
    changes = [change for manifest in manifests for change in manifest.changes] + list(state.pending)
    names = {change.text(field) for change in changes for field in ("source", "before", "after", "what")}
    for cell in Cells(place.objects, place.slug).all():
        names |= {passage.source for passage in cell.answer.passages}
    known = {row.source_id: row for row in older}
    for name, digest in product(sorted(name for name in names if name), digests):
        source_id = fingerprint([name, digest, 0])[:32]
        if source_id in ids and source_id not in known:
            place_in_order = 1 + max((row.position for row in known.values()), default=0)
            known[source_id] = SourceRow(source_id, name, digest, 0, place_in_order, added=now())
    changed = {change.text("source") for change in changes if change.code is Code.CHANGED}
    renamed = {change.text("before"): change.text("after") for change in changes if change.code is Code.RENAMED}
    proved = _proved([row for key, row in known.items() if key in ids], digests, changed, renamed, expected)
    if proved is not None:
        return [_measured(place, row) for row in proved], True
    # Without proof a changed file could come back as it was before: better not at all than wrong.
    sure = [row for row in known.values() if row.name not in changed]
    return [
        _measured(place, row) for row in sure if bad_original(place.originals, row.digest, None, deep=True) is None
    ], False


def _proved(
    rows: Sequence[SourceRow],
    digests: Sequence[str],
    changed: set[str],
    renamed: dict[str, str],
    expected: str,
) -> list[SourceRow] | None:
    options = [list(_options(row, digests, changed, renamed)) for row in rows]
    if prod(len(one) for one in options) * max(1, len(rows)) > _TRIED_AT_MOST:
        return None
    return next((list(tried) for tried in product(*options) if registry_fingerprint(tried) == expected), None)


def _options(row: SourceRow, digests: Sequence[str], changed: set[str], renamed: dict[str, str]) -> Iterator[SourceRow]:
    for name in {row.name, renamed.get(row.name) or row.name}:
        yield replace(row, name=name)
        if row.name in changed or name in changed:
            yield from (replace(row, name=name, digest=digest) for digest in digests if digest != row.digest)


def _measured(place: Place, row: SourceRow) -> SourceRow:
    name = place.originals.name(row.digest)
    return replace(row, size=place.files.size(name) if place.files.is_file(name) else row.size)


def _indexed_ids(place: Place, manifests: Sequence[Manifest]) -> set[str]:
    for manifest in manifests:
        try:
            return set(place.chunks(manifest).reader().source_ids())
        except (StoreError, NotFound):
            continue
    return set()
