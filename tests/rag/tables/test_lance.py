"""The import of lancedb without its client of namespace servers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.notebooks import ROOT
from tests.waiting import CEILING


def run(code: str, *arguments: object) -> None:
    """In a fresh process: this one has imported everything."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=CEILING,
    )
    assert done.returncode == 0, done.stderr


def test_the_client_is_not_loaded_and_what_needs_it_says_so() -> None:
    run(
        """
        import sys
        from rag.tables.lance import lancedb
        assert not [name for name in sys.modules if name.startswith("lance_namespace_urllib3_client")]
        try:
            lancedb.db.namespace_connect("rest", {"uri": "http://127.0.0.1:9"})
        except ImportError as error:
            assert "is left out" in str(error), error
        else:
            raise AssertionError("a namespace server was opened")
        """.replace("\n        ", "\n")
    )


def test_whoever_imports_the_client_gets_the_real_one_before_and_after() -> None:
    for first, then in (("rag.tables.lance", "lance_namespace"), ("lance_namespace", "rag.tables.lance")):
        run(f"import {first}, {then}, lance_namespace as real; assert real.ListTablesRequest(id=['a']).id == ['a']")


def test_the_errors_that_lancedb_catches_are_the_real_ones(tmp_path: Path) -> None:
    run(
        """
        import sys
        from rag.tables.lance import lancedb
        import lancedb.db, lance_namespace
        assert lancedb.db.TableNotFoundError is lance_namespace.TableNotFoundError
        database = lancedb.connect(sys.argv[1])
        database.create_table("t", [{"a": 1}])
        assert lancedb.connect(sys.argv[1]).open_table("t").count_rows() == 1
        """.replace("\n        ", "\n"),
        tmp_path,
    )
