"""The README keeps its word: its Python runs, and its settings and commands are those there are."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from rag.settings import NAMES
from tests.notebooks import ROOT
from tests.waiting import CEILING

README = (ROOT / "README.md").read_text("utf-8")


def test_its_python_runs(tmp_path: Path) -> None:
    shutil.copy(ROOT / "README.md", tmp_path)
    code = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert len(code) == 1
    script = tmp_path / "example.py"
    script.write_text(code[0] + "print(len(retriever.retrieve('What does a HIT cost?')))\n", "utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAGBOOK_", "OPENAI_"))}
    run = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=CEILING,
        env={**kept, "PYTHONPATH": str(ROOT)},
    )
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert lines[0].startswith("This notebook has no sources yet")
    assert sum(line.startswith("README.md ") for line in lines) == 3
    assert lines[-1] == "3"


def test_its_settings_are_those_that_are_read() -> None:
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE)) == set(NAMES)


def test_its_commands_are_those_there_are() -> None:
    part = README[README.index("## On the command line") : README.index("## In Python")]
    named = set(re.findall(r"^    python -m rag ([a-z-]+)", part, re.MULTILINE))
    table = part[part.index("| command |") :]
    for cell in re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE):
        named |= {quoted.split()[0] for quoted in re.findall(r"`(.+?)`", cell)}
    usage = subprocess.run(
        [sys.executable, "-m", "rag", "--help"], cwd=ROOT, capture_output=True, text=True, timeout=CEILING
    )
    assert named == set(re.findall(r"^    ([a-z-]+)(?: |$)", usage.stdout, re.MULTILINE))
