"""The command `tag`: give sources tags of one's own, take them off, list them.

Shape: `tags` (every tag of the notebook), `sources` (each with `name` and `tags`; of those named, or of all that have
tags), `sentence`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from rag.commands.reports import Report
from rag.errors import ConfigError
from rag.sources.tags import known_tags
from rag.text.counting import count

if TYPE_CHECKING:
    from rag.notebook import Notebook

Run = Callable[["Notebook", argparse.Namespace], Report]
Command = Callable[[str, Run, str], argparse.ArgumentParser]


def register(command: Command) -> None:
    """Add the command to the parser."""
    tag = command("tag", _tag, "add tags to sources, remove or list them; builds nothing")
    tag.add_argument("names", nargs="*", metavar="NAME", help="a source, or those like '*.pdf'; none lists all tags")
    tag.add_argument("--add", action="append", default=[], metavar="TAG", help="give them this tag")
    tag.add_argument("--remove", action="append", default=[], metavar="TAG", help="take this tag off them")


def _tag(notebook: Notebook, options: argparse.Namespace) -> Report:
    """`tag`. Raises as `Notebook.tag`."""
    if (options.add or options.remove) and not options.names:
        raise ConfigError("Say which sources: `tag NAME --add TAG`; '*' means all of them.")
    rows = notebook.sources()
    names = list(dict.fromkeys(name for given in options.names for name in _meant(given, [row.name for row in rows])))
    if options.names:
        notebook.tag(names, add=options.add, remove=options.remove)  # without tags too: it refuses unknown names
    of = notebook.tags()
    listed = [row for row in rows if (row.name in names if options.names else row.source_id in of)]
    sources = [{"name": row.name, "tags": list(of.get(row.source_id, ()))} for row in listed]
    lines = [f"{row.name}: {', '.join(of.get(row.source_id, ())) or 'no tags'}" for row in listed]
    if options.add or options.remove:
        sentence = f"Changed the tags of {count(len(names), 'source')}. Nothing was built."
        lines.insert(0, sentence)
    else:
        sentence = f"{count(len(known_tags(of)), 'tag')}."
    return {
        "verdict": notebook.status().verdict.name,
        "tags": known_tags(of),
        "sources": sources,
        "sentence": sentence,
        "_lines": lines or ["No tags yet: give a source one with `tag NAME --add TAG`."],
    }


def _meant(given: str, names: list[str]) -> list[str]:
    """The source of that name, or those like it; itself where there are none, to be refused."""
    return [given] if given in names else [name for name in names if fnmatchcase(name, given)] or [given]
