"""The command line: every command and flag, the shape of its JSON, its exit codes, one sentence and no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from rag.checked import dump_checked
from rag.commands.cli import main
from rag.errors import Cancelled
from rag.manifest import VerdictName
from rag.notebook import Notebook
from rag.sources.incoming import Incoming
from rag.storage.lease import lease
from tests.doubles import CountingEmbedding
from tests.notebooks import ROOT, file, local_settings, notebook, python, said, text_of
from tests.servers import Misbehaving, failure, talk, vectors
from tests.waiting import CEILING

BREAD = "Bread dough rises because yeast makes carbon dioxide. Salt slows the yeast down."
WATER = "Water boils at one hundred degrees Celsius at sea level. On a mountain it boils earlier."
SOURCES = {"total", "added", "changed", "unchanged", "renamed", "removed", "failed"}
RECEIPT = {"calls", "texts", "tokens", "cost_usd", "saved_texts", "seconds"}
REPORT = {
    "verdict",
    "snapshot",
    "notebook",
    "space",
    "recipe",
    "changes",
    "sources",
    "chunks",
    "receipt",
    "failures",
    "sentence",
}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home, named by the environment; the current folder holds no settings."""
    folder = tmp_path / "home"
    monkeypatch.setenv("RAGBOOK_HOME", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def run(home, capsys):
    """Runs one command here; gives exit code, JSON (or the lines of stdout without --json) and stderr."""

    def call(*arguments, code=0):
        capsys.readouterr()
        assert main([str(argument) for argument in arguments]) == code
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        if code:
            assert len(err.strip().splitlines()) == 1, err
            assert err.strip().endswith("."), err
        else:
            assert err == ""
        return json.loads(out) if "--json" in arguments else out

    return call


@pytest.fixture
def library(tmp_path):
    """A folder with two files that can be read and one that cannot."""
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "bread.txt").write_text(BREAD)
    (folder / "water.txt").write_text(WATER)
    (folder / "empty.txt").write_text("")
    return folder


def told(changes):
    """What changed, from what, to what."""
    return [(one["what"], one["before"], one["after"]) for one in changes]


def shaped(report):
    """A report of add, remove or status, with its documented shape checked."""
    assert report.keys() >= REPORT
    assert report["sources"].keys() == SOURCES
    assert report["chunks"].keys() == {"total", "embedded", "reused"}
    assert report["receipt"].keys() >= RECEIPT
    for change in report["changes"]:
        assert change.keys() == {"what", "before", "after", "code", "fields"}
    for failed in report["failures"]:
        assert failed.keys() == {"name", "reason"}
    assert report["verdict"] in set(VerdictName)
    return report


def test_from_nothing_to_an_answer_and_back(run, library):
    empty = shaped(run("status", "--json"))
    assert (empty["verdict"], empty["snapshot"], empty["notebook"]) == ("EMPTY", None, "main")
    assert run("search", "yeast", "--json")["hits"] == []
    asked = run("ask", "yeast?", "--json")
    assert (asked["verdict"], asked["citations"]) == ("EMPTY", [])
    assert run("sources", "--json")["sources"] == run("history", "--json")["history"] == []

    added = shaped(run("add", library, "--json"))
    assert (added["verdict"], added["snapshot"]) == ("BUILT", 1)
    assert added["sources"] | {"total": 2, "added": 2, "failed": 1} == added["sources"]
    assert added["chunks"] == {"total": 2, "embedded": 2, "reused": 0}
    assert (added["receipt"]["texts"], added["receipt"]["cost_usd"]) == (2, 0.0)
    assert [failed["name"] for failed in added["failures"]] == ["empty.txt"]
    assert "0 bytes" in added["failures"][0]["reason"]
    assert len(added["space"]) == len(added["recipe"]) == 64

    status = shaped(run("status", "--json"))
    assert (status["verdict"], status["snapshot"], status["where"]) == ("HIT", 1, "disk")
    assert (status["space"], status["recipe"]) == (added["space"], added["recipe"])
    assert status["receipt"] | {"calls": 0, "texts": 0, "saved_texts": 2} == status["receipt"]
    assert status["failures"] == added["failures"]
    assert status["sources"] | {"total": 2, "unchanged": 2, "failed": 1} == status["sources"]

    found = run("search", "Why does dough rise?", "-k", "1", "--json")
    assert found.keys() >= {"hits", "snapshot", "verdict", "receipt", "notebook"}
    assert (found["verdict"], found["snapshot"], len(found["hits"])) == ("HIT", 1, 1)
    hit = found["hits"][0]
    assert hit.keys() >= {"rank", "score", "source", "page", "start", "end", "text"}
    assert (hit["rank"], hit["source"], hit["page"]) == (1, "bread.txt", None)
    assert hit["text"] == BREAD[hit["start"] : hit["end"]]
    assert found["receipt"]["texts"] == 1

    everywhere = {hit["source"] for hit in run("search", "rise boil", "--json")["hits"]}
    assert everywhere == {"bread.txt", "water.txt"}
    for filters, sources in (
        (["--source", "water.txt"], {"water.txt"}),
        (["--source", "water*", "--source", "bread.txt", "--type", "txt"], everywhere),
        (["--type", "pdf"], set()),
        (["--pages", "1-3"], set()),
        (["--since", "2020-01-31"], everywhere),
        (["--since", "2999-12-31T00:00+02:00"], set()),
    ):
        filtered = run("search", "rise boil", *filters, "--json")
        assert {hit["source"] for hit in filtered["hits"]} == sources
        assert filtered["notes"] == ([] if sources else ["No chunk passes the filters."])
    assert "no source 'other.txt'" in run("search", "rise", "--source", "other.txt", "--json", code=1)["error"]

    restricted = run("ask", "Why does dough rise?", "--source", "water.txt", "--type", "txt", "--json")
    assert {hit["source"] for hit in restricted["hits"]} == {"water.txt"}
    assert "Searched only water.txt, of type txt." in restricted["notes"]
    assert "no source 'other.txt'" in run("ask", "rise", "--source", "other.txt", "--json", code=1)["error"]

    answer = run("ask", "Why does dough rise?", "--json")
    assert not any(note.startswith("Searched only") for note in answer["notes"])
    assert answer.keys() >= {"answer", "kind", "citations", "hits", "snapshot", "verdict", "receipt"}
    assert (answer["kind"], answer["searched"]) == ("extractive", "Why does dough rise?")
    assert "yeast makes carbon dioxide" in answer["answer"]
    cited = answer["citations"][0]
    assert cited.keys() == {"n", "source", "page", "start", "end", "quote", "state"}
    assert (cited["source"], cited["state"]) == ("bread.txt", "verified")
    assert cited["quote"] == BREAD[cited["start"] : cited["end"]]

    assert shaped(run("add", library / "bread.txt", "--json"))["verdict"] == "UNCHANGED"
    removed = shaped(run("remove", "bread.txt", "--json"))
    assert (removed["verdict"], removed["snapshot"]) == ("UPDATED", 2)
    assert removed["sources"] | {"removed": 1, "total": 1} == removed["sources"]
    assert removed["receipt"]["calls"] == 0
    assert {hit["source"] for hit in run("search", "dough", "--json")["hits"]} == {"water.txt"}
    assert [one["snapshot"] for one in run("history", "--json")["history"]] == [2, 1]
    (space,) = run("spaces", "--json")["spaces"]
    assert (space["vectors"], space["fingerprint"]) == (2, added["space"])
    assert {row["name"]: row["state"] for row in run("sources", "--json")["sources"]} == {
        "empty.txt": "failed",
        "water.txt": "indexed",
    }

    # The same for people.
    assert "HIT: Opened snapshot 2" in run("status")
    assert "water.txt: indexed, 1 chunk" in run("sources")
    assert run("search", "boils").startswith("1. water.txt (")
    assert "[1] water.txt (verified)" in run("ask", "When does water boil?")
    assert run("history").splitlines()[0].startswith("2  20")
    assert "all-MiniLM-L6-v2 (local), 2 vectors" in run("spaces")
    assert "BUILT" not in run("add", library)
    assert "UPDATED" in run("remove", "water.txt", "bread.txt")
    assert "EMPTY" in run("status")


def test_flags_name_home_workspace_and_notebook(run, home, library, tmp_path):
    other = tmp_path / "other"
    where = ("--home", other, "--workspace", "team", "--notebook", "baking")
    report = run("add", library / "bread.txt", *where, "--json")
    assert (report["verdict"], report["notebook"]) == ("BUILT", "baking")
    assert (other / "team" / "notebooks" / "baking" / "manifests" / "00000001.json").is_file()
    assert not home.exists()
    assert run("status", *where, "--json")["verdict"] == "HIT"
    assert run("status", "--json")["verdict"] == "EMPTY"
    assert run("status", "--home", other, "--json")["verdict"] == "EMPTY"
    assert not home.exists()  # looking creates nothing


def test_people_are_told_when_there_is_nothing(run):
    for command, words in (
        (["status"], "EMPTY: This notebook has no sources yet."),
        (["sources"], "No sources yet."),
        (["history"], "No snapshots yet."),
        (["spaces"], "No embedding spaces yet."),
        (["search", "x"], "no sources yet"),
        (["ask", "x"], "no sources yet"),
    ):
        assert words in run(*command)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["nonsense"], "nonsense"),
        (["search"], "TEXT"),
        (["add"], "PATH"),
        (["remove"], "NAME"),
        (["search", "x", "-k", "0"], "from 1 to 200"),
        (["search", "x", "-k", "201"], "from 1 to 200"),
        (["search", "x", "--pages", "9-3"], "no page like 7"),
        (["search", "x", "--pages", "a"], "no page like 7"),
        (["search", "x", "--since", "yesterday"], "no date like 2026-01-31"),
        (["ask", "x", "-k", "many"], "from 1 to 200"),
        (["ask", "x", "-k", "-1"], "from 1 to 200"),
        (["status", "--nonsense"], "--nonsense"),
        (["status", "--notebook", "../up"], "--notebook"),
        (["status", "--notebook", ""], "--notebook"),
        (["status", "--workspace", "A B"], "--workspace"),
        (["status", "--home", ""], "--home"),
        (["status", "--home", "s3://bucket/x"], "local folder"),
    ],
)
def test_wrong_usage_is_two_and_one_sentence(run, home, arguments, words, capsys):
    run(*arguments, code=2)
    report = run(*arguments, "--json", code=2)
    assert report["verdict"] == "FAILED"
    assert words in report["error"]
    assert not home.exists()


def test_help_is_no_failure(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["add", "--help"])
    assert stop.value.code == 0
    assert "PATH" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("RAGBOOK_CHUNK_SIZE", "huge", "whole number"),
        ("RAGBOOK_EMBEDDER", "magic", "local, openai, openai-compatible"),
        ("RAGBOOK_CHUNKSIZE", "100", "Did you mean RAGBOOK_CHUNK_SIZE"),
        ("RAGBOOK_HOME", "gs://bucket", "local folder"),
    ],
)
def test_wrong_settings_are_two_and_named(run, monkeypatch, name, value, words):
    monkeypatch.setenv(name, value)
    report = run("status", "--json", code=2)
    assert name in report["error"]
    assert words in report["error"]


def test_what_cannot_be_added_is_named_and_the_rest_goes_in(run, library, tmp_path):
    report = run("add", library / "bread.txt", tmp_path / "missing.txt", "--json")
    assert report["verdict"] == "BUILT"
    assert report["failures"] == [{"name": "missing.txt", "reason": "There is no such file. Check the path."}]
    assert report["sources"]["failed"] == 1
    nothing = run("add", tmp_path / "missing.txt", "--json", code=1)
    assert nothing["verdict"] == "FAILED"
    assert nothing["sentence"] == "missing.txt: There is no such file. Check the path."
    assert run("status", "--json")["snapshot"] == 1
    assert "not added: empty.txt" in run("add", library)


def test_a_first_file_that_is_not_there_asks_no_model_and_builds_nothing(run, home, tmp_path):
    report = run("add", tmp_path / "missing.txt", "--json", code=1)
    assert (report["verdict"], report["snapshot"], report["receipt"]["calls"]) == ("FAILED", None, 0)
    assert run("status", "--json")["verdict"] == "EMPTY"


def test_unknown_sources_and_broken_ones(run, home, library):
    run("add", library / "bread.txt", "--json")
    assert "bread.txt" in run("remove", "nope.txt", "--json", code=1)["error"]
    run("remove", "bread.txt", "nope.txt", code=1)
    assert run("sources", "--json")["sources"][0]["name"] == "bread.txt"
    (library / "bread.txt").write_bytes(b"\0" * 300)
    failed = run("add", library / "bread.txt", "--json", code=1)
    assert (failed["verdict"], failed["failures"][0]["name"]) == ("FAILED", "bread.txt")
    status = shaped(run("status", "--json"))
    assert status["verdict"] == "SOURCE_ERROR"
    assert status["changes"][0]["what"] == "bread.txt"
    assert run("search", "dough", "--json")["hits"][0]["text"] == BREAD


def test_names_nobody_can_print(run, tmp_path):
    odd = os.fsdecode(b"odd\xff\x1b[31m.txt")
    (tmp_path / odd).write_text(BREAD)
    report = run("add", tmp_path / odd, tmp_path / os.fsdecode(b"gone\xfe.txt"), "--json")
    assert report["verdict"] == "BUILT"
    json.dumps(report, ensure_ascii=False).encode("utf-8")
    assert all(name.isprintable() for name in (row["name"] for row in run("sources", "--json")["sources"]))
    run("search", os.fsdecode(b"dough \xff"), "--json")
    assert "\x1b" not in run("sources") + run("add", tmp_path / odd)
    run("remove", odd, code=1)


def test_status_tells_of_what_is_to_come(run, home, library):
    book = Notebook(local_settings(home))
    run("add", library / "bread.txt", library / "water.txt", "--json")
    moved = library / "moved.txt"
    (library / "bread.txt").rename(moved)
    (library / "new.txt").write_text("Something new.")
    given = [Incoming("moved.txt", moved), Incoming("new.txt", library / "new.txt"), file("water.txt", "Other.")]
    asked = iter([False, False, False])
    with pytest.raises(Cancelled, match="Stopped"):
        book.add(given, cancelled=lambda: next(asked, True))
    status = shaped(run("status", "--json"))
    assert status["verdict"] == "STALE"
    assert status["sources"] | {"total": 2, "added": 1, "changed": 1, "renamed": 1, "unchanged": 0} == status["sources"]
    assert ("renamed", "bread.txt", "moved.txt") in told(status["changes"])


def test_a_home_that_is_a_file_or_below_one(run, tmp_path, monkeypatch):
    taken = tmp_path / "taken"
    taken.write_text("mine")
    for command in (["status"], ["sources"], ["search", "x"], ["ask", "x"], ["add", taken], ["remove", "x"]):
        assert run(*command, "--home", taken, "--json", code=1)["verdict"] == "UNAVAILABLE"
    report = run("add", taken, "--home", taken / "below", "--json", code=1)
    assert report["verdict"] == "UNAVAILABLE"
    assert "Not a directory" in report["error"]
    assert taken.read_text() == "mine"


def test_a_newer_format_is_refused_and_not_touched(run, home, library):
    notebook(home, CountingEmbedding()).add([file("a.txt", text_of(1))])
    folder = home / "default" / "notebooks" / "main"
    for newer in (folder / "manifests" / "00000002.json", folder / "state" / "00000002.json"):
        newer.write_bytes(dump_checked({"format": 99}))
        before = sorted(path for path in home.rglob("*") if path.is_file())
        status = run("status", "--json")
        assert status["verdict"] == "NEWER_FORMAT"
        assert "99" in status["sentence"]
        for command in (["add", library], ["remove", "a.txt"], ["search", "x"], ["ask", "x"], ["sources"], ["history"]):
            if command == ["history"] and newer.parent.name == "state":
                continue
            report = run(*command, "--json", code=1)
            assert report["verdict"] == "NEWER_FORMAT", command
        after = sorted(path for path in home.rglob("*") if path.is_file())
        assert [path for path in after if ".lock" not in path.name] == [
            path for path in before if ".lock" not in path.name
        ]
        newer.unlink()


def test_damage_is_named_and_repaired_by_adding(run, home, library):
    run("add", library / "bread.txt", "--json")
    manifest = home / "default" / "notebooks" / "main" / "manifests" / "00000001.json"
    manifest.write_bytes(manifest.read_bytes()[:100])
    assert run("status", "--json")["verdict"] == "DAMAGED"
    for command in ("search", "ask"):
        assert run(command, "dough", "--json", code=1)["verdict"] == "DAMAGED"
    repaired = shaped(run("add", library / "bread.txt", "--json"))
    assert (repaired["verdict"], repaired["chunks"]["embedded"]) == ("RECOVERED", 0)
    assert run("search", "dough", "--json")["hits"]


def test_status_sees_what_opening_sees_and_search_says_it(run, home, library):
    run("add", library / "bread.txt", "--json")
    run("add", library / "water.txt", "--json")
    folder = home / "default" / "notebooks" / "main"
    pins = [
        json.loads((folder / f"manifests/0000000{number}.json").read_text())["tables"]["chunks"] for number in (1, 2)
    ]
    old = {one["path"] for one in pins[0]["files"]}
    data = next(one["path"] for one in pins[1]["files"] if one["path"].startswith("data/") and one["path"] not in old)
    path = folder / pins[1]["path"] / data
    content = path.read_bytes()
    path.write_bytes(content[:9] + bytes([content[9] ^ 1]) + content[10:])
    for _ in range(2):
        status = shaped(run("status", "--json"))
        assert (status["verdict"], status["snapshot"]) == ("DAMAGED", 1)
        assert path.name in status["sentence"]
        assert "SHA-256 differs" in status["sentence"]
        found = run("search", "dough", "--json")
        assert (found["verdict"], found["snapshot"]) == ("DAMAGED", 1)
        assert path.name in found["notes"][-1]
        assert path.name in run("ask", "How long does dough rest?", "--json")["notes"][-1]
        assert path.name in run("search", "dough")
    path.write_bytes(content)  # as from a backup
    assert run("status", "--json")["verdict"] == "HIT"
    assert run("search", "dough", "--json")["verdict"] == "HIT"
    path.write_bytes(content[:9] + bytes([content[9] ^ 1]) + content[10:])
    assert run("search", "dough", "--json")["verdict"] == "DAMAGED"
    assert run("build", "--json")["verdict"] == "RECOVERED"
    assert run("status", "--json")["verdict"] == "HIT"
    assert run("search", "dough", "--json")["notes"] == []


def test_busy(run, home, library):
    run("add", library / "bread.txt", "--json")
    with lease(home / "default" / "notebooks" / "main", wait_seconds=0):
        status = run("status", "--json")
        assert status["verdict"] == "BUSY"
        assert str(os.getpid()) in status["sentence"]
        assert run("search", "dough", "--json")["hits"]  # the saved snapshot keeps answering
    assert run("status", "--json")["verdict"] == "HIT"


# --- models on servers, and keys -----------------------------------------------------------------------------------


def remote(monkeypatch, address, **more):
    values = {
        "RAGBOOK_EMBEDDER": "openai-compatible",
        "RAGBOOK_EMBED_MODEL": "m",
        "RAGBOOK_EMBED_BASE_URL": address,
        "OPENAI_API_KEY": "sk-very-secret-key-0123456789",
    } | more
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_a_server_that_fails_is_a_sentence_without_the_key(run, monkeypatch, library, misbehaving: Misbehaving, home):
    misbehaving.play(failure(401, "Incorrect API key provided: sk-very-secret-key-0123456789.", "invalid_api_key"))
    remote(monkeypatch, misbehaving.address)
    for command in (["add", library / "bread.txt", "--json"], ["status", "--json"], ["status"]):
        report = run(*command, code=1 if command[0] == "add" else 0)
        assert "very-secret" not in json.dumps(report)
    assert run("status", "--json")["verdict"] == "NEW"
    assert all(b"very-secret" not in path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert misbehaving.requests[0].headers["Authorization"] == "Bearer sk-very-secret-key-0123456789"


def test_another_model_behind_the_name_is_refused(run, monkeypatch, library, misbehaving: Misbehaving):
    misbehaving.play(vectors(8))
    remote(monkeypatch, misbehaving.address)
    run("add", library / "bread.txt", "--json")
    misbehaving.play(vectors(8, lambda text, position: float(position + len(text) % 3)))
    assert run("search", "dough", "--json", code=1)["verdict"] == "REFUSED"
    assert run("ask", "dough", "--json", code=1)["verdict"] == "REFUSED"
    assert run("add", library / "water.txt", "--json", code=1)["verdict"] == "REFUSED"
    misbehaving.play(vectors(8))
    assert run("search", "dough", "--json")["hits"]


def test_generated_answers_and_failing_language_models(run, monkeypatch, library, misbehaving: Misbehaving):
    run("add", library, "--json")
    monkeypatch.setenv("RAGBOOK_LLM", "openai-compatible")
    monkeypatch.setenv("RAGBOOK_LLM_MODEL", "writer")
    monkeypatch.setenv("RAGBOOK_LLM_BASE_URL", misbehaving.address)
    misbehaving.play(talk(["Dough ", "rises because ", "yeast makes ", "carbon dioxide [1]."]))
    answer = run("ask", "Why does dough rise?", "--json")
    assert (answer["kind"], answer["model"]) == ("generated", "writer")
    assert answer["citations"][0]["state"] == "verified"
    misbehaving.play(failure(400, "no such model"))
    failed = run("ask", "Why does dough rise?", "--json", code=1)
    assert (failed["kind"], failed["verdict"]) == ("failed", "FAILED")
    assert failed["hits"]
    assert failed["citations"] == []
    monkeypatch.setenv("RAGBOOK_LLM", "openai")
    monkeypatch.delenv("RAGBOOK_LLM_BASE_URL")
    assert "OPENAI_API_KEY" in run("ask", "Why does dough rise?", "--json", code=1)["answer"]


def test_other_settings_are_a_verdict_with_reasons(run, monkeypatch, library, misbehaving: Misbehaving):
    run("add", library / "bread.txt", "--json")
    misbehaving.play(vectors(8))
    remote(monkeypatch, misbehaving.address)
    status = shaped(run("status", "--json"))
    assert (status["verdict"], status["recipe"]) == ("OTHER_RECIPE", None)
    assert ("embedder.model", "all-MiniLM-L6-v2", "m") in told(status["changes"])
    found = run("search", "dough", "--json")
    assert (found["verdict"], found["notes"]) == ("OTHER_RECIPE", [])
    assert misbehaving.requests == []


# --- the real program ----------------------------------------------------------------------------------------------


def program(*arguments, cwd, **kwargs):
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "rag", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=CEILING,
        **kwargs,
    )


def test_the_program_itself(home, library, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = program("add", library, "--json", cwd=tmp_path, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["verdict"] == "BUILT"
    # A terminal of another century, and a reader that has seen enough.
    notebook(home, CountingEmbedding(), slug="other").add([file("ё.txt", "Ёлка — это дерево. 水")])
    ascii_only = {**environment, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = program("sources", "--notebook", "other", cwd=tmp_path, env=ascii_only)
    assert (done.returncode, done.stderr) == (0, "")
    assert "?.txt: indexed" in done.stdout
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "rag", "status", "--json"],
            cwd=tmp_path,
            env=environment,
            stdout=closed,
            stderr=subprocess.PIPE,
            timeout=CEILING,
        )
    assert done.stderr == b""


def test_a_home_without_permission(run, home, tmp_path):
    """Root may do everything, so as root this goes on as nobody, in a process of its own that came in before."""
    notebook(home, CountingEmbedding()).add([file("a.txt", text_of(1))])
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 1:  # pytest's folders are their owner's alone
            folder.chmod(0o755)
    script = """
        import contextlib, io, json, os, sys
        import rag.commands.cli, rag.asking.opening, rag.building.pipeline, rag.models.factory, rag.sources.registry
        import rag.tables.vectors, rag.llamaindex.vector_store
        from pathlib import Path
        home, note = Path(sys.argv[1]), sys.argv[2]
        reports = []
        def run(*arguments):
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = rag.commands.cli.main([*arguments, "--home", str(home), "--json"])
            reports.append([code, json.loads(out.getvalue()), err.getvalue()])
        home.chmod(0)
        if os.geteuid() == 0:
            os.chown(home, 65534, 65534)
            os.setgid(65534)
            os.setuid(65534)
        run("status")
        run("search", "river")
        run("add", note)
        home.chmod(0o500)
        run("status")
        run("add", note)
        print(json.dumps(reports))
        """
    note = tmp_path / "note.txt"
    note.write_text("A note.")
    try:
        reports = said(python(script, home, note))
    finally:
        if os.geteuid() == 0:
            os.chown(home, 0, 0)
        home.chmod(0o755)
    (code, report, _), *closed = reports[:3]
    assert (code, report["verdict"]) in ((0, "UNAVAILABLE"), (1, "UNAVAILABLE"), (1, "FAILED"))
    for code, report, err in [*closed, reports[4]]:
        assert code == 1
        assert "ermission" in report["error"]
        assert err.strip() == report["error"]
    assert reports[3][1]["verdict"] == "OTHER_RECIPE"  # a home that can only be read is read
    assert notebook(home).status().verdict.name is VerdictName.HIT
