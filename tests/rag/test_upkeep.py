"""The commands that look after a notebook: exit codes, one JSON object, one sentence on stderr."""

from __future__ import annotations

import json

import pytest

from rag.cli import main
from rag.errors import SpaceRefused
from rag.manifest import VerdictName
from rag.space_removal import remove_space
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


def test_every_command_on_one_notebook(run, files):
    planned = run("add", files / "bread.txt", files / "gone.txt", "--dry-run")
    assert (planned["plan"]["texts"], planned["plan"]["cost_usd"]) == (1, 0.0)
    assert [one["name"] for one in planned["failures"]] == ["gone.txt"]
    assert not (files / "home").exists()
    assert run("build")["verdict"] == "EMPTY"
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
    from rag.loader import open_snapshot

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
