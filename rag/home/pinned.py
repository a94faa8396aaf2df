"""Files on the disk against what was written down about them: pinned files by size and SHA-256, originals by name.

Lance has no checksums, so a flipped bit goes unnoticed by it. Ours are in the manifests.
"""

from __future__ import annotations

import errno
import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rag.home.place import Place
from rag.manifest import Manifest, PinnedFile
from rag.storage.originals import Originals
from rag.tables.lance_files import latest_version, set_aside_torn

HASHED_AT_OPENING = 4 << 20
"""Bytes of a snapshot that opening hashes, small files first: about 3 ms, so that opening costs the same at every size.
Lance's own manifests and the registry are hashed as a rule, and a snapshot of up to about 1,800 chunks of 384
dimensions as a whole."""

HASHED_BEFORE_USE = 32 << 20
"""The same for the first search, which reads the vectors anyway, for what a build starts from, for going back, for
`status` on the command line, and for the doctor's usual look: 20 to 50 ms, which are little beside the rest. Up to
about 15,000 chunks as a whole."""

Kind = Literal["missing", "unreadable", "size", "altered"]


@dataclass(frozen=True)
class BadFile:
    """A file that fails its check. `name` is below the workspace; `sentence` names the file and the check."""

    name: str
    path: Path
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
        self._digests: dict[Path, str] = {}
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
            files = [one for one in files if f"notebooks/{self._place.slug}/{one[0]}/{one[1].path}" in only]
        spent = 0
        for folder, file in sorted(files, key=lambda one: (one[1].size, one[0], one[1].path)):
            spent += file.size
            hashing = spent > self._beyond and (self._budget is None or spent <= self._budget)
            found = self._look(f"{folder}/{file.path}", file, manifest.snapshot, hashing)
            if found is not None:
                yield found

    def _look(self, name: str, file: PinnedFile, snapshot: int, hashing: bool) -> BadFile | None:
        path = self._place.folder / name
        full = f"notebooks/{self._place.slug}/{name}"

        def bad(kind: Kind, check: str) -> BadFile:
            return BadFile(full, path, kind, f"{name} of snapshot {snapshot} {check}.")

        try:
            if not path.is_file():
                return bad("missing", "is missing")
            size = path.stat().st_size
            if size != file.size:
                return bad("size", f"has {size:,} bytes instead of {file.size:,}")
            if hashing and self._digest(path) != file.sha256:
                return bad("altered", "has other bytes than were written: its SHA-256 differs")
        except OSError as error:
            return bad("unreadable", f"cannot be read: {error.strerror or error}")
        return None

    def _digest(self, path: Path) -> str:
        if path not in self._digests:
            self._digests[path] = file_sha256(path)
            self.hashed += 1
        return self._digests[path]


def bad_original(originals: Originals, digest: str, size: int | None, *, deep: bool) -> tuple[Kind, str] | None:
    """What is wrong with an original, and the words that follow its name; None where it passes.

    `deep` compares its SHA-256 with its name; otherwise its size is compared, where that is known.
    """
    path = originals.path(digest)
    try:
        if not path.is_file():
            return "missing", "is missing"
        found = path.stat().st_size
        if size is not None and found != size:
            return "size", f"has {found:,} bytes instead of {size:,}"
        if deep and file_sha256(path) != digest:
            return "altered", "has other bytes than were added: its SHA-256 is not its name"
    except OSError as error:
        return "unreadable", f"cannot be read: {error.strerror or error}"
    return None


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, 64 hex digits. Raises OSError."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def set_aside(path: Path) -> Path:
    """Rename a damaged file or folder to `<name>.damaged` (`.damaged-2` …): nothing is deleted. Raises OSError."""
    for attempt in range(1, 10_000):
        target = path.with_name(f"{path.name}.damaged" + (f"-{attempt}" if attempt > 1 else ""))
        if not target.exists():
            path.rename(target)
            return target
    raise FileExistsError(f"{path.name} was set aside too often")


def clear_the_way(folder: Path, wanted: int, error: BaseException) -> bool:
    """Rename the newest version of a table to `….torn` where it keeps Lance from opening version `wanted`, an older.

    Lance opens a table through its newest version; a power cut or a flipped bit in it locks all others away. `error` is
    what opening failed with: a refusal of the system's says nothing about the table. Whether anything was renamed.

    Raises OSError.
    """
    refused = re.search(r"os error (\d+)", str(error))
    if refused and int(refused[1]) not in (errno.ENOENT, errno.EISDIR):
        return False
    if set_aside_torn(folder, wanted):
        return True
    newest = latest_version(folder)
    if newest is None or newest <= wanted:
        return False
    path = folder / "_versions" / f"{2**64 - 1 - newest:020d}.manifest"
    path.rename(path.with_name(path.name + ".torn"))
    return True
