"""The commands that move notebooks, as reports for the command line: plain values, and `_lines` for a person.

Shapes: `export` has `file`, `bytes`, `sources`, `chunks`, `cells`, `vectors`, `leftovers`, `problems`; `import` has
`notebook`, `title` and the same counts; `import-llamaindex` has `adopted`, `agreement`, `reason`, `left_out`, `needed`;
`export-llamaindex` has `folder`, `model`, `dimensions`. All have `verdict`, `snapshot`, `receipt` and `sentence`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rag.commands.reports import Report
from rag.manifest import Receipt

if TYPE_CHECKING:
    from rag.config import Config
    from rag.notebook import Notebook


def export_report(notebook: Notebook, file: Path, *, clean: bool, cells: bool) -> Report:
    """`export FILE.zip`. Raises as `export_notebook`."""
    from rag.moving.export import export_notebook

    done = export_notebook(notebook, file, clean=clean, cells=cells)
    report = asdict(done) | {"file": str(done.file), "receipt": asdict(Receipt())}
    return _with_verdict(report, notebook, done.sentence)


def import_report(config: Config, file: Path, slug: str | None, open_notebook: Callable[[str], Notebook]) -> Report:
    """`import FILE.zip`, into a notebook named `slug` or as the archive says; `open_notebook` opens it by name, for
    its verdict. Raises as `import_notebook`."""
    from rag.moving.importing import import_notebook

    done = import_notebook(config, file, slug)
    report = asdict(done) | {"notebook": done.slug}
    return _with_verdict(report, open_notebook(done.slug), done.sentence)


def import_llamaindex_report(notebook: Notebook, folder: Path, on_wait: Callable[[str], None]) -> Report:
    """`import-llamaindex DIR`. Raises as `import_llamaindex`."""
    from rag.moving.llamaindex_import import import_llamaindex

    done = import_llamaindex(notebook, folder, on_wait=on_wait)
    return _with_verdict(asdict(done) | {"adopted": done.snapshot is not None}, notebook, done.sentence)


def export_llamaindex_report(notebook: Notebook, folder: Path) -> Report:
    """`export-llamaindex DIR`. Raises as `export_llamaindex`."""
    from rag.moving.llamaindex_export import export_llamaindex

    done = export_llamaindex(notebook, folder)
    report = asdict(done) | {"folder": str(done.folder), "receipt": asdict(Receipt())}
    return _with_verdict(report, notebook, done.sentence)


def _with_verdict(report: Report, notebook: Notebook, sentence: str) -> Report:
    """With the verdict on the notebook as it is now, which is what the next opening will find."""
    verdict = notebook.status().verdict
    step = f"{verdict.name}: {verdict.sentence} {verdict.next_step}".rstrip()
    return report | {"verdict": verdict.name, "sentence": sentence, "_lines": [sentence, step]}
