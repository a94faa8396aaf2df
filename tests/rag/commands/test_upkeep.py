"""The commands that look after a notebook: exit codes, one JSON object, one sentence on stderr."""

from __future__ import annotations

import json
import os
import re

import pytest

from rag.commands.cli import main
from rag.errors import SpaceRefused
from rag.manifest import VerdictName
from rag.upkeep.space_removal import remove_space
from tests.doubles import CountingEmbedding
from tests.notebooks import CANARY, file, notebook, opened, settings, text_of, total_chunks


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RAGBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def call(*arguments, code=0):
        capsys.readouterr()
        assert main([*map(str, arguments), "--json"]) == code
        out, err = capsys.readouterr()
        assert len(err.strip().splitlines()) == bool(code), err
        assert not code or err.strip().endswith(".")
        report = json.loads(out)
        assert not [key for key in report if key.startswith("_")]
        return report

    return call


@pytest.fixture
def files(tmp_path):
    for name, text in (("bread.txt", "Bread dough rises because of yeast."), ("water.txt", "Water boils when hot.")):
        (tmp_path / name).write_text(text)
    return tmp_path


CHANGING = [
    ["build"],
    ["build", "--new-space"],
    ["remove", "a.txt"],
    ["gc"],
    ["gc", "--yes"],
    ["purge", "a.txt", "--yes"],
    ["doctor", "--repair", "--yes"],
]
WITHOUT_SUCH_A_SNAPSHOT_OR_SOURCE = [
    ["purge", "a.txt"],
    ["tag", "a.txt", "--add", "x"],
    ["rollback", 1],
    ["keep", 1],
    ["keep", 1, "--off"],
    ["forget", 1],
    ["diff", 1, 2],
    ["export", "out.zip"],
    ["export-llamaindex", "out"],
    ["eval", "questions.jsonl"],
    ["eval", "questions.jsonl", "--against", 1],
    ["eval", "questions.jsonl", "--against-notebook", "other"],
    ["eval", "new.jsonl", "--from-cells"],
    ["spaces", "--delete", "abcd"],
    ["spaces", "--delete", "abcd", "--yes"],
    ["import", "gone.zip"],
    ["import-llamaindex", "gone"],
]
LOOKING = [
    ["status"],
    ["sources"],
    ["search", "x"],
    ["search", "x", "--explain"],
    ["ask", "x"],
    ["history"],
    ["spaces"],
    ["spend"],
    ["tag"],
    ["doctor"],
    ["doctor", "--deep"],
    ["doctor", "--repair"],
    ["add", "bread.txt", "--dry-run"],
]


@pytest.mark.parametrize("command", [*CHANGING, *WITHOUT_SUCH_A_SNAPSHOT_OR_SOURCE, *LOOKING], ids=str)
@pytest.mark.parametrize("others", [False, True])
def test_a_notebook_that_is_not_there_is_not_made_by_its_name(run, files, command, others):
    (files / "questions.jsonl").write_text('{"question": "x"}\n')
    home = files / "home"
    if others:
        (home / "default" / "notebooks" / "taxes").mkdir(parents=True)
    before = sorted(files.rglob("*"))
    if command in LOOKING:
        assert run(*command, "--notebook", "typo")["verdict"] == "EMPTY"
    elif command in CHANGING:
        there = "There are: taxes." if others else "There is none yet: add files first."
        said = run(*command, "--notebook", "typo", code=1)["error"]
        assert said == f"There is no notebook 'typo' in this workspace. {there}"
    else:
        assert run(*command, "--notebook", "typo", code=1)["verdict"] == "FAILED"
    assert sorted(files.rglob("*")) == before


def test_those_are_all_commands(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    known = {command[0] for command in [*CHANGING, *WITHOUT_SUCH_A_SNAPSHOT_OR_SOURCE, *LOOKING]}
    listed = re.findall(r"^    ([a-z][a-z-]*)\b", capsys.readouterr().out, re.MULTILINE)
    assert set(listed) <= known, "a new command: what does it do without a notebook?"
    assert known <= set(listed)


def test_every_command_on_one_notebook(run, files):
    planned = run("add", files / "bread.txt", files / "gone.txt", "--dry-run")
    assert (planned["plan"]["texts"], planned["plan"]["cost_usd"]) == (1, 0.0)
    assert [one["name"] for one in planned["failures"]] == ["gone.txt"]
    assert not (files / "home").exists()
    assert "no notebook 'main'" in run("build", code=1)["error"]
    added = run("add", files / "bread.txt")
    assert added["receipt"]["tokens"] == planned["plan"]["tokens"]
    assert run("build")["verdict"] == "UNCHANGED"
    run("add", files / "water.txt")
    found = run("diff", 1, 2)["diff"]
    assert (found["added"], found["chunks_added"], found["chunks_kept"]) == (["water.txt"], 1, 1)
    assert run("rollback", 1)["verdict"] == "ROLLED_BACK"
    assert run("keep", 1)["kept"] == [1]
    assert "kept" in run("forget", 1, code=1)["error"]
    assert run("keep", 1, "--off")["kept"] == []
    assert "forgotten" in run("forget", 2)["sentence"]
    for command in (["diff", 1, 9], ["rollback", 9], ["keep", 9], ["forget", 9], ["purge", "nope.txt"]):
        assert run(*command, code=1)["error"]
    for command in (["diff", 1], ["rollback", "x"], ["spend", "--by", "mood"], ["purge"], ["doctor", "--yes"]):
        assert run(*command, code=2)["verdict"] == "FAILED"
    shown = run("gc")
    assert (shown["removed"], shown["files"]) == (False, [])  # all of it is young
    assert run("gc", "--yes")["removed"] is True
    assert run("spend", "--by", "purpose")["spent"] == []
    healthy = run("doctor", "--deep")
    assert (healthy["healthy"], healthy["sentence"]) == (True, "Everything is in order.")
    plan = run("purge", "bread.txt")
    assert (plan["purged"], plan["plan"]["names"]) == (False, ["bread.txt"])
    assert "Say --yes" in plan["sentence"]
    assert run("status")["verdict"] == "HIT"
    done = run("purge", "bread.txt", "--yes")
    assert (done["purged"], done["chunks"]["total"], done["receipt"]["calls"]) == (True, 0, 0)
    (space,) = run("spaces")["spaces"]
    refused = run("spaces", "--delete", space["fingerprint"], "--yes", code=1)
    assert "forget those first" in refused["error"]
    assert run("spaces", "--delete", "abc", code=1)["error"]


def test_what_was_paid_is_told_by_day_notebook_and_model(run, files, capsys):
    assert run("spend")["total"] == {"calls": 0, "texts": 0, "tokens": 0, "cost_usd": 0.0, "unpriced": 0}
    folder = files / "home" / "default" / "ledger" / "2026-03-01"
    folder.mkdir(parents=True)
    line = {"time": "2026-03-01T10:00:00.000Z", "model": "big", "purpose": "build", "texts": 2, "tokens": 1000}
    line |= {"cost_usd": 0.25, "notebook": "main", "snapshot": 1, "space": "ff"}
    answer = line | {"model": "chat", "purpose": "answer", "texts": 0, "cost_usd": None, "space": ""}
    one, two = (json.dumps(entry) + "\n" for entry in (line, answer | {"notebook": "two"}))
    (folder / "one.jsonl").write_text(one + one + one[:50])  # the third was cut short
    (folder / "two.jsonl").write_text(two + one[:70] + "\n" + one)
    for by, groups in (
        ("day", [("2026-03-01", 4, 0.75, 1)]),
        ("notebook", [("main", 3, 0.75, 0), ("two", 1, None, 1)]),
        ("model", [("big", 3, 0.75, 0), ("chat", 1, None, 1)]),
    ):
        report = run("spend", "--by", by)
        found = [(each["group"], each["calls"], each["cost_usd"], each["unpriced"]) for each in report["spent"]]
        assert found == groups
        assert report["total"] == {"calls": 4, "texts": 6, "tokens": 4000, "cost_usd": 0.75, "unpriced": 1}
    assert len(report["prices"]["read_on"]) == 10
    assert main(["spend", "--by", "model"]) == 0
    big, chat, total, prices = capsys.readouterr().out.splitlines()
    assert big == "big: 3 calls, 6 texts, 3,000 tokens, $0.750000"
    assert chat == "chat: 1 call, 0 texts, 1,000 tokens, cost unknown"
    assert total == "In all: 4 calls, 6 texts, 4,000 tokens, $0.750000, and 1 call at an unknown price"
    assert "read on" in prices


@pytest.mark.parametrize("number", [0, -1, 9, 10**30])
def test_a_snapshot_that_is_not_there_is_an_error_and_changes_nothing(run, files, number):
    commands = (
        ["keep", number],
        ["keep", number, "--off"],
        ["forget", number],
        ["rollback", number],
        ["diff", number, 1],
        ["diff", 1, number],
    )
    for command in commands:  # before there is any notebook, too
        assert "There is no snapshot" in run(*command, code=1)["error"]
    assert not (files / "home").exists()
    run("add", files / "bread.txt")
    before = sorted(path for path in (files / "home").rglob("*") if "lease" not in path.parts)
    for command in commands:
        assert f"There is no snapshot {number}." in run(*command, code=1)["error"]
    assert sorted(path for path in (files / "home").rglob("*") if "lease" not in path.parts) == before
    assert run("keep", 1, "--off")["kept"] == []  # there is one, and it may be retired anyway


def test_the_newest_snapshot_stays_in_history_also_when_it_is_damaged(run, files):
    run("add", files / "bread.txt")
    run("add", files / "water.txt")
    assert "newest" in run("rollback", 2, code=1)["error"]
    assert "newest" in run("forget", 2, code=1)["error"]
    same = run("diff", 2, 2)["diff"]
    assert (same["added"], same["chunks_added"], same["chunks_kept"]) == ([], 0, 2)
    (files / "home/default/notebooks/main/manifests/00000002.json").write_bytes(b"{}")
    history = run("history")
    assert [one["snapshot"] for one in history["history"]] == [1]
    assert "00000002.json" in history["damaged"][0]
    for command in (["keep", 2], ["diff", 1, 2], ["rollback", 2]):
        assert "00000002.json" in run(*command, code=1)["error"]
    assert "newest" in run("forget", 1, code=1)["error"]
    # Its number must not be given to another snapshot.
    assert "Build again first" in run("forget", 2, code=1)["error"]
    assert run("build")["snapshot"] == 3
    assert "forgotten" in run("forget", 2)["sentence"]
    assert run("history")["damaged"] == []


def test_findings_are_a_failure_of_the_doctor_and_notes_are_none(run, files):
    run("add", files / "bread.txt")
    original = next((files / "home/default/originals").glob("*/*"))
    original.unlink()
    found = run("doctor", code=1)
    assert [(one["code"], one["severity"]) for one in found["findings"]] == [("original-missing", "warning")]
    for one in found["findings"]:
        assert one["sentence"]
        assert one["lost"]
        assert one["repair"]
    left = run("doctor", "--repair", "--yes", code=1)
    assert (left["verdict"], [one["code"] for one in left["findings"]]) == ("FAILED", ["original-missing"])
    run("add", files / "bread.txt")
    stray = files / "home/default/originals/.tmp-1"
    stray.write_bytes(b"rest")
    os.utime(stray, (1, 1))
    noted = run("doctor")
    assert [(one["code"], one["severity"]) for one in noted["findings"]] == [("leftovers", "note")]


def test_damage_is_a_failure_of_the_doctor_until_it_is_repaired(run, files):
    run("add", files / "bread.txt")
    (manifest,) = (files / "home").rglob("manifests/*.json")
    manifest.write_bytes(manifest.read_bytes()[:-5])
    report = run("doctor", code=1)
    assert report["verdict"] == "FAILED"
    assert report["findings"][0]["severity"] == "damage"
    planned = run("doctor", "--repair", code=1)
    assert planned["plan"]["steps"]
    assert run("doctor", "--repair", "--yes")["repaired"]
    assert run("doctor")["healthy"] is True
    assert run("search", "dough")["hits"]


def test_deleting_a_space_says_what_it_costs_and_waits_for_yes(tmp_path):
    notebook(tmp_path, CountingEmbedding()).add([file("a.txt", text_of(3))])
    other = notebook(settings(tmp_path, embed_model="other"), CountingEmbedding(seed=1), slug="two")
    other.add([file("a.txt", text_of(3))])
    place = other.place
    first, second = place.spaces.all()
    for one in (first, second):
        with pytest.raises(Exception, match="forget those first"):
            remove_space(place, one.fingerprint, sure=True)
    other.place.objects.delete(other.place.snapshots.name(1))
    asked = remove_space(place, second.fingerprint[:6], sure=False)
    assert (asked.done, asked.vectors) == (False, 3)
    assert "embedding 3 texts again" in asked.sentence
    assert remove_space(place, second.fingerprint[:6], sure=True).done
    assert place.spaces.all() == [first]
    assert opened(notebook(tmp_path, CountingEmbedding())).search("Entry").passages


def test_after_refused_a_new_space_is_filled_beside_the_old_one(tmp_path):
    notebook(tmp_path, CountingEmbedding()).add([file("a.txt", text_of(4))])
    model = CountingEmbedding(seed=1)
    changed = notebook(tmp_path, model)
    with pytest.raises(SpaceRefused):
        changed.add([file("b.txt", text_of(2, 2))])
    calls = model.calls
    status = changed.status()
    assert status.verdict.name is VerdictName.REFUSED
    assert "--new-space" in status.verdict.next_step
    assert model.calls == calls
    changed.new_space()
    outcome = changed.build()
    assert (outcome.verdict.name, outcome.chunks.embedded) == (VerdictName.REBUILT, 6)
    assert total_chunks(model) == 6
    assert model.texts == 6 + 2 * CANARY  # refused, branched; the canary of that admits the model too
    assert changed.status().verdict.name is VerdictName.HIT
    assert [(one["variant"], one["vectors"]) for one in changed.spaces()] == [(0, 4), (1, 6)]
    assert opened(changed).search("river stone").passages[0].dense is not None
    # The old model again: its own space is known, so it is neither refused nor mixed with the newer one.
    back = CountingEmbedding()
    old = notebook(tmp_path, back)
    found = opened(old).search("river stone")
    assert "saved space of its own" in found.notes[0]
    assert all(one.dense is None for one in found.passages)
    assert old.status().verdict.name is VerdictName.OTHER_RECIPE
    from rag.notebook import open_snapshot

    assert open_snapshot(old, 1).search("river stone").passages[0].dense is not None
    asked = back.texts
    outcome = old.build()
    assert (outcome.verdict.name, outcome.chunks.embedded) == (VerdictName.REBUILT, 2)  # b.txt, which it never had
    assert back.texts == asked + 2 + CANARY
    assert old.status().verdict.name is VerdictName.HIT
    found = opened(old).search("river stone")
    assert found.notes == ()
    assert found.passages[0].dense is not None
    assert [one["vectors"] for one in old.spaces()] == [6, 6]
