"""Which files one version of a Lance table needs, with their sizes; standard library only.

lancedb cannot say it, so the version's own manifest is read (`rag.tables.lance_manifest`): it lies at
`_versions/<2**64 - 1 - version>.manifest`. A torn or foreign one is `Damaged`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rag.errors import Damaged, StoreError
from rag.storage.failures import translate
from rag.tables.lance_manifest import LanceManifest, TableShape, Torn
from rag.tables.refusals import refusal

_LAST = 2**64 - 1
_LONGEST = 64 * 2**20  # a manifest is a few kilobytes; anything longer is not one and is not read into memory


@dataclass(frozen=True, order=True)
class TableFile:
    """One file of a table: its path relative to the table's folder, with `/`, and its size in bytes."""

    path: str
    size: int


def files_of(folder: Path, version: int) -> tuple[TableFile, ...]:
    """All files that reading `version` of the table in `folder` (`<name>.lance`) needs, sorted by path.

    Includes the version's manifest; leaves out transaction files, which only writers look at. Sizes are those on disk,
    checked against the sizes Lance noted where it noted them. Contents are not read, except the manifest's.

    Raises:
        Damaged: a file is missing, of another size, or unreadable; names the file and the check.
    """
    path, manifest = _manifest(folder, version)
    name = path.relative_to(folder).as_posix()

    def listing(inside: str) -> list[str]:
        return [one.relative_to(folder).as_posix() for one in (folder / inside).rglob("*") if one.is_file()]

    try:
        needed = dict(manifest.files(listing))
    except Torn as torn:
        raise _damaged(folder, name, str(torn)) from torn
    needed[name] = 0
    return tuple(sorted(TableFile(path, _size(folder, path, noted)) for path, noted in needed.items()))


def shape_of(folder: Path, version: int) -> TableShape:
    """Fragments and rows of `version`, from its manifest alone: no data file is opened.

    Raises:
        Damaged: the manifest is missing or unreadable.
    """
    path, manifest = _manifest(folder, version)
    try:
        return manifest.shape()
    except Torn as torn:
        raise _damaged(folder, path.relative_to(folder).as_posix(), str(torn)) from torn


def latest_version(folder: Path) -> int | None:
    """The newest version that has a manifest in `folder`, readable or not; None where there is no table."""
    versions = _versions(folder)
    return max(versions) if versions else None


def set_aside_torn(folder: Path, above: int) -> tuple[str, ...]:
    """Rename unreadable manifests of versions newer than `above` to `<name>.torn`; returns the old names.

    A power cut can leave a torn manifest of a version nobody published, because Lance does not fsync; lancedb then
    refuses to open even older, pinned versions. Lance links manifests into place whole, so an unreadable one is never
    one that is being written, and readers may do this too.
    """
    renamed = []
    for version, name in sorted(_versions(folder).items()):
        if version <= above:
            continue
        manifest = folder / "_versions" / name
        try:
            _manifest(folder, version)
        except Damaged:
            manifest.rename(manifest.with_name(manifest.name + ".torn"))
            renamed.append(manifest.name)
    return tuple(renamed)


def sync(folder: Path, files: Iterable[TableFile]) -> None:
    """Make `files` durable: fsync each, then every folder from theirs up to the one that holds `folder`.

    Lance fsyncs nothing on a local disk. Files come before folders: a name must not outlive its bytes.

    Raises:
        Damaged: a file is gone. DiskFull, NotWritable: as the system says.
    """
    folders = {folder.parent, folder}
    for file in files:
        path = folder / file.path
        _fsync(path, folder)
        above = path.parent
        while above != folder:
            folders.add(above)
            above = above.parent
    if os.name != "nt":  # Windows has no way to open a folder for fsync
        for held in sorted(folders, key=lambda path: len(path.parts), reverse=True):
            _fsync(held, folder)


def os_failure(error: OSError, path: str) -> StoreError:
    """The store error that `error`, met at `path`, comes to."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS):
        return translate(error, path)
    if error.errno == errno.ENOENT:
        return Damaged(f"{path} is missing.")
    return Damaged(f"{path} cannot be read: {error.strerror or error}.")


def _fsync(path: Path, folder: Path) -> None:
    try:
        # Windows flushes only what was opened for writing.
        descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        shown = f"{folder.name}/{path.relative_to(folder).as_posix()}" if path.is_relative_to(folder) else str(path)
        raise os_failure(error, shown) from error


def _versions(folder: Path) -> dict[int, str]:
    try:
        names = [path.name for path in (folder / "_versions").iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise os_failure(error, f"{folder.name}/_versions") from error
    found = {}
    for name in names:
        stem, dot, ending = name.partition(".")
        if dot and ending == "manifest" and stem.isascii() and stem.isdigit() and len(stem) <= 20:
            number = int(stem)
            # Version 2 names count down from 2**64 - 1, so that the newest sorts first; old ones are plain.
            found[_LAST - number if number > _LAST // 2 else number] = name
    return found


def _manifest_path(folder: Path, version: int) -> Path:
    for name in (f"{_LAST - version:020d}.manifest", f"{version}.manifest"):
        path = folder / "_versions" / name
        if path.is_file():
            return path
    raise Damaged(f"{folder.name}/_versions/{_LAST - version:020d}.manifest is missing (version {version}).")


def _manifest(folder: Path, version: int) -> tuple[Path, LanceManifest]:
    path = _manifest_path(folder, version)
    name = path.relative_to(folder).as_posix()
    try:
        if path.stat().st_size > _LONGEST:
            raise _damaged(folder, name, "too long for a manifest")
        raw = path.read_bytes()
    except OSError as error:
        raise os_failure(error, f"{folder.name}/{name}") from error
    try:
        return path, LanceManifest(raw, version)
    except Torn as torn:
        raise _damaged(folder, name, str(torn)) from torn


def _size(folder: Path, path: str, noted: int) -> int:
    try:
        size = (folder / path).stat().st_size
    except OSError as error:
        raise os_failure(error, f"{folder.name}/{path}") from error
    if noted and size != noted:
        raise _damaged(folder, path, f"has {size} bytes where {noted} were written")
    if not size:
        raise _damaged(folder, path, "empty")
    return size


def _damaged(folder: Path, path: str, check: str) -> Damaged:
    return Damaged(f"{folder.name}/{path} is damaged: {check}.")


def clear_the_way(folder: Path, wanted: int, error: BaseException) -> bool:
    """Rename the newest version of a table to `….torn` where it keeps Lance from opening version `wanted`, an older.

    Lance opens a table through its newest version; a power cut or a flipped bit in it locks all others away. `error` is
    what opening failed with: a refusal of the system's says nothing about the table. Whether anything was renamed.

    Raises OSError.
    """
    if refusal(error) is not None:
        return False
    if set_aside_torn(folder, wanted):
        return True
    newest = latest_version(folder)
    if newest is None or newest <= wanted:
        return False
    path = folder / "_versions" / f"{2**64 - 1 - newest:020d}.manifest"
    path.rename(path.with_name(path.name + ".torn"))
    return True
