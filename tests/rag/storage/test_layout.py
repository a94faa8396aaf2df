"""Names on the disk: each once, those of docs/storage.md, and those that real homes have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rag.storage import layout
from tests.notebooks import ROOT

FP = "0123456789abcdef" * 4
PAGE = (ROOT / "docs" / "storage.md").read_text("utf-8")
GOLDEN = sorted((ROOT / "tests" / "golden").glob("format-*/*/default"))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (layout.original("ab" + "0" * 62), "originals/ab/ab"),
        (layout.space_description(FP), "spaces/<space16>/space.json"),
        (layout.vectors(FP), "spaces/<space16>/vectors.lance/"),
        (layout.space_recipes(FP, FP), "spaces/<space16>/recipes/<recipe16>.json"),
        (f"{layout.manifests('<slug>')}/{layout.numbered(42)}", "notebooks/<slug>/manifests/00000042.json"),
        (f"{layout.states('<slug>')}/{layout.numbered(17)}", "notebooks/<slug>/state/00000017.json"),
        (layout.in_notebook("<slug>", layout.SOURCES), "notebooks/<slug>/sources.lance/"),
        (
            layout.in_notebook("<slug>", f"{layout.index(FP)}/{layout.CHUNKS_TABLE}"),
            "notebooks/<slug>/index/<recipe16>/chunks.lance/",
        ),
        (layout.cells("<slug>", "<id>"), "notebooks/<slug>/cells/<id>.json"),
        (f"{layout.tags('<slug>')}/{layout.numbered(5)}", "notebooks/<slug>/tags/00000005.json"),
        (layout.kept("<slug>", 3), "notebooks/<slug>/kept/00000003.json"),
        (layout.purge_note("<slug>"), "notebooks/<slug>/lease/purge.json"),
        (layout.in_notebook("<slug>", layout.JOURNAL), "notebooks/<slug>/lease/build.json"),
        (layout.in_notebook("<slug>", layout.READERS), "notebooks/<slug>/lease/readers/"),
        (layout.in_notebook("<slug>", layout.LOCK), "notebooks/<slug>/.lock"),
        (layout.ARRIVALS_LOCK, ".arrivals.lock"),
        (layout.LEDGER, "ledger/"),
    ],
)
def test_the_page_has_every_name(name: str, told: str) -> None:
    assert told in PAGE
    plain = told.replace("<space16>", FP[:16]).replace("<recipe16>", FP[:16]).rstrip("/")
    assert name.startswith(plain)


def test_no_other_room_spells_a_name_of_the_home() -> None:
    spelt = re.compile(r"""["'](?:notebooks|originals|spaces)/""")
    allowed = {"layout.py", "contents.py", "unpacking.py"}  # the names inside an archive are its own
    found = [
        f"{path}:{number}"
        for path in sorted((ROOT / "rag").rglob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if spelt.search(line) and path.name not in allowed and not line.lstrip().startswith(('"""', "#"))
    ]
    assert found == []


@pytest.mark.parametrize("home", GOLDEN, ids=lambda home: "-".join(home.parts[-3:-1]))
def test_real_homes_have_nothing_but_these_names(home: Path) -> None:
    known = [
        r"originals/[0-9a-f]{2}/[0-9a-f]{64}",
        r"spaces/[0-9a-f]{16}/(space|live|default|refused)\.json",
        r"spaces/[0-9a-f]{16}/recipes/[0-9a-f]{16}\.json",
        rf"spaces/[0-9a-f]{{16}}/{layout.VECTORS_TABLE}/.+",
        r"notebooks/[^/]+/(manifests|state|tags|kept)/[0-9]{8}\.json",
        r"notebooks/[^/]+/cells/[0-9a-f]+\.json",
        rf"notebooks/[^/]+/({layout.SOURCES}|index/[0-9a-f]{{16}}/{layout.CHUNKS_TABLE})/.+",
        r"ledger/.+\.jsonl",
    ]
    names = [path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()]
    assert names
    assert [name for name in names if not any(re.fullmatch(one, name) for one in known)] == []
