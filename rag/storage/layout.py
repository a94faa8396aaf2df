"""Every name below a workspace, once: which objects, tables and notes lie where. Pure.

`docs/storage.md` has the same table for people, and a test compares them.
"""

from __future__ import annotations

NOTEBOOKS = "notebooks"
ORIGINALS = "originals"
SPACES = "spaces"
LEDGER = "ledger"
ARRIVALS_LOCK = ".arrivals.lock"

INDEX = "index"
"""Folder of a notebook that holds one folder for each recipe."""
SOURCES = "sources.lance"
CHUNKS = "chunks"
"""Name of the table of chunks in the folder of its recipe, as Lance is told it."""
CHUNKS_TABLE = f"{CHUNKS}.lance"
VECTORS = "vectors"
VECTORS_TABLE = f"{VECTORS}.lance"
JOURNAL = "lease/build.json"
READERS = "lease/readers"
LOCK = ".lock"


def notebook(slug: str) -> str:
    """Folder of a notebook."""
    return f"{NOTEBOOKS}/{slug}"


def manifests(slug: str) -> str:
    """Folder of the manifests of a notebook, numbered."""
    return f"{NOTEBOOKS}/{slug}/manifests"


def states(slug: str) -> str:
    """Folder of what was wanted of a notebook, numbered."""
    return f"{NOTEBOOKS}/{slug}/state"


def tags(slug: str) -> str:
    """Folder of the tags of a notebook's sources, numbered."""
    return f"{NOTEBOOKS}/{slug}/tags"


def kept(slug: str, number: int | None = None) -> str:
    """Folder of the marks that exempt snapshots from retiring; with `number`, that snapshot's mark."""
    return f"{NOTEBOOKS}/{slug}/kept" + ("" if number is None else f"/{numbered(number)}")


def cells(slug: str, cell_id: str | None = None) -> str:
    """Folder of the cells of a notebook; with `cell_id`, that cell."""
    return f"{NOTEBOOKS}/{slug}/cells" + ("" if cell_id is None else f"/{cell_id}.json")


def purge_note(slug: str) -> str:
    """Names still to be purged, while a purge is under way."""
    return f"{NOTEBOOKS}/{slug}/lease/purge.json"


def in_notebook(slug: str, name: str) -> str:
    """What a manifest names, below the notebook's folder, as a name below the workspace."""
    return f"{NOTEBOOKS}/{slug}/{name}"


def index(recipe_fp: str) -> str:
    """Folder of the chunks of a recipe, below the notebook's folder."""
    return f"{INDEX}/{recipe_fp[:16]}"


def original(digest: str) -> str:
    """The bytes of a source as they were given."""
    return f"{ORIGINALS}/{digest[:2]}/{digest}"


def space(space_fp: str) -> str:
    """Folder of an embedding space."""
    return f"{SPACES}/{space_fp[:16]}"


def space_description(space_fp: str) -> str:
    """What a space is, with its canary."""
    return f"{space(space_fp)}/space.json"


def space_recipes(space_fp: str, recipe_fp: str | None = None) -> str:
    """Folder of the recipes that texts of a space were split with; with `recipe_fp`, that recipe's note."""
    return f"{space(space_fp)}/recipes" + ("" if recipe_fp is None else f"/{recipe_fp[:16]}.json")


def space_live(space_fp: str) -> str:
    """Note that the live model is of this one of several variants."""
    return f"{space(space_fp)}/live.json"


def space_default(space_fp: str) -> str:
    """Note that the dimensions of a space are what its model gives when it is not asked for any."""
    return f"{space(space_fp)}/default.json"


def space_refused(space_fp: str) -> str:
    """Note with which sentence the live model was refused."""
    return f"{space(space_fp)}/refused.json"


def vectors(space_fp: str) -> str:
    """The table of vectors that were paid for in a space."""
    return f"{space(space_fp)}/{VECTORS_TABLE}"


def numbered(number: int) -> str:
    """Last part of the name of a numbered object."""
    return f"{number:08d}.json"
