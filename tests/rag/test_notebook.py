"""The notebook: adding, removing, settings, cells."""

from __future__ import annotations

import pytest

from rag.config import Config, load_config
from rag.errors import ConfigError, NotFound
from rag.manifest import VerdictName
from rag.notebook import Notebook, list_notebooks, open_notebook
from rag.sources.incoming import Incoming
from tests.doubles import CountingEmbedding
from tests.notebooks import answered, file, lying, names, notebook, opened, settings, text_of


def test_looking_at_a_notebook_that_is_not_there_creates_nothing(tmp_path):
    home = tmp_path / "home"
    book = notebook(home)
    assert book.status().verdict.name is VerdictName.EMPTY
    assert (book.history(), book.sources(), book.spaces(), book.cells(), book.saved_settings()) == ([], [], [], [], {})
    assert list_notebooks(book.config) == []
    with pytest.raises(NotFound, match="Add files first"):
        opened(book)
    assert not home.exists()


@pytest.mark.parametrize("slug", ["", "../up", "Upper", "a/b", "-x", "x" * 65])
def test_names_that_are_no_folder_are_refused(tmp_path, slug):
    with pytest.raises(ConfigError):
        notebook(tmp_path, slug=slug)


def test_names_from_outside_are_made_safe(tmp_path):
    book = notebook(tmp_path / "home", CountingEmbedding())
    given = [
        "../../etc/passwd",
        "C:\\Users\\me\\a.txt",
        "invoice_\u202etxt.exe.txt",
        "\x00\x1b[1m.txt",
        "n" * 400 + ".txt",
    ]
    book.add([file(name, f"Text of file {number}.") for number, name in enumerate(given)])
    found = [row.name for row in book.sources()]
    assert found[:2] == ["etc/passwd", "Users/me/a.txt"]
    assert len(found) == len(set(found)) == 5
    assert all(name.isprintable() and 0 < len(name) <= 240 and ".." not in name for name in found)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]


def test_two_files_of_one_batch_with_one_name_are_told_apart(tmp_path):
    book = notebook(tmp_path / "home", CountingEmbedding())
    outcome = book.add(
        [
            lying(tmp_path / "v1" / "report.txt", "The first report names apples."),
            lying(tmp_path / "v2" / "report.txt", "The second report names pears."),
            lying(tmp_path / "v3" / "report.txt", "The first report names apples."),
            file("report.txt", "The third report names plums."),
        ]
    )
    assert outcome.sources.added == 3
    assert [row.name for row in book.sources()] == ["report.txt", "v2/report.txt", "report (2).txt"]
    for word, name in (("apples", "report.txt"), ("pears", "v2/report.txt"), ("plums", "report (2).txt")):
        assert opened(book).search(f"names {word}").passages[0].source == name


def test_a_second_version_replaces_the_first(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("report.txt", "Sentinel alpha stands here.")])
    outcome = book.add([file("report.txt", "Sentinel beta stands here.")])
    assert (outcome.sources.changed, outcome.sources.total) == (1, 1)
    texts = [one.text for one in opened(book).search("sentinel alpha").passages]
    assert texts == ["Sentinel beta stands here."]
    assert book.sources()[0].changed == "changed"


def test_files_that_cannot_be_opened_are_named(tmp_path):
    book = notebook(tmp_path / "home", CountingEmbedding())
    (tmp_path / "folder").mkdir()
    outcome = book.add(
        [Incoming("gone.txt", tmp_path / "gone.txt"), Incoming("folder", tmp_path / "folder"), file("a.txt", "Words.")]
    )
    assert dict(outcome.failures).keys() == {"gone.txt", "folder"}
    assert all("cannot be opened" in reason for _, reason in outcome.failures)
    assert outcome.verdict.name is VerdictName.BUILT


def test_sources_say_what_the_last_build_made_of_them(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(2, 1))])
    book.add([file("b.txt", text_of(3, 2))])
    a, b = book.sources()
    assert (a.changed, a.why) == ("reused", "unchanged since snapshot 1")
    assert (b.changed, b.why, b.chunks) == ("new", "3 chunks embedded", 3)


def test_removing_what_is_not_there_removes_nothing(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", "One."), file("b.txt", "Two.")])
    with pytest.raises(NotFound, match=r"a\.txt, b\.txt"):
        book.remove(["a.txt", "c.txt"])
    assert [row.name for row in book.sources()] == ["a.txt", "b.txt"]
    assert book.status().verdict.name is VerdictName.HIT
    assert len(book.history()) == 1


def test_saved_settings_count_where_nothing_stronger_is_set(tmp_path):
    environ = {"RAGBOOK_HOME": str(tmp_path / "home")}

    def reload(saved):
        return load_config(environ, folder=tmp_path, saved=saved)

    book = open_notebook(reload({}), reload=reload)
    book.save_settings({"RAGBOOK_CHUNK_SIZE": "100", "RAGBOOK_LLM": ""})
    assert book.config.chunk_size == 100
    assert book.saved_settings() == {"RAGBOOK_CHUNK_SIZE": "100"}
    assert open_notebook(reload({}), reload=reload).config.chunk_size == 100
    assert open_notebook(reload({}), "other", reload=reload).config.chunk_size == 220
    environ["RAGBOOK_CHUNK_SIZE"] = "64"
    assert open_notebook(reload({}), reload=reload).config.chunk_size == 64
    del environ["RAGBOOK_CHUNK_SIZE"]
    for wrong in ({"OPENAI_API_KEY": "sk-x"}, {"RAGBOOK_HOME": "/x"}, {"RAGBOOK_CHUNK_SIZE": "huge"}):
        with pytest.raises(ConfigError):
            book.save_settings(wrong)
    assert book.saved_settings() == {"RAGBOOK_CHUNK_SIZE": "100"}


def test_a_title_and_the_notebooks_of_a_workspace(tmp_path):
    book = notebook(tmp_path, CountingEmbedding(), slug="my-papers")
    assert book.title == "My papers"
    book.rename("  Papers \n of 2026 ")
    assert notebook(tmp_path, slug="my-papers").title == "Papers of 2026"
    notebook(tmp_path, CountingEmbedding(), slug="other").add([file("a.txt", "One.")])
    assert list_notebooks(settings(tmp_path)) == ["my-papers", "other"]
    assert list_notebooks(settings(tmp_path, workspace="team")) == []
    assert notebook(tmp_path, slug="other").status().verdict.name is VerdictName.HIT
    assert notebook(tmp_path, slug="my-papers").status().verdict.name is VerdictName.EMPTY


def test_workspaces_do_not_see_each_other(tmp_path):
    notebook(tmp_path, CountingEmbedding()).add([file("a.txt", "One.")])
    other = notebook(settings(tmp_path, workspace="team"))
    assert other.status().verdict.name is VerdictName.EMPTY
    assert (other.sources(), other.spaces(), other.history()) == ([], [], [])


def test_cells_are_kept_dropped_and_put_back(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(3))])
    answer = answered(book, "river stone")
    cell = book.keep_cell(answer)
    again = book.keep_cell(answered(book, "zebra quark unknown"))
    fresh = notebook(tmp_path)
    assert fresh.cells() == [cell, again]
    assert fresh.cells()[0].answer == answer
    fresh.drop_cell(cell.id)
    fresh.drop_cell(cell.id)
    assert book.cells() == [again]
    book.put_back_cell(cell)
    assert fresh.cells() == [cell, again]


def test_a_notebook_made_of_settings_alone(tmp_path):
    book = Notebook(Config(home=str(tmp_path)))
    assert book.make_llm(book.config) is None
    assert book.make_embedder(book.config).dimensions == 384
    assert names(notebook_with_one(tmp_path)) == {"a.txt"}


def notebook_with_one(home):
    """What a search finds in a notebook of one file."""
    book = notebook(home, CountingEmbedding(), slug="one")
    book.add([file("a.txt", "Nothing but words.")])
    return opened(book).search("words")
