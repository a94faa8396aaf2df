"""The notebook: adding, removing, settings, cells."""

from __future__ import annotations

import pytest

from rag.config import Config, load_config
from rag.errors import ConfigError, NotFound
from rag.manifest import VerdictName
from rag.notebook import Notebook, list_notebooks, open_notebook
from tests.doubles import CountingEmbedding
from tests.notebooks import answered, file, names, notebook, opened, settings, text_of


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


def test_sources_say_what_the_last_build_made_of_them(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(2, 1))])
    book.add([file("b.txt", text_of(3, 2))])
    a, b = book.sources()
    assert (a.changed, a.why) == ("reused", "unchanged since snapshot 1")
    assert (b.changed, b.why, b.chunks) == ("new", "3 chunks embedded", 3)


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
    assert book.models.llm(book.config) is None
    assert book.models.embedder(book.config).dimensions == 384
    assert names(notebook_with_one(tmp_path)) == {"a.txt"}


def notebook_with_one(home):
    """What a search finds in a notebook of one file."""
    book = notebook(home, CountingEmbedding(), slug="one")
    book.add([file("a.txt", "Nothing but words.")])
    return opened(book).search("words")
