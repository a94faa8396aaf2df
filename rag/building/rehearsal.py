"""A stand-in for a notebook in which what would happen can be tried: nothing that is done there reaches the home.

A build may set damaged files aside, repair and register before it knows what it will pay for. An estimate has to come
to the same, and write nothing. So it runs the same code on a passing folder that has a link to each file: renaming,
removing and creating change the links, and Lance and we never write into a file that is there.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rag.home.place import Place
from rag.storage import layout
from rag.storage.failures import translated
from rag.storage.objects import LocalObjects

# What is pinned is linked after what pins it: else a build that publishes meanwhile would look damaged.
_FIRST = ("manifests", "state")


@contextmanager
def rehearsed(place: Place) -> Iterator[Place]:
    """The notebook's stand-in, for as long as the context lasts.

    Raises:
        StoreError: the home cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="ragbook-") as folder:
        home = place.files
        copy = Place(LocalObjects(Path(folder) / home.at().name), place.slug)
        own = (place.name(part) for part in _FIRST)
        rest = (one for one in sorted(home.found(place.name(""), "*")) if home.is_folder(one))
        late = (one for one in rest if one.rsplit("/", 1)[-1] not in (*_FIRST, "lease"))
        for name in (*own, *late, layout.SPACES, layout.ORIGINALS):
            _link(home.at(name), copy.files.at(name))
        yield copy


def stand_in(source: Path, target: Path) -> None:
    """Put a link to `source` where `target` is, which need not exist."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        target.symlink_to(source)
    except OSError:  # Windows lets only some users make links
        shutil.copyfile(source, target)


def _link(source: Path, target: Path) -> None:
    def refuse(error: OSError) -> None:
        raise error

    with translated(source.name):
        if not source.is_dir():
            return
        for folder, _, files in os.walk(source, onerror=refuse):
            here = target / Path(folder).relative_to(source)
            here.mkdir(parents=True, exist_ok=True)
            for name in files:
                if not name.endswith(".lock"):  # a lock is taken by writing into its file
                    stand_in(Path(folder, name).absolute(), here / name)
