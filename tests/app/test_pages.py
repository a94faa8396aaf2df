"""Each page, over the real engine: what it says in each state, and what its buttons do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import rag
from rag.manifest import VerdictName
from rag.settings import LOCAL_MODELS, MULTILINGUAL_MODEL
from tests.app.walking import HANDBOOK, OUTAGE, finish_job, words
from ui import session

Open = Callable[..., AppTest]


def ask(at: AppTest, question: str) -> None:
    at.chat_input(key="ask").set_value(question).run()
    assert not at.exception


@pytest.mark.parametrize("page", ["", "library", "versions", "lab", "settings"])
def test_every_page_opens_on_an_empty_home(open_page: Open, page: str, tmp_path: Path) -> None:
    at = open_page(page)
    assert not at.exception
    assert "EMPTY" in words(at)
    assert not list((tmp_path / "home").glob("**/*")), "looking creates nothing"


def test_empty_offers_documents_and_the_sample(open_page: Open) -> None:
    at = open_page()
    assert "Add documents, then ask" in words(at)
    at.button(key="add_documents").click().run()
    assert "Library" in words(at)


def test_sample_library_is_built_once_and_then_a_hit(open_page: Open, notebook: rag.Notebook) -> None:
    at = open_page()
    at.button(key="use_sample").click().run()
    finish_job(at, notebook)
    assert "BUILT" in words(at)
    assert "HIT" in words(at)
    assert "HIT" in words(open_page("versions"))
    assert notebook.status().verdict.receipt.calls == 0


def test_an_answer_is_kept_with_its_citations(open_page: Open, built: rag.Notebook) -> None:
    at = open_page()
    assert "Ask your first question" in words(at)
    ask(at, "Within how many days may units be returned?")
    again = words(open_page())
    assert "within <mark>" in again or "<mark>Units may be returned within 30 days of delivery.</mark>" in again
    assert "handbook.md" in again
    assert 'class="cite verified"' in again
    assert "embedding calls to open" in again
    assert len(built.cells()) == 1


def test_the_drawer_shows_the_passage_in_its_source(open_page: Open, built: rag.Notebook) -> None:
    at = open_page()
    ask(at, "Within how many days may units be returned?")
    cell = built.cells()[0]
    at.button(key=f"source_{cell.id}_{cell.answer.citations[0].n}").click().run()
    assert 'data-hook="source"' in words(at)
    assert "character by character" in words(at)


def test_a_cell_is_deleted_and_put_back(open_page: Open, built: rag.Notebook) -> None:
    at = open_page()
    ask(at, "What caused the outage?")
    cell = built.cells()[0]
    at.button(key=f"drop_{cell.id}").click().run()
    assert built.cells() == []
    at.button(key="undo").click().run()
    assert built.cells() == [cell]


def test_a_cell_of_an_older_snapshot_says_so_and_is_asked_again(open_page: Open, built: rag.Notebook) -> None:
    at = open_page()
    ask(at, "What caused the outage?")
    old = built.cells()[0]
    built.add([rag.Incoming("new.md", content=b"# News\n\nNothing of note.\n")])
    at = open_page()
    assert "Answered on snapshot 1. The current index is snapshot 2." in words(at)
    at.button(key=f"refresh_{old.id}").click().run()
    assert [cell.answer.snapshot for cell in built.cells()] == [2]


def test_a_question_before_any_document_waits(open_page: Open, notebook: rag.Notebook) -> None:
    at = open_page()
    ask(at, "What caused the outage?")
    assert "is asked as soon as the documents are in" in words(at)
    notebook.add([rag.Incoming("outage.txt", content=OUTAGE)])
    at.run()
    assert [cell.answer.question for cell in notebook.cells()] == ["What caused the outage?"]


def test_files_dropped_into_the_ask_box_are_added_and_then_asked(open_page: Open, notebook: rag.Notebook) -> None:
    at = open_page()
    at.chat_input(key="ask").upload("outage.txt", OUTAGE, "text/plain").set_value("What caused the outage?").run()
    finish_job(at, notebook)
    cell = notebook.cells()[0]
    assert cell.answer.question == "What caused the outage?"
    assert "retry loop" in cell.answer.text


def test_a_question_stays_when_the_model_fails(
    open_page: Open, built: rag.Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAGBOOK_LLM", "openai-compatible")
    monkeypatch.setenv("RAGBOOK_LLM_MODEL", "none-there")
    monkeypatch.setenv("RAGBOOK_LLM_BASE_URL", "http://127.0.0.1:9/v1")
    at = open_page()
    ask(at, "What caused the outage?")
    text = words(at)
    assert 'data-kind="failed"' in text
    assert "What caused the outage?" in text
    assert "outage.txt" in text
    box = at.chat_input(key="ask").proto
    assert (box.value, box.set_value) == ("What caused the outage?", True)


def test_a_follow_up_is_searched_for_with_the_question_above(open_page: Open, built: rag.Notebook) -> None:
    at = open_page()
    ask(at, "Within how many days may units be returned?")
    ask(at, "And opened kits?")
    assert "Searched for: “And opened kits? days units returned”" in words(at)
    at.button(key=f"again_{built.cells()[0].id}").click().run()
    assert "Searched for" not in " ".join(built.cells()[-1].answer.notes), "nothing stands above the first cell"


def test_upload_of_two_files(open_page: Open, notebook: rag.Notebook) -> None:
    at = open_page("library")
    at.file_uploader[0].upload("handbook.md", HANDBOOK, "text/markdown").upload(
        "../../outage.txt", OUTAGE, "text/plain"
    ).run()
    finish_job(at, notebook)
    assert "BUILT" in words(at)
    assert sorted(row.name for row in notebook.sources()) == ["handbook.md", "outage.txt"]
    assert list(at.dataframe[0].value["File"]) == [row.name for row in notebook.sources()]
    at.run()
    at.run()
    assert len(notebook.history()) == 1, "the same files are not added again on each rerun"


def test_a_file_that_fails_says_why(open_page: Open, notebook: rag.Notebook) -> None:
    at = open_page("library")
    at.file_uploader[0].upload("broken.pdf", b"%PDF-1.4 broken", "application/pdf").upload(
        "a.md", HANDBOOK, "text/markdown"
    ).run()
    finish_job(at, notebook)
    row = next(row for row in notebook.sources() if row.state == "failed")
    assert row.reason in words(at).replace("&#x27;", "'")
    table = at.dataframe[0].value
    assert list(table.loc[table["File"] == "broken.pdf", "Why"]) == [row.reason]
    at.button_group(key="filter").set_value("failed").run()
    assert list(at.dataframe[0].value["File"]) == ["broken.pdf"]


def test_find_a_file(open_page: Open, built: rag.Notebook) -> None:
    at = open_page("library")
    at.text_input(key="find").set_value("OUT").run()
    assert list(at.dataframe[0].value["File"]) == ["outage.txt"]


def test_remove_asks_first(open_page: Open, built: rag.Notebook) -> None:
    at = open_page("library")
    at.session_state["sources_0"] = {"selection": {"rows": [1], "columns": [], "cells": []}}
    at.run()
    at.button(key="remove").click().run()
    assert "outage.txt" in words(at)
    at.button(key="remove_confirm").click().run()
    finish_job(at, built)
    assert [row.name for row in built.sources()] == ["handbook.md"]
    at.button(key="put_back").click().run()
    finish_job(at, built)
    assert {row.name for row in built.sources()} == {"handbook.md", "outage.txt"}
    assert built.history()[0].receipt.texts == 0
    assert "put_back" not in {button.key for button in at.button}


def test_versions_shows_the_recipe_and_the_timeline(open_page: Open, built: rag.Notebook) -> None:
    built.add([rag.Incoming("handbook.md", content=HANDBOOK + b"\nShipping is free.\n")])
    at = open_page("versions")
    text = words(at)
    assert "Every part of the recipe saved with snapshot 2 equals what would be built today." in text
    assert text.index('data-snapshot="2"') < text.index('data-snapshot="1"')
    assert "all-MiniLM-L6-v2" in text
    assert 'class="ok">same' in text


def test_settings_say_what_a_change_would_do(open_page: Open, built: rag.Notebook) -> None:
    at = open_page("settings")
    assert 'data-impact="none"' in words(at)
    assert at.button(key="apply").disabled
    at.number_input(key="set_main_RAGBOOK_CHUNK_SIZE").set_value(300).run()
    assert 'data-impact="recipe"' in words(at)
    assert "220 → 300" in words(at)
    at.button(key="apply").click().run()
    assert not at.exception
    assert built.saved_settings() == {"RAGBOOK_CHUNK_SIZE": "300"}
    assert rag.open_notebook(rag.load_config()).status().verdict.name is VerdictName.OTHER_RECIPE
    at.button(key="verdict_action").click().run()
    finish_job(at, built)
    at.number_input(key="set_main_RAGBOOK_CHUNK_SIZE").set_value(220).run()
    assert "Snapshot 1 was built with these settings" in words(at)


def test_another_model_is_a_new_space_and_its_fields_appear(open_page: Open, built: rag.Notebook) -> None:
    at = open_page("settings")
    at.selectbox(key="set_main_RAGBOOK_EMBEDDER").set_value("openai-compatible").run()
    assert "RAGBOOK_EMBED_MODEL" in words(at)
    assert at.button(key="apply").disabled, "a server without a model and an address cannot be asked"
    at.text_input(key="set_main_RAGBOOK_EMBED_MODEL").set_value("nomic-embed-text")
    at.text_input(key="set_main_RAGBOOK_EMBED_BASE_URL").set_value("http://127.0.0.1:9/v1").run()
    assert "new space" in words(at)
    assert not at.button(key="apply").disabled
    at.selectbox(key="set_main_RAGBOOK_EMBEDDER").set_value("local").run()
    assert 'data-impact="none"' in words(at)


def test_a_re_ranker_needs_what_it_asks_and_keeps_the_index(open_page: Open, built: rag.Notebook) -> None:
    at = open_page("settings")
    assert 'data-setting="RAGBOOK_RERANKER"' in words(at)
    assert 'data-setting="RAGBOOK_RERANKER_MODEL"' not in words(at)
    at.selectbox(key="set_main_RAGBOOK_RERANKER").set_value("llm").run()
    assert "RAGBOOK_LLM is none" in words(at)
    assert at.button(key="apply").disabled
    at.selectbox(key="set_main_RAGBOOK_RERANKER").set_value("cross-encoder").run()
    assert 'data-setting="RAGBOOK_RERANKER_MODEL"' not in words(at), "weights are the owner's choice"
    assert 'data-impact="none"' in words(at)
    at.button(key="apply").click().run()
    assert built.saved_settings() == {"RAGBOOK_RERANKER": "cross-encoder"}


def test_a_wrong_setting_shows_its_sentence(open_page: Open, built: rag.Notebook) -> None:
    at = open_page("settings")
    at.number_input(key="set_main_RAGBOOK_CHUNK_OVERLAP").set_value(200).run()
    assert "RAGBOOK_CHUNK_OVERLAP is 200" in words(at)
    assert at.button(key="apply").disabled


def test_a_setting_of_the_environment_is_fixed(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAGBOOK_CHUNK_SIZE", "128")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-to-be-seen")
    at = open_page("settings")
    assert at.number_input(key="set_main_RAGBOOK_CHUNK_SIZE").disabled
    assert "Fixed by RAGBOOK_CHUNK_SIZE in the environment" in words(at)
    assert "sk-not-to-be-seen" not in str(at)
    assert "set · never shown, never saved" in words(at)


@pytest.mark.parametrize("page", ["", "library", "versions", "lab", "settings"])
def test_a_wrong_environment_is_a_sentence_on_every_page(
    open_page: Open, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.setenv("RAGBOOK_EMBEDDER", "magic")
    at = open_page(page)
    assert not at.exception
    assert "RAGBOOK_EMBEDDER" in words(at)
    assert "magic" in words(at)


def test_another_notebook(open_page: Open, built: rag.Notebook) -> None:
    at = open_page()
    at.text_input(key="new_notebook_title").set_value("Contracts & terms")
    at.button(key="new_notebook_create").click().run()
    assert rag.list_notebooks(rag.load_config()) == ["contracts-terms", "main"]
    assert "EMPTY" in words(at)
    assert at.query_params["notebook"] == "contracts-terms"
    assert "Contracts &amp; terms" in words(open_page(notebook="contracts-terms"))
    assert "HIT" in words(open_page(notebook="main"))


@pytest.mark.usefixtures("built")
def test_a_notebook_with_a_title_in_any_script(open_page: Open) -> None:
    for title, slug in (("契約書", "notebook"), ("Договоры", "notebook-2"), ("契約書", "notebook")):
        at = open_page()
        at.text_input(key="new_notebook_title").set_value(title)
        at.button(key="new_notebook_create").click().run()
        assert at.query_params["notebook"] == slug
        assert title in words(at)
    assert rag.list_notebooks(rag.load_config()) == ["main", "notebook", "notebook-2"]


def test_a_name_in_the_address_that_cannot_be_is_a_sentence(open_page: Open) -> None:
    at = open_page(notebook="../../etc")
    assert not at.exception
    assert "a-z" in words(at)


def flip_a_byte(book: rag.Notebook) -> Path:
    """In the newest snapshot's data: a damage that only hashing notices."""
    newest, before = book.history()[:2]
    old = {one.path for one in before.tables["chunks"].files}
    pinned = next(one for one in newest.tables["chunks"].files if one.path.startswith("data/") and one.path not in old)
    path = book.place.folder / newest.tables["chunks"].path / pinned.path
    content = path.read_bytes()
    path.write_bytes(content[:9] + bytes([content[9] ^ 1]) + content[10:])
    return path


@pytest.mark.parametrize("page", ["", "library", "versions", "settings"])
def test_damage_that_only_opening_sees_is_said_on_the_page_that_opens(
    open_page: Open, built: rag.Notebook, page: str
) -> None:
    built.add([rag.Incoming("new.md", content=b"# News\n\nNothing of note.\n")])
    path = flip_a_byte(built)
    at = open_page(page)
    text = words(at)
    assert not at.exception
    assert "DAMAGED" in text
    assert "HIT" not in text
    assert path.name in text
    assert "SHA-256 differs" in text
    assert "Snapshot 1 answers instead" in text
    at.button(key="verdict_action").click().run()
    finish_job(at, built)
    assert "HIT" in words(open_page(page))


def test_a_question_that_meets_damage_is_answered_from_the_snapshot_before(
    open_page: Open, built: rag.Notebook
) -> None:
    built.add([rag.Incoming("new.md", content=b"# News\n\nNothing of note.\n")])
    at = open_page()
    assert "HIT" in words(at)
    path = flip_a_byte(built)
    session.forget_opened()
    ask(at, "What caused the outage?")
    assert [cell.answer.snapshot for cell in built.cells()] == [1]
    assert "DAMAGED" in words(at)
    assert path.name in words(at)


def test_two_browser_sessions_share_one_opened_snapshot(open_page: Open, built: rag.Notebook) -> None:
    first = open_page()
    assert "<b>Opened from disk</b>" in words(first)
    load = session.load_of(built, 1)
    second = open_page()
    assert "<b>In memory</b>" in words(second), "the second session finds what the first one opened"
    ask(first, "What caused the outage?")
    ask(second, "Within how many days may units be returned?")
    assert session.load_of(built, 1) == load, "opened once"
    assert len(built.cells()) == 2


def test_other_settings_open_the_snapshot_anew(built: rag.Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    first = session.opened(built, 1)
    assert session.opened(rag.open_notebook(rag.load_config(), "main"), 1) is first
    monkeypatch.setenv("RAGBOOK_LLM_CONTEXT", "8192")
    other = session.opened(rag.open_notebook(rag.load_config(), "main"), 1)
    assert other is not first
    assert other.config.llm_context == 8192


def test_a_local_model_is_chosen_among_those_there_are(open_page: Open, built: rag.Notebook) -> None:
    at = open_page("settings")
    field = at.selectbox(key="set_main_RAGBOOK_EMBED_MODEL_among")
    assert list(field.options) == list(LOCAL_MODELS)
    assert at.button(key="apply").disabled
    field.set_value(MULTILINGUAL_MODEL).run()
    assert 'data-impact="recipe"' in words(at)
    at.button(key="apply").click().run()
    assert not at.exception
    assert built.saved_settings()["RAGBOOK_EMBED_MODEL"] == MULTILINGUAL_MODEL
    assert "OTHER_RECIPE" in words(open_page("settings"))
    assert open_page("settings").selectbox(key="set_main_RAGBOOK_EMBED_MODEL_among").value == MULTILINGUAL_MODEL
