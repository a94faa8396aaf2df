from __future__ import annotations

import json
from dataclasses import replace

from rag.ledger import Ledger, entry
from rag.objects import Objects
from tests.notebooks import python

WRITER = """
    import sys
    from pathlib import Path
    from rag.ledger import Ledger, entry
    from rag.objects import Objects
    ledger = Ledger(Objects(Path(sys.argv[1])))
    for number in range(40):
        ledger.record(entry("m", "build", texts=1, tokens=number, cost_usd=0.5, notebook=sys.argv[2]))
"""


def paid(**changes):
    fields = {"texts": 2, "tokens": 10, "cost_usd": 0.25, "notebook": "main"} | changes
    return entry(fields.pop("model", "m"), fields.pop("purpose", "build"), **fields)


def test_several_processes_write_and_no_line_is_lost(tmp_path):
    writers = [python(WRITER, tmp_path, name) for name in ("one", "two", "one")]
    assert [(child.communicate(timeout=120)[1], child.returncode) for child in writers] == [("", 0)] * 3
    ledger = Ledger(Objects(tmp_path))
    assert len(list(ledger.entries())) == 120
    assert len(list(ledger.folder().glob("*/*.jsonl"))) == 3
    assert [(one.group, one.calls, one.tokens, one.cost_usd) for one in ledger.spent("notebook")] == [
        ("one", 80, 2 * sum(range(40)), 40.0),
        ("two", 40, sum(range(40)), 20.0),
    ]


def test_what_is_written_comes_back(tmp_path):
    ledger = Ledger(Objects(tmp_path))
    assert list(ledger.entries()) == ledger.spent("day") == []
    assert not ledger.folder().exists()
    lines = [paid(), paid(cost_usd=None, snapshot=3, space="ff", notebook="ё", purpose="question")]
    for line in lines:
        ledger.record(line)
    assert list(Ledger(Objects(tmp_path)).entries()) == lines


def test_a_line_cut_short_is_passed_over(tmp_path):
    ledger = Ledger(Objects(tmp_path))
    ledger.record(paid())
    ledger.record(paid(tokens=99))
    (path,) = ledger.folder().glob("*/*.jsonl")
    content = path.read_bytes()
    path.write_bytes(content[:-12])
    with (path.parent / "other.jsonl").open("wb") as odd:
        odd.write(b'\xff\xfe\n[1, 2]\n{"time": "x"}\nnull\n\n')
    assert [one.tokens for one in Ledger(Objects(tmp_path)).entries()] == [10]


def test_unknown_is_not_nothing(tmp_path):
    ledger = Ledger(Objects(tmp_path))
    ledger.record(paid(cost_usd=None))
    (alone,) = ledger.spent("model")
    assert (alone.calls, alone.unpriced) == (1, 1)
    ledger.record(paid(cost_usd=0.5))
    (both,) = ledger.spent("model")
    assert (both.calls, both.cost_usd, both.unpriced, both.texts, both.tokens) == (2, 0.5, 1, 4, 20)
    lines = [json.loads(line) for path in ledger.folder().glob("*/*") for line in path.read_text().splitlines()]
    assert [line["cost_usd"] for line in lines] == [None, 0.5]


def test_totals_by_everything(tmp_path):
    ledger = Ledger(Objects(tmp_path))
    for line in (
        replace(paid(), time="2026-01-01T23:59:59.999Z"),
        replace(paid(model="n", purpose="canary"), time="2026-01-02T00:00:00.000Z"),
        replace(paid(purpose="answer", notebook="two"), time="2026-01-02T10:00:00.000Z"),
    ):
        ledger.record(line)

    def calls(by):
        return {one.group: one.calls for one in ledger.spent(by)}

    assert calls("day") == {"2026-01-01": 1, "2026-01-02": 2}
    assert calls("notebook") == {"main": 2, "two": 1}
    assert calls("model") == {"m": 2, "n": 1}
    assert calls("purpose") == {"answer": 1, "build": 1, "canary": 1}
    assert sorted(path.name for path in ledger.folder().iterdir()) == ["2026-01-01", "2026-01-02"]


def test_a_line_after_one_that_was_cut_is_a_line_of_its_own(tmp_path):
    """As on a disk that was full and has room again: the process goes on in the same file."""
    ledger = Ledger(Objects(tmp_path))
    ledger.record(paid(tokens=1))
    ledger.record(paid(tokens=2))
    path = next(ledger.folder().glob("*/*.jsonl"))
    for cut in (path.read_bytes()[:-30], b""):
        path.write_bytes(cut)
        left = [one.tokens for one in ledger.entries()]
        ledger.record(paid(tokens=3))
        ledger.record(paid(tokens=4))
        assert [one.tokens for one in ledger.entries()] == [*left, 3, 4]
