"""A command loads what it needs, and nothing that it does not: most of what it costs is what it imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.layout import within
from tests.notebooks import ROOT
from tests.waiting import CEILING

NEVER = (
    "llama_index",
    "openai",
    "pandas",
    "onnx",
    "ml_dtypes",
    "lance_namespace_urllib3_client",
    "streamlit",
    "tiktoken",
    "nltk",
)
"""Packages of the house that no command needs on the embedded default."""

BUDGET = {"status": 290, "add": 700, "search": 790, "ask": 790}
"""Modules that each command may load. An upgrade that brings new ones is looked at before the number is raised."""


def loaded_by(home: Path, *command: str) -> list[str]:
    """Every module that is there when `python -m rag` ends, in a process of its own."""
    code = (
        "import runpy, sys\n"
        "try: runpy.run_module('rag', run_name='__main__', alter_sys=True)\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        cwd=ROOT,
        env={**os.environ, "RAGBOOK_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=CEILING,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stderr.splitlines()[-1].split()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("start")
    (folder / "owls.md").write_text("# Owls\n\nOwls hunt at night. They eat mice.\n", "utf-8")
    loaded_by(folder / "home", "add", str(folder / "owls.md"))
    return folder


@pytest.mark.parametrize("name", list(BUDGET))
def test_a_command_keeps_its_budget_of_modules(home: Path, name: str) -> None:
    argument = {"add": [str(home / "owls.md")], "search": ["When do owls hunt?"], "ask": ["When do owls hunt?"]}
    found = loaded_by(home / "home", name, *argument.get(name, []))
    assert not [module for module in found if within(module, *NEVER)]
    assert len(found) <= BUDGET[name], f"{len(found)} modules"
