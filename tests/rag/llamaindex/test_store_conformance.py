"""LangChain's and Haystack's public suites for stores, run against ours through the adapters beside this checkout.

Each runs in its own process: they bring plugins and warnings of their own. Where the adapters are not at hand,
`test_store.py` makes the same demands.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.waiting import CEILING

HOUSE = Path(__file__).parents[3]
ADAPTERS = HOUSE.parent / "shared" / "peer-tests"
# Haystack's own error types, and date strings as numbers: demands on Haystack, not on a store.
NOT_OURS = "not with_string and not with_list and not non_list and not missing_ and not iso_date"
# Haystack's NOT means "not all of them", llama-index's means "none of them"; a llama-index store does the latter.
OTHER_MEANING = {"test_not_operator"}

SUITES: list[tuple[str, int, set[str], list[str]]] = []
if ADAPTERS.is_dir() and find_spec("langchain_tests") and find_spec("pytest_asyncio"):
    SUITES.append(("langchain", 25, set(), []))
if ADAPTERS.is_dir() and find_spec("haystack"):
    SUITES.append(("haystack", 27, OTHER_MEANING, ["-k", NOT_OURS]))


def make_store(path: str) -> object:
    """An empty store under `path`; the adapters call this."""
    from rag.llamaindex.vector_store import LanceVectorStore

    return LanceVectorStore.at(path)


def start(suite: str, arguments: list[str], folder: Path) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(HOUSE), str(Path(__file__).parent), str(ADAPTERS)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(folder),
        "VS_FACTORY": f"{Path(__file__).stem}:make_store",
        "VS_UPSERT": "native",
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-rA",
        "-p",
        "no:benchmark",
        "-c",
        "pytest.ini",
        "--timeout",
        str(CEILING),
        *arguments,
    ]
    command.append(f"test_conformance_{suite}.py")
    return subprocess.Popen(
        command, cwd=ADAPTERS, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_public_suites_pass(tmp_path: Path) -> None:
    running = [(start(suite, arguments, tmp_path), expected, excused) for suite, expected, excused, arguments in SUITES]
    outputs = [(process.communicate()[0], expected, excused) for process, expected, excused in running]
    for output, expected, excused in outputs:
        failed = set(re.findall(r"^(?:FAILED|ERROR) .*::(\w+)", output, re.MULTILINE))
        passed = re.search(r"(\d+) passed", output)
        assert failed == excused, output[-3000:]
        assert passed, output[-3000:]
        assert int(passed.group(1)) == expected, output[-3000:]
        assert "skipped" not in output, output[-3000:]


@pytest.mark.parametrize("name", ["langchain", "haystack"])
def test_factory_makes_a_store(tmp_path: Path, name: str) -> None:
    store = make_store(str(tmp_path / name))
    assert store.class_name() == "LanceVectorStore"  # type: ignore[attr-defined]
