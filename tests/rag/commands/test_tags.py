"""The command `tag`, and `--tag` of `search` and `ask`."""

from __future__ import annotations

import json

import pytest

from rag.commands.cli import main


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs one command in a home with three sources; gives JSON, or the lines of stdout, or the sentence on stderr."""
    monkeypatch.setenv("RAGBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for name, text in (
        ("bread.txt", "Bread dough rises because yeast makes carbon dioxide."),
        ("water.txt", "Water boils at one hundred degrees at sea level."),
        ("[1].txt", "Yeast of the first kind is dry."),
        ("1.txt", "Yeast of the second kind is wet."),
    ):
        (tmp_path / name).write_text(text)

    def call(*arguments, code=0):
        capsys.readouterr()
        assert main(list(arguments)) == code
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return json.loads(out) if "--json" in arguments else err if code else out

    call("add", "bread.txt", "water.txt", "[1].txt", "1.txt")
    return call


def test_tags_are_given_listed_removed_and_searched_by(run):
    assert run("tag") == "No tags yet: give a source one with `tag NAME --add TAG`.\n"
    assert "No source has a tag yet" in run("search", "yeast", "--tag", "food", code=1)
    said = run("tag", "bread.txt", "water.txt", "--add", "Food", "--add", " to  read ")
    assert said == (
        "Changed the tags of 2 sources. Nothing was built.\nbread.txt: Food, to read\nwater.txt: Food, to read\n"
    )
    report = run("tag", "water.txt", "--remove", "food", "--add", "physics", "--json")
    assert report["sources"] == [{"name": "water.txt", "tags": ["physics", "to read"]}]
    assert report["tags"] == ["Food", "physics", "to read"]
    assert (report["verdict"], report["notebook"]) == ("HIT", "main")
    assert run("tag") == "bread.txt: Food, to read\nwater.txt: physics, to read\n"
    assert run("tag", "1.txt") == "1.txt: no tags\n"
    for tags, names in ((["food"], {"bread.txt"}), (["FOOD", "physics"], {"bread.txt", "water.txt"})):
        arguments = [word for tag in tags for word in ("--tag", tag)]
        found = run("search", "yeast water", *arguments, "--json")
        assert {hit["source"] for hit in found["hits"]} == names
    answer = run("ask", "Why does dough rise?", "--tag", "physics", "--json")
    assert "Searched only tagged physics." in answer["notes"]
    assert {hit["source"] for hit in answer["hits"]} == {"water.txt"}
    told = run("search", "yeast", "--tag", "sport", "--json", code=1)["error"]
    assert told == "No source of this notebook has the tag 'sport'. There are: Food, physics, to read."
    assert [one["snapshot"] for one in run("history", "--json")["history"]] == [1]


def test_a_pattern_means_several_and_a_name_only_itself(run):
    assert [one["name"] for one in run("tag", "*r*.txt", "--add", "a", "--json")["sources"]] == [
        "bread.txt",
        "water.txt",
    ]
    assert [one["name"] for one in run("tag", "[1].txt", "--add", "b", "--json")["sources"]] == ["[1].txt"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--add", "x"], 2, "Say which sources"),
        (["bread.txt", "--add", ""], 1, "at least one character"),
        (["bread.txt", "--add", "x" * 41], 1, "too long"),
        (["bread.txt", "--remove", "x"], 1, "no tag 'x' to remove. bread.txt has the tags: none."),
        (["other.txt", "--add", "x"], 1, "no source 'other.txt'"),
        (["other.txt"], 1, "no source 'other.txt'"),
        (["bread.txt", *(word for n in range(21) for word in ("--add", f"t{n}"))], 1, "20 is the most"),
    ],
)
def test_what_cannot_be_is_a_sentence_and_changes_nothing(run, arguments, code, words):
    assert words in run("tag", *arguments, code=code)
    assert words in run("tag", *arguments, "--json", code=code)["error"]
    assert run("tag", "--json")["tags"] == []


def test_files_are_added_with_tags(run, tmp_path):
    (tmp_path / "new.txt").write_text("Owls hunt at night.")
    assert "too long" in run("add", "new.txt", "--tag", "x" * 41, code=1)
    assert "no source 'new.txt'" in run("tag", "new.txt", code=1)
    run("add", "new.txt", "bread.txt", "--tag", "birds", "--tag", "night")
    assert run("tag") == "bread.txt: birds, night\nnew.txt: birds, night\n"


def test_damaged_tags_are_named_and_repaired_by_the_doctor(run, tmp_path):
    for tag in ("first", "second"):
        run("tag", "bread.txt", "--add", tag)
    (tmp_path / "home/default/notebooks/main/tags/00000002.json").write_bytes(b"{")
    for arguments in (["tag"], ["tag", "bread.txt", "--add", "x"], ["search", "yeast", "--tag", "first"]):
        report = run(*arguments, "--json", code=1)
        assert report["verdict"] == "DAMAGED"
        assert "tags/00000002.json fails its check" in report["error"]
    assert run("search", "yeast", "--json")["hits"]
    assert run("status", "--json")["verdict"] == "HIT"
    found = run("doctor", "--json", code=1)
    assert [one["code"] for one in found["findings"]] == ["tags-damaged"]
    assert "tags" in found["checked"]
    repaired = run("doctor", "--repair", "--yes", "--json")
    assert "00000002.json was moved aside" in " ".join(repaired["repaired"])
    assert run("tag") == "bread.txt: first\n"
    assert run("doctor", "--json")["healthy"]
