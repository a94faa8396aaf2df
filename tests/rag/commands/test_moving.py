"""What the command line prints for a move: plain JSON, with the fields every command has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rag.commands.moving import export_llamaindex_report, export_report, import_llamaindex_report, import_report
from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook, settings, text_of


def shown(report: dict[str, Any]) -> dict[str, Any]:
    """The report as it is printed with --json; a person gets its sentence and the verdict."""
    lines = report.pop("_lines")
    assert lines[0] == report["sentence"]
    assert lines[1].startswith(report["verdict"])
    body: dict[str, Any] = json.loads(json.dumps(report))
    assert {"verdict", "snapshot", "receipt", "sentence", "sources", "chunks"} <= body.keys()
    return body


def test_every_report_is_json_and_says_what_was_done(tmp_path: Path) -> None:
    """There and back, by both ways."""
    model = CountingEmbedding()
    book = notebook(tmp_path / "home", model)
    book.add([file("a.txt", text_of(5, 1))])
    exported = shown(export_report(book, tmp_path / "book.zip", clean=False, cells=True))
    assert (exported["verdict"], exported["chunks"], exported["receipt"]["calls"]) == ("HIT", 5, 0)
    assert exported["bytes"] == Path(exported["file"]).stat().st_size
    imported = shown(
        import_report(
            settings(tmp_path / "other"),
            tmp_path / "book.zip",
            "moved",
            lambda slug: notebook(tmp_path / "other", slug=slug),
        )
    )
    assert (imported["verdict"], imported["notebook"], imported["receipt"]["calls"]) == ("HIT", "moved", 0)
    written = shown(export_llamaindex_report(book, tmp_path / "li"))
    assert (written["model"], written["dimensions"]) == ("counting", 64)
    back = notebook(tmp_path / "home", model, slug="back")
    adopted = shown(import_llamaindex_report(back, tmp_path / "li", lambda _: None))
    assert (adopted["adopted"], adopted["verdict"], adopted["snapshot"]) == (True, "OTHER_RECIPE", 1)
    assert adopted["needed"]["texts"] == 5
    refused = notebook(tmp_path / "home", CountingEmbedding(seed=4), slug="seeded")
    texts = shown(import_llamaindex_report(refused, tmp_path / "li", lambda _: None))
    assert (texts["adopted"], texts["verdict"], texts["snapshot"]) == (False, "NEW", None)
