"""Deleting a saved space: explicit, and after saying what it would cost to get it back."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from rag.errors import Damaged, NotFound, RagbookError
from rag.manifest import Manifest
from rag.objects import translated
from rag.outcome import count
from rag.place import Place
from rag.snapshots import lease
from rag.vectors import VectorCache


@dataclass(frozen=True)
class Removal:
    """What deleting a space takes along, in a sentence; `done` when it was done."""

    sentence: str
    vectors: int
    done: bool


def remove_space(place: Place, fingerprint: str, *, sure: bool) -> Removal:
    """Delete the space whose fingerprint begins with `fingerprint`, with its cached vectors.

    Raises:
        NotFound: no saved space, or more than one, begins so.
        RagbookError: a snapshot of a notebook of the workspace is in this space; forget those first.
    """
    found = [space for space in place.spaces.all() if space.fingerprint.startswith(fingerprint)]
    if len(fingerprint) < 4 or len(found) != 1:
        raise NotFound(f"{len(found)} spaces begin with {fingerprint!r}. Give at least 4 digits of one: see `spaces`.")
    space = found[0]
    used = _used_by(place, space.fingerprint)
    folder = place.objects.root / place.spaces.folder(space.fingerprint)
    vectors = len(VectorCache(folder, space.dimensions))
    sentence = (
        f"The space {space} has {count(vectors, 'vector')}. Getting it back would mean embedding "
        f"{count(vectors, 'text')} again."
    )
    if used:
        raise RagbookError(f"{sentence} Snapshots of {', '.join(used)} are in it: forget those first.")
    if not sure:
        return Removal(f"{sentence} Say --yes to delete it.", vectors, False)
    with lease(place.folder, wait_seconds=60), translated(place.spaces.folder(space.fingerprint)):
        shutil.rmtree(folder)
    return Removal(f"Deleted the space {space} with {count(vectors, 'vector')}.", vectors, True)


def _used_by(place: Place, fingerprint: str) -> list[str]:
    slugs = []
    for slug in place.objects.folders("notebooks"):
        for found in Place(place.objects, slug).snapshots.newest():
            if isinstance(found, Damaged):
                raise Damaged(f"{found} Nobody can say which space it needs: run doctor --repair first.")
            if isinstance(found, Manifest) and found.space_fp == fingerprint:
                slugs.append(slug)
                break
    return slugs
