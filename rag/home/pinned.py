"""Files on the disk against what was written down about them: pinned files by size and SHA-256, originals by name.

Lance has no checksums, so a flipped bit goes unnoticed by it. Ours are in the manifests.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from rag.home.place import Place
from rag.manifest import Manifest, PinnedFile
from rag.storage.digests import Kind

HASHED_AT_OPENING = 4 << 20
"""Bytes of a snapshot that opening hashes, small files first: about 3 ms, so that opening costs the same at every size.
Lance's own manifests and the registry are hashed as a rule, and a snapshot of up to about 1,800 chunks of 384
dimensions as a whole."""

HASHED_BEFORE_USE = 32 << 20
"""The same for the first search, which reads the vectors anyway, for what a build starts from, for going back, for
`status` on the command line, and for the doctor's usual look: 20 to 50 ms, which are little beside the rest. Up to
about 15,000 chunks as a whole."""


@dataclass(frozen=True)
class BadFile:
    """A file that fails its check. `name` is below the workspace; `sentence` names the file and the check."""

    name: str
    kind: Kind
    sentence: str


class PinnedFiles:
    """Checks the pinned files of snapshots; a file that several of them pin is hashed once.

    `budget` bounds the bytes hashed per snapshot, small files first; None: all of them. Sizes are always compared.
    `beyond` are the bytes that were hashed before, with a smaller budget: they are not hashed again.
    """

    def __init__(self, place: Place, budget: int | None = HASHED_BEFORE_USE, *, beyond: int = 0) -> None:
        self._place = place
        self._budget = budget
        self._beyond = beyond
        self._digests: dict[str, str] = {}
        self.hashed = 0

    def first(self, manifest: Manifest) -> str | None:
        """The first thing wrong with a snapshot's files, as a sentence."""
        return next((bad.sentence for bad in self.bad(manifest)), None)

    def bad(self, manifest: Manifest, *, only: Collection[str] | None = None) -> Iterator[BadFile]:
        """Every pinned file that fails its check. Never raises for what is wrong with a file.

        With `only`, no others than these, by their names below the workspace.
        """
        files = [(table.path, file) for table in manifest.tables.values() for file in table.files]
        if only is not None:
            files = [one for one in files if self._place.name(f"{one[0]}/{one[1].path}") in only]
        spent = 0
        for folder, file in sorted(files, key=lambda one: (one[1].size, one[0], one[1].path)):
            spent += file.size
            hashing = spent > self._beyond and (self._budget is None or spent <= self._budget)
            found = self._look(f"{folder}/{file.path}", file, manifest.snapshot, hashing)
            if found is not None:
                yield found

    def _look(self, name: str, file: PinnedFile, snapshot: int, hashing: bool) -> BadFile | None:
        files, full = self._place.files, self._place.name(name)

        def bad(kind: Kind, check: str) -> BadFile:
            return BadFile(full, kind, f"{name} of snapshot {snapshot} {check}.")

        try:
            if not files.is_file(full):
                return bad("missing", "is missing")
            size = files.size(full)
            if size != file.size:
                return bad("size", f"has {size:,} bytes instead of {file.size:,}")
            if hashing and self._digest(full) != file.sha256:
                return bad("altered", "has other bytes than were written: its SHA-256 differs")
        except OSError as error:
            return bad("unreadable", f"cannot be read: {error.strerror or error}")
        return None

    def _digest(self, name: str) -> str:
        if name not in self._digests:
            self._digests[name] = self._place.files.sha256(name)
            self.hashed += 1
        return self._digests[name]
