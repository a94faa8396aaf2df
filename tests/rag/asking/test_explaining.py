"""Explanations: they are of the search that is made, cost what it costs, and say what became of each passage."""

from __future__ import annotations

import json

import pytest

from rag.asking.explaining import explain, sentences_of
from rag.asking.retrieval import STAGES
from rag.commands.cli import main
from rag.notebook import Notebook
from rag.sources.restriction import Restriction
from tests.doubles import CountingEmbedding, ScriptedLLM
from tests.notebooks import file, local_settings, notebook, opened, paragraphs, settings, text_of

OWLS = "Owls hunt at night."


@pytest.fixture
def home(tmp_path):
    notebook(tmp_path, CountingEmbedding()).add([file("a.txt", text_of(10, 1)), file("owls.md", f"# Birds\n\n{OWLS}")])
    return tmp_path


@pytest.mark.parametrize("k", [1, 4, 200])
def test_it_is_of_the_search_that_is_made(home, k):
    snapshot = opened(notebook(home, CountingEmbedding()))
    explained = explain(snapshot, "When do owls hunt?", k)
    found = snapshot.search("When do owls hunt?", k)
    assert tuple(one.passage for one in explained.candidates[:k]) == found.passages
    assert (explained.snapshot, explained.k, explained.question) == (1, k, "When do owls hunt?")
    assert explained.space == "counting (openai-compatible, 64 dimensions)"


def test_ranks_are_those_of_each_search_alone(home):
    snapshot = opened(notebook(home, CountingEmbedding()))
    question = "river stone harbour owls"
    explained = explain(snapshot, question)
    reader = snapshot.table.reader()
    vector, _ = snapshot.questions.vector(question)
    ids = reader.ids()
    near = [ids[number] for number, _ in reader.nearest(vector, 100)]
    words = [ids[number] for number, _ in reader.matching(question, 100)]
    assert (explained.dense, explained.lexical) == (len(near), len(words))
    assert explained.both == len(set(near) & set(words))
    assert {one.passage.chunk_id: one.dense_rank for one in explained.candidates if one.dense_rank} == {
        chunk: rank for rank, chunk in enumerate(near, 1)
    }
    assert {one.passage.chunk_id: one.lexical_rank for one in explained.candidates if one.lexical_rank} == {
        chunk: rank for rank, chunk in enumerate(words, 1)
    }
    assert 0 < len(words) < len(near), "a question of which the two searches find different chunks"


def test_it_costs_one_vector_and_asks_no_language_model(home):
    model, llm = CountingEmbedding(), ScriptedLLM("So [1].")
    snapshot = opened(notebook(home, model, llm=llm))
    explained = explain(snapshot, "When do owls hunt?")
    assert (model.queries, llm.calls) == (1, 0)
    assert explained.receipt.texts == 1
    assert explain(snapshot, "When do owls hunt?").receipt.texts == 0
    assert model.queries == 1


def test_every_stage_has_its_seconds(home):
    explained = explain(opened(notebook(home, CountingEmbedding())), "When do owls hunt?")
    assert list(explained.stages) == [*STAGES, "fuse and read"]
    assert all(seconds > 0 for seconds in explained.stages.values())


def test_without_a_language_model_the_first_are_read_and_the_others_not_asked_for(home):
    explained = explain(opened(notebook(home, CountingEmbedding())), "When do owls hunt?", 3)
    assert [one.fate for one in explained.candidates[:4]] == ["read", "read", "read", "not asked for"]
    assert {one.fate for one in explained.candidates[3:]} == {"not asked for"}
    assert (explained.model, explained.parts, explained.window) == ("none", (), None)
    assert explained.relevant
    assert f"{len(explained.candidates) - 3:,} passages behind the first 3, and not used." in sentences_of(explained)


def test_tokens_of_each_part_are_those_of_what_is_sent(home):
    llm = ScriptedLLM("So [1].")
    snapshot = opened(notebook(home, CountingEmbedding(), llm=llm))
    explained = explain(snapshot, "When do owls hunt?", 3)
    assert [name for name, _ in explained.parts] == ["rules", "passage 1", "passage 2", "passage 3", "question"]
    assert all(tokens > 0 for _, tokens in explained.parts)
    assert (explained.model, explained.window) == ("scripted", 4096)
    assert [one.fate for one in explained.candidates[:3]] == ["sent"] * 3
    assert llm.calls == 0


def test_chunks_that_are_sent_as_one_are_all_sent(tmp_path):
    notebook(tmp_path, CountingEmbedding()).add([file("a.txt", text_of(4, 1))])
    snapshot = opened(notebook(tmp_path, CountingEmbedding(), llm=ScriptedLLM("So [1].")))
    explained = explain(snapshot, paragraphs(4, 1)[1], 4)
    assert [one.fate for one in explained.candidates] == ["sent"] * 4
    assert [name for name, _ in explained.parts] == ["rules", "passage 1", "question"]
    assert [one.passage.n for one in explained.candidates] == [1, 2, 3, 4]


def test_what_does_not_fit_the_window_has_no_room(home):
    explained = explain(opened(notebook(home, CountingEmbedding(), llm=ScriptedLLM("So.", window=900))), "owls", 8)
    fates = [one.fate for one in explained.candidates[:8]]
    assert fates[0] == "sent"
    assert fates[-1] == "no room"
    assert sorted(fates, reverse=True) == fates, "the best ones first"
    squeezed = fates.count("no room")
    assert f"{squeezed} passages did not fit the model's window of 900 tokens." in sentences_of(explained)


def test_nothing_relevant_is_said_with_the_threshold(home):
    explained = explain(opened(notebook(home, CountingEmbedding(), llm=ScriptedLLM("So."))), "zzqx wvut", 2)
    assert not explained.relevant
    assert [one.fate for one in explained.candidates[:2]] == ["nothing relevant"] * 2
    assert explained.parts == ()
    assert any(line.startswith("Nothing relevant: the best cosine is ") for line in sentences_of(explained))


def test_filters_say_what_they_leave_out(home):
    snapshot = opened(notebook(home, CountingEmbedding()))
    only = Restriction(sources=("owls.md",))
    explained = explain(snapshot, "When do owls hunt?", 8, only)
    assert tuple(one.passage for one in explained.candidates) == snapshot.search("When do owls hunt?", 8, only).passages
    assert {one.passage.source for one in explained.candidates} == {"owls.md"}
    assert explained.filtered == snapshot.table.count - 1
    assert sentences_of(explained)[0] == f"Filters leave out {explained.filtered} chunks."


def test_what_is_not_sent_need_not_fit(home):
    llm = ScriptedLLM("So.", window=300)
    assert explain(opened(notebook(home, CountingEmbedding(), llm=llm)), "zzqx wvut").notes == ()
    (note,) = explain(opened(notebook(home, CountingEmbedding(), llm=llm)), "When do owls hunt?").notes
    assert "too small for the question and one passage" in note


def test_without_words_there_is_nothing(home):
    explained = explain(opened(notebook(home, CountingEmbedding())), "?!")
    assert explained.candidates == ()
    assert not explained.relevant
    assert explained.notes == ("There are no words to search for.",)
    assert "Nothing was found." in sentences_of(explained)


def test_a_text_in_several_sources_is_counted_as_merged(tmp_path):
    book = notebook(settings(tmp_path), CountingEmbedding())
    same = paragraphs(1, 1)[0]
    book.add([file(f"{number}.txt", same) for number in range(4)])
    explained = explain(opened(book), same)
    assert len(explained.candidates) == 1
    assert explained.merged == 3
    assert "3 chunks with the text of another: shown once, with all their sources." in sentences_of(explained)


def test_words_alone_decide_where_there_is_no_model(home):
    other = notebook(settings(home, embed_model="another"), CountingEmbedding(model_name="another"))
    explained = explain(opened(other), "When do owls hunt?")
    assert (explained.dense, explained.best_cosine) == (0, None)
    assert {one.dense_rank for one in explained.candidates} == {None}
    assert explained.candidates[0].lexical_rank == 1
    assert explained.notes[0].startswith("Searched by words only")


def test_stages_add_up_to_the_time_of_the_search(home):
    explained = explain(opened(notebook(home, CountingEmbedding())), "When do owls hunt?")
    assert list(explained.stages) == ["embed the question", "by meaning", "by words", "fuse and read"]
    assert all(seconds >= 0 for seconds in explained.stages.values())
    assert sum(explained.stages.values()) >= explained.receipt.seconds - 0.001


def test_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RAGBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owls.txt").write_text(OWLS)
    (tmp_path / "bread.txt").write_text("Bread rises because yeast makes gas.")
    assert main(["add", "owls.txt", "bread.txt"]) == 0
    capsys.readouterr()
    assert main(["search", "When do owls hunt?", "--explain", "-k", "1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [hit["source"] for hit in report["hits"]] == ["owls.txt"]
    explained = report["explanation"]
    assert [(one["passage"]["source"], one["fate"]) for one in explained["candidates"]] == [
        ("owls.txt", "read"),
        ("bread.txt", "not asked for"),
    ]
    assert explained["candidates"][0] | {"dense_rank": 1, "lexical_rank": 1} == explained["candidates"][0]
    assert explained["sentences"][0] == "By meaning 2 chunks, by words 1 chunk; 1 in both."
    assert explained["stages"].keys() == {"embed the question", "by meaning", "by words", "fuse and read"}
    assert main(["search", "When do owls hunt?", "--explain", "-k", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "By meaning 2 chunks, by words 1 chunk; 1 in both."
    assert any(line.startswith("1.") and "read" in line and "owls.txt: Owls hunt" in line for line in lines)
    assert any(line.startswith("2.") and "not asked for" in line for line in lines)
    assert lines[-1].startswith("Seconds: embed the question ")
    assert main(["search", "owls", "--explain", "--notebook", "other"]) == 0
    assert "no sources" in capsys.readouterr().out


def test_a_question_that_no_sentence_answers_is_told_to_be_declined(tmp_path):
    book = Notebook(local_settings(tmp_path))
    book.add([file("owls.txt", "Owls hunt at night. They see well in the dark, and eat mice and voles.")])
    answered, declined = (
        explain(opened(book), one)
        for one in ("What do owls eat?", "Which museum bought the famous painting of an owl?")
    )
    assert (answered.relevant, answered.quotable) == (True, True)
    assert (declined.relevant, declined.quotable) == (True, False)
    assert any("near enough to the question to be quoted" in line for line in sentences_of(declined))
    assert (answered.candidates[0].fate, declined.candidates[0].fate) == ("read", "nothing relevant")


def test_only_what_meets_the_filters_is_explained(home):
    explained = explain(opened(notebook(home, CountingEmbedding())), "owls river", 3, Restriction(sources=("owls.md",)))
    assert {one.passage.source for one in explained.candidates} == {"owls.md"}
