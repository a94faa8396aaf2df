from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rag.errors import StoreUnavailable
from rag.storage.ledger import Ledger, entry, reset
from rag.storage.objects import LocalObjects
from tests.notebooks import python, said
from tests.waiting import CEILING

WRITER = """
    import sys
    from pathlib import Path
    from rag.storage.ledger import Ledger, entry
    from rag.storage.objects import LocalObjects
    ledger = Ledger(LocalObjects(Path(sys.argv[1])))
    for number in range(40):
        ledger.record(entry("m", "build", texts=1, tokens=number, cost_usd=0.5, notebook=sys.argv[2]))
"""


def paid(**changes):
    fields = {"texts": 2, "tokens": 10, "cost_usd": 0.25, "notebook": "main"} | changes
    return entry(fields.pop("model", "m"), fields.pop("purpose", "build"), **fields)


def test_several_processes_write_and_no_line_is_lost(tmp_path):
    writers = [python(WRITER, tmp_path, name) for name in ("one", "two", "one")]
    assert [(child.communicate(timeout=CEILING)[1], child.returncode) for child in writers] == [("", 0)] * 3
    ledger = Ledger(LocalObjects(tmp_path))
    assert len(list(ledger.entries())) == 120
    assert len(list(ledger.folder().glob("*/*.jsonl"))) == 3
    assert [(one.group, one.calls, one.tokens, one.cost_usd) for one in ledger.spent("notebook")] == [
        ("one", 80, 2 * sum(range(40)), 40.0),
        ("two", 40, sum(range(40)), 20.0),
    ]


def test_what_is_written_comes_back(tmp_path):
    ledger = Ledger(LocalObjects(tmp_path))
    assert list(ledger.entries()) == ledger.spent("day") == []
    assert not ledger.folder().exists()
    lines = [paid(), paid(cost_usd=None, snapshot=3, space="ff", notebook="ё", purpose="question")]
    for line in lines:
        ledger.record(line)
    assert list(Ledger(LocalObjects(tmp_path)).entries()) == lines


def test_a_line_cut_short_is_passed_over(tmp_path):
    ledger = Ledger(LocalObjects(tmp_path))
    ledger.record(paid())
    ledger.record(paid(tokens=99))
    (path,) = ledger.folder().glob("*/*.jsonl")
    content = path.read_bytes()
    path.write_bytes(content[:-12])
    with (path.parent / "other.jsonl").open("wb") as odd:
        odd.write(b'\xff\xfe\n[1, 2]\n{"time": "x"}\nnull\n\n')
    assert [one.tokens for one in Ledger(LocalObjects(tmp_path)).entries()] == [10]


def test_unknown_is_not_nothing(tmp_path):
    ledger = Ledger(LocalObjects(tmp_path))
    ledger.record(paid(cost_usd=None))
    (alone,) = ledger.spent("model")
    assert (alone.calls, alone.unpriced, alone.cost_usd, alone.cost) == (1, 1, None, "cost unknown")
    ledger.record(paid(cost_usd=0.5))
    (both,) = ledger.spent("model")
    assert (both.calls, both.cost_usd, both.unpriced, both.texts, both.tokens) == (2, 0.5, 1, 4, 20)
    assert both.cost == "$0.500000, and 1 call at an unknown price"
    lines = [json.loads(line) for path in ledger.folder().glob("*/*") for line in path.read_text().splitlines()]
    assert [line["cost_usd"] for line in lines] == [None, 0.5]


def test_totals_by_everything(tmp_path):
    ledger = Ledger(LocalObjects(tmp_path))
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


def test_a_cut_line_does_not_swallow_the_next(tmp_path):
    ledger = Ledger(LocalObjects(tmp_path))
    ledger.record(paid(tokens=1))
    ledger.record(paid(tokens=2))
    (path,) = ledger.folder().glob("*/*.jsonl")
    path.write_bytes(path.read_bytes()[:-12])
    ledger.record(paid(tokens=3))
    ledger.record(paid(tokens=4))
    assert [one.tokens for one in ledger.entries()] == [1, 3, 4]
    assert path.read_bytes().count(b"\n") == 4


def test_what_cannot_be_written_waits_and_is_written_once(tmp_path):
    ledger = Ledger(LocalObjects(tmp_path))
    ledger.record(paid(tokens=1))
    (folder,) = ledger.folder().iterdir()
    away = folder.rename(tmp_path / "away")
    folder.write_text("in the way")
    with pytest.raises(StoreUnavailable, match="ledger/"):
        ledger.record(paid(tokens=2))
    with pytest.raises(StoreUnavailable):
        ledger.check()
    folder.unlink()
    away.rename(folder)
    Ledger(LocalObjects(tmp_path)).record(paid(tokens=3))
    ledger.settle()
    assert [one.tokens for one in ledger.entries()] == [1, 2, 3]


def test_a_line_that_only_half_fits_is_taken_back(tmp_path):
    out = said(python(HALF, tmp_path))
    assert "No space left" in out["failure"]
    assert out["left"] == out["before"]
    assert [one.tokens for one in Ledger(LocalObjects(tmp_path)).entries()] == [1, 2]


HALF = """
    import json, resource, signal, sys
    from pathlib import Path
    from rag.errors import DiskFull
    from rag.storage.ledger import Ledger, entry
    from rag.storage.objects import LocalObjects
    ledger = Ledger(LocalObjects(Path(sys.argv[1])))
    def record(tokens):
        ledger.record(entry("m", "build", texts=1, tokens=tokens, cost_usd=0.5, notebook="main"))
    record(1)
    (path,) = ledger.folder().glob("*/*.jsonl")
    before = path.stat().st_size
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (before + 20, hard))
    try:
        record(2)
    except DiskFull as error:
        failure = str(error)
    left = path.stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    ledger.settle()
    print(json.dumps({"failure": failure, "before": before, "left": left}))
"""


def test_lines_that_are_no_entries_spoil_no_total(tmp_path):
    ledger = Ledger(LocalObjects(tmp_path))
    good = paid(model="a\u2028b\x85c")
    ledger.record(good)
    (path,) = ledger.folder().glob("*/*.jsonl")
    line = json.loads(path.read_text("utf-8"))
    wrong = [{"tokens": "7"}, {"texts": None}, {"cost_usd": "free"}, {"model": 3}, {"time": None}]
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line | change) + "\n" for change in wrong)
        file.write(json.dumps(line)[:-2].replace("0.25", "NaN") + '"}\n')
    assert list(ledger.entries()) == [good]
    assert [one.cost_usd for one in ledger.spent("notebook")] == [0.25]


def test_every_grouping_of_two_writers_one_torn_and_unknown_costs(tmp_path):
    # The other process first, so that its file is whole when it is torn.
    first = python(WRITER, tmp_path, "one")
    assert first.communicate(timeout=CEILING)[1] == ""
    ledger = Ledger(LocalObjects(tmp_path))
    (theirs,) = ledger.folder().glob("*/*.jsonl")
    theirs.write_bytes(theirs.read_bytes()[:-30])  # the 40th line, of 39 tokens
    day = theirs.parent.name
    ledger.record(paid(model="unknown", cost_usd=None, notebook="two", tokens=5))
    ledger.record(paid(cost_usd=None, notebook="one", tokens=7))
    ledger.record(replace(paid(notebook="two", cost_usd=0.0), time="2026-01-01T00:00:00.000Z"))

    def totals(by):
        return [(one.group, one.calls, one.tokens, one.cost_usd, one.unpriced) for one in ledger.spent(by)]

    tokens = sum(range(39))
    assert totals("day") == [("2026-01-01", 1, 10, 0.0, 0), (day, 41, tokens + 12, 19.5, 2)]
    assert totals("notebook") == [("one", 40, tokens + 7, 19.5, 1), ("two", 2, 15, 0.0, 1)]
    assert totals("model") == [("m", 41, tokens + 17, 19.5, 1), ("unknown", 1, 5, None, 1)]


def test_a_line_after_one_that_was_cut_is_a_line_of_its_own(tmp_path):
    """As on a disk that was full and has room again: the process goes on in the same file."""
    ledger = Ledger(LocalObjects(tmp_path))
    ledger.record(paid(tokens=1))
    ledger.record(paid(tokens=2))
    path = next(ledger.folder().glob("*/*.jsonl"))
    for cut in (path.read_bytes()[:-30], b""):
        path.write_bytes(cut)
        left = [one.tokens for one in ledger.entries()]
        ledger.record(paid(tokens=3))
        ledger.record(paid(tokens=4))
        assert [one.tokens for one in ledger.entries()] == [*left, 3, 4]


@pytest.mark.parametrize("cured", [True, False])
def test_what_waits_is_tried_once_more_when_the_process_ends(tmp_path, cured):
    """For instance a server that is stopped after room was made on its disk."""
    (tmp_path / "ledger").write_bytes(b"in the way")
    child = python(
        """
        import sys
        from pathlib import Path
        from rag.errors import StoreError
        from rag.storage.ledger import Ledger, entry
        from rag.storage.objects import LocalObjects
        ledger = Ledger(LocalObjects(Path(sys.argv[1])))
        for texts in (1, 2):
            try:
                ledger.record(entry("m", "build", texts=texts, tokens=9, cost_usd=0.5, notebook="n"))
            except StoreError:
                continue
            raise AssertionError("it was written")
        if sys.argv[2] == "True":
            (Path(sys.argv[1]) / "ledger").unlink()
        """,
        tmp_path,
        cured,
    )
    out, err = child.communicate(timeout=CEILING)
    assert (child.returncode, out, err) == (0, "", "")
    found = [one.texts for one in Ledger(LocalObjects(tmp_path)).entries()] if cured else []
    assert found == ([1, 2] if cured else [])
    assert (tmp_path / "ledger").is_file() != cured


def test_setting_back_forgets_what_waits(tmp_path):
    (tmp_path / "ledger").write_text("in the way")
    with pytest.raises(StoreUnavailable):
        Ledger(LocalObjects(tmp_path)).record(paid())
    (tmp_path / "ledger").unlink()
    reset()
    Ledger(LocalObjects(tmp_path)).settle()
    assert list(tmp_path.iterdir()) == []
