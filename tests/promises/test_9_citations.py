"""Promise 9: every citation marked verified is in the cited place, character by character: in the text of the source as
the reader gives it, of every format, for every kind of answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rag.citing.checking import cited
from rag.notebook import open_snapshot
from rag.reading.isolation import Readers
from rag.text.sentences import sentences
from tests.doubles import CountingEmbedding, ScriptedLLM
from tests.notebooks import ROOT, answered, file, notebook, opened, paragraphs, settings, text_of
from tests.rag.reading.builders import docx, paragraph, pdf

SHARED = ROOT / ".." / "shared" / "data" / "docs"
QUESTIONS = (
    "Which herring is smoked at dawn?",
    "What does the lighthouse keeper write?",
    "lantern and harbour",
    "copper engine of the railway station",
    "price of apples",
    "Entry 1-3",
)
NOTEBOOK = json.dumps(
    {
        "cells": [
            {"cell_type": "markdown", "metadata": {}, "source": ["# Herring\n", "\n", "Herring is smoked at dawn."]},
            {"cell_type": "code", "metadata": {}, "source": "price = 4  # of apples", "outputs": []},
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
)
LIBRARY = {
    "plain.txt": text_of(6, 1),
    "odd.txt": "Größe.\r\n\r\nHerring \u2014 ‘silver’ \U0001f41f \u200d is  smoked\tat dawn!  It\u00a0is sold.\r\nEnd",
    "marks.md": "# Coast\n\nThe lighthouse keeper writes *daily* [1].\n\n## Fish\n\n- Herring is smoked at dawn.\n\n"
    + text_of(4, 2),
    "page.html": "<html><body><h1>Coast</h1><p>The lighthouse keeper&nbsp;writes a log.</p><ul>"
    "<li>Herring is smoked.</li></ul><table><tr><td>apples</td><td>4</td></tr></table></body></html>",
    "three.pdf": pdf(
        "Herring is smoked at dawn.", "The lighthouse keeper writes a log.", "The price of apples is four."
    ),
    "letter.docx": docx(paragraph("The lighthouse keeper writes letters. ") + paragraph("Herring is smoked at dawn.")),
    "table.csv": "fruit,price\napples,4\npears,5\n",
    "list.json": json.dumps({"fruit": "apples", "price": "The price of apples is 4."}),
    "lines.jsonl": '{"say": "Herring is smoked at dawn."}\n{"say": "The price of apples is 4."}\n',
    "cells.ipynb": NOTEBOOK,
    "japanese.txt": "灯台守は毎日日記を書く。ニシンは夜明けに燻製にされる。リンゴの値段は四円です。",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    real = (
        [path for path in sorted(SHARED.glob("**/*")) if path.suffix in (".md", ".txt", ".html")]
        if SHARED.is_dir()
        else []
    )
    library = [file(name, content) for name, content in LIBRARY.items()]
    library += [file(f"real-{path.name}", path.read_bytes()) for path in real if path.stat().st_size < 20_000][:2]
    for overlap in (0, 16):
        config = settings(folder, chunk_size=64, chunk_overlap=overlap, workspace=f"overlap-{overlap}")
        assert notebook(config, CountingEmbedding()).add(library).failures == ()
    return folder


@pytest.fixture(scope="module")
def texts(home):
    """Readings by the name of their source: read again, by the reader alone, from the kept originals."""
    book = notebook(settings(home, workspace="overlap-0"))
    with Readers() as readers:
        return {row.name: readers.read(row.name, book.place.originals.path(row.digest)) for row in book.sources()}


def in_place(one, texts):
    """Assert that a citation or passage is where it says; `one` has source, start, end, page and `quote` or `text`."""
    reading = texts[one.source]
    quote = one.quote if hasattr(one, "quote") else one.text
    assert quote
    assert reading.text[one.start : one.end] == quote
    if one.page is not None:
        assert any(page.number == one.page and page.start <= one.start < page.end for page in reading.pages)
    else:
        assert not reading.pages


@pytest.mark.parametrize("overlap", [0, 16])
def test_every_chunk_is_the_text_of_its_place(home, texts, overlap):
    snapshot = opened(notebook(settings(home, chunk_size=64, chunk_overlap=overlap, workspace=f"overlap-{overlap}")))
    assert set(snapshot.names.values()) == set(texts)
    for source_id, name in snapshot.names.items():
        rows = snapshot.table.rows_of_source(source_id)
        assert rows
        for row in rows:
            assert texts[name].text[row.start : row.end] == row.text
        covered = {at for row in rows for at in range(row.start, row.end)}
        assert all(char.isspace() for at, char in enumerate(texts[name].text) if at not in covered)
        whole = snapshot.source_text(source_id, 0, len(texts[name].text))
        assert "".join(whole.split()) == "".join(texts[name].text.split())


@pytest.mark.parametrize("overlap", [0, 16])
@pytest.mark.parametrize("question", QUESTIONS)
def test_extractive_answers_quote_what_is_there(home, texts, question, overlap):
    config = settings(home, chunk_size=64, chunk_overlap=overlap, workspace=f"overlap-{overlap}")
    book = notebook(config, CountingEmbedding())
    for passage in opened(book).search(question, 20).passages:
        in_place(passage, texts)
    answer = answered(book, question)
    if answer.kind == "nothing relevant":
        assert answer.citations == ()
        return
    assert answer.kind == "extractive"
    assert answer.citations
    for citation in answer.citations:
        assert citation.state == "verified"
        in_place(citation, texts)
        said = answer.text.replace("\u2060", "")  # which keeps a `[3]` of the document from passing for one of ours
        assert f"{' '.join(citation.quote.split())} [{citation.n}]" in said
        passage = answer.passages[citation.n - 1]
        assert (passage.source, passage.chunk_id) == (citation.source, citation.chunk_id)
        assert citation.quote in passage.text


def test_generated_answers_are_checked_and_only_the_true_is_verified(home, texts):
    config = settings(home, chunk_size=64, workspace="overlap-0")
    reader = notebook(config, CountingEmbedding())
    passages = opened(reader).search(QUESTIONS[0], 8).passages
    claims = []
    for passage in passages:
        for start, end in list(sentences(passage.text))[:2]:
            said = " ".join(passage.text[start:end].split()).replace("[", "(").replace("]", ")")
            if said[-1:] not in ".!?。":
                said += "."
            claims += [f"{said} [{passage.n}]", f"{said} [{passage.n % len(passages) + 1}]"]
        claims += [
            f"The moon is made of {passage.n + 700} green cheeses [{passage.n}].",
            f"Zebras dance [{passage.n + 90}].",
        ]
    answer = answered(notebook(config, CountingEmbedding(), llm=ScriptedLLM(" ".join(claims))), QUESTIONS[0])
    assert answer.kind == "generated"
    states = [one.state for one in answer.citations]
    assert {"verified", "not found"} <= set(states)
    for citation in answer.citations:
        if citation.state == "not found":
            assert (citation.start, citation.end, citation.page, citation.chunk_id) == (None, None, None, "")
            continue
        in_place(citation, texts)
        home_of = next(one for one in answer.passages if one.chunk_id == citation.chunk_id)
        assert (home_of.n == citation.n) is (citation.state == "verified")
    assert not [one for one in answer.citations if "cheese" in one.quote and one.state != "not found"]


@pytest.mark.parametrize(
    ("claim", "state"),
    [
        ("Entry 1-0 tells of {words} [1].", "verified"),
        ("Entry 1-0 tells of seventeen unrelated purple things nobody wrote about [1].", "not found"),
        ("Entry 5-5 tells of {words} [1].", "not found"),  # a number that is not there
        ("[1]", None),
    ],
)
def test_a_claim_is_verified_by_its_words_and_all_of_its_numbers(tmp_path, claim, state):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(1, 1))])
    passages = opened(book).search("Entry 1-0").passages
    words = paragraphs(1, 1)[0].split("tells of ")[1].split(".")[0]
    found = cited(claim.format(words=words), passages)
    assert [one.state for one in found] == ([state] if state and found else [one.state for one in found])
    assert not any(one.state == "verified" for one in found) or state == "verified"


def test_a_citation_holds_for_its_snapshot_after_the_source_changed(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", "Owls hunt at night. They sleep by day.")])
    answer = answered(book, "When do owls hunt?")
    book.add([file("a.txt", "Preface.\n\nOwls hunt at noon. They sleep at night.")])
    old = open_snapshot(book, answer.snapshot)
    citation = answer.citations[0]
    (source_id,) = old.names
    assert old.source_text(source_id, citation.start, citation.end) == citation.quote == "Owls hunt at night."
    assert Path(book.place.originals.path(book.sources()[0].digest)).is_file()
