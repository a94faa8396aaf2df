"""Promise 1: a restart costs nothing. Equal hits, equal answers, equal scores, and no call of a model."""

from __future__ import annotations

import json

from llama_index.core.vector_stores import VectorStoreQuery

from rag.manifest import VerdictName
from rag.notebook import Notebook
from tests.doubles import CountingEmbedding
from tests.notebooks import (
    CANARY,
    answered,
    file,
    hits,
    local_settings,
    notebook,
    opened,
    paragraphs,
    python,
    said,
    text_of,
)

QUESTIONS = ("lantern and harbour", "copper engine of the railway station", "Entry 2-7")


def near(book, model, question):
    """What the vector store finds for a question whose vector is already known: no model is asked."""
    query = VectorStoreQuery(query_embedding=model.vector(question), similarity_top_k=5)
    result = opened(book).storage_context.vector_store.query(query)
    return [[result.ids, result.similarities]]


def by_words(book, question):
    """What the full-text search finds, with every digit."""
    reader = opened(book).table.reader()
    return [[reader.ids()[number], score] for number, score in reader.matching(question, 5)]


def test_second_process_opens_and_finds_the_same_without_any_model(tmp_path):
    model = CountingEmbedding()
    book = notebook(tmp_path, model)
    library = {f"{seed}.txt": text_of(12, seed) for seed in range(3)}
    outcome = book.add([file(name, text) for name, text in library.items()])
    assert outcome.verdict.name is VerdictName.BUILT
    assert model.texts == outcome.chunks.total + CANARY
    (tmp_path / "library.json").write_text(json.dumps(library))

    child = python(
        """
        import json, sys
        from pathlib import Path
        from tests.notebooks import file, notebook, opened
        from tests.doubles import CountingEmbedding
        from tests.promises.test_1_restart_costs_nothing import QUESTIONS, by_words, near
        home = Path(sys.argv[1])
        book = notebook(home)  # its embedder raises whatever it is asked
        status = book.status()
        library = json.loads((home / "library.json").read_text())
        again = book.add([file(name, text) for name, text in library.items()])
        built = book.build()
        model = CountingEmbedding()
        print(json.dumps({
            "verdict": status.verdict.name, "where": status.verdict.where, "snapshot": status.verdict.snapshot,
            "cost": [status.verdict.receipt.calls, status.verdict.receipt.texts, status.verdict.receipt.canary_texts],
            "again": [again.verdict.name, again.verdict.receipt.calls, again.chunks.reused, again.sources.unchanged],
            "built": [built.verdict.name, built.verdict.receipt.calls],
            "near": [near(book, model, question) for question in QUESTIONS],
            "words": [by_words(book, question) for question in QUESTIONS],
        }))
        """,
        tmp_path,
    )
    found = said(child)
    assert [found["verdict"], found["where"], found["snapshot"]] == ["HIT", "disk", 1]
    assert found["cost"] == [0, 0, 0]
    assert found["again"] == ["UNCHANGED", 0, outcome.chunks.total, 3]
    assert found["built"] == ["UNCHANGED", 0]
    assert found["near"] == json.loads(json.dumps([near(book, model, question) for question in QUESTIONS]))
    assert found["words"] == json.loads(json.dumps([by_words(book, question) for question in QUESTIONS]))
    assert all(found["words"])


def test_second_process_pays_for_its_questions_only(tmp_path):
    model = CountingEmbedding()
    book = notebook(tmp_path, model)
    book.add([file("a.txt", text_of(20))])
    before = {question: hits(opened(book).search(question)) for question in QUESTIONS}
    first = answered(book, QUESTIONS[0])

    child = python(
        """
        import json, sys
        from pathlib import Path
        from tests.doubles import CountingEmbedding
        from tests.notebooks import answered, hits, notebook, opened
        from tests.promises.test_1_restart_costs_nothing import QUESTIONS
        from rag.asking.answering import ask
        from rag.notebook import open_snapshot
        model = CountingEmbedding()
        book = notebook(Path(sys.argv[1]), model)
        snapshot = open_snapshot(book)
        untouched = len(model.seen)
        found = {question: hits(snapshot.search(question)) for question in QUESTIONS}
        paid = [model.texts, model.queries]
        again = snapshot.search(QUESTIONS[0])
        answer = [piece for piece in ask(snapshot, QUESTIONS[0])][-1]
        print(json.dumps({
            "untouched": untouched, "found": found, "paid": paid, "after": [model.texts, model.queries],
            "again": [again.receipt.calls, again.receipt.texts, again.receipt.canary_texts],
            "answer": [answer.text, answer.kind, [[c.quote, c.start, c.end, c.chunk_id] for c in answer.citations]],
        }))
        """,
        tmp_path,
    )
    found = said(child)
    assert found["untouched"] == 0
    assert found["found"] == json.loads(json.dumps(before))
    assert found["paid"] == [CANARY, len(QUESTIONS)]  # the model was checked once, by its canary
    assert found["again"] == [0, 0, 0]
    assert found["after"] == found["paid"]
    assert found["answer"] == [
        first.text,
        first.kind,
        [[one.quote, one.start, one.end, one.chunk_id] for one in first.citations],
    ]


def test_the_embedded_model_finds_the_same_after_a_restart_and_is_not_even_checked(tmp_path):
    config = local_settings(tmp_path)
    book = Notebook(config)
    book.add(
        [
            file("water.txt", "Water boils at one hundred degrees Celsius at sea level."),
            file("bread.txt", "Bread dough rises because yeast makes carbon dioxide."),
            file("law.txt", "A contract needs an offer, an acceptance and consideration."),
        ]
    )
    question = "Why does dough rise?"
    before = opened(book).search(question)
    assert before.passages[0].source == "bread.txt"
    child = python(
        """
        import json, sys
        from pathlib import Path
        from rag.notebook import Notebook
        from rag.config import Config
        book = Notebook(Config(home=sys.argv[1]))
        verdict = book.status().verdict
        heavy = [name for name in ("lancedb", "llama_index", "llama_index.core", "onnxruntime") if name in sys.modules]
        from tests.notebooks import hits, opened
        found = opened(book).search(sys.argv[2])
        print(json.dumps([verdict.name, heavy, hits(found), found.receipt.texts, found.receipt.canary_texts]))
        """,
        tmp_path,
        question,
    )
    verdict, heavy, found, texts, canary = said(child)
    assert verdict == "HIT"
    assert heavy == []  # a verdict is shown before anything heavy is imported
    assert found == json.loads(json.dumps(hits(before)))
    assert (texts, canary) == (1, 0)


def test_opening_and_looking_call_nothing_however_often(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(3))])
    quiet = notebook(tmp_path)
    for _ in range(3):
        status = quiet.status()
        assert status.verdict.name is VerdictName.HIT
        assert status.verdict.receipt.calls == status.verdict.receipt.texts == 0
        assert status.verdict.receipt.saved_texts == status.counts.chunks
        snapshot = opened(quiet)
        assert snapshot.snapshot == 1
        assert snapshot.names == {row.source_id: row.name for row in quiet.sources()}
        assert quiet.history()[0].snapshot == 1
        assert quiet.spaces()[0]["vectors"] == status.counts.chunks
    assert paragraphs(1)[0] in snapshot.source_text(quiet.sources()[0].source_id, 0, 10_000)
