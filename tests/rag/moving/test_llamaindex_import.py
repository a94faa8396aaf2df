"""An index of stock llama-index becomes a notebook: with its vectors where the model is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.errors import AlreadyExists
from rag.manifest import VerdictName
from rag.moving.llamaindex_import import import_llamaindex
from rag.storage.ledger import Ledger
from rag.wording.changes import sentence
from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook, opened, text_of
from tests.rag.moving.archives import everything_below
from tests.rag.moving.stock import QUESTION, change_vectors, pages, persisted


def test_an_index_of_the_same_model_is_adopted_with_its_vectors(tmp_path: Path) -> None:
    """Five texts and the canary are paid for; chunks, places and scores are llama-index's; the verdict says why a
    build would differ, and the build pays what was said beforehand."""
    model = CountingEmbedding()
    index = persisted(tmp_path / "li", model, pages())
    ours = CountingEmbedding()
    book = notebook(tmp_path / "home", ours, usd_per_million_tokens=2.0)
    adopted = import_llamaindex(book, tmp_path / "li")
    assert adopted.snapshot == 1
    lines = list(Ledger(book.place.objects).entries())
    assert [(one.purpose, one.texts, one.snapshot) for one in lines] == [("adopt", 5, 1), ("canary", 8, 1)]
    assert sum(one.tokens for one in lines) == adopted.receipt.tokens
    assert adopted.agreement == pytest.approx(1.0)
    assert (ours.texts, adopted.receipt.texts, adopted.receipt.canary_texts) == (13, 5, 8)

    verdict = book.status().verdict
    assert verdict.name is VerdictName.OTHER_RECIPE
    assert "way of cutting chunks: llama-index import → structure/2" in [sentence(change) for change in verdict.changes]
    rows = {row.source_id: row for row in book.sources()}
    assert [row.name for row in rows.values()] == ["a.pdf.txt", "a.pdf (2).txt", "bare.txt"]
    snapshot = opened(book)
    reader = snapshot.table.reader()
    for row in reader.rows_at(range(reader.count)):
        original = book.place.originals.path(rows[row.source_id].digest).read_text("utf-8")
        assert original[row.start : row.end] == row.text
        assert row.page == (int(row.metadata["page_label"]) if "page_label" in row.metadata else None)
    first = book.place.originals.path(next(iter(rows.values())).digest).read_text("utf-8")
    assert first.index(text_of(6, 1)[:40]) < first.index(text_of(6, 2)[:40])

    found = snapshot.index.as_retriever(similarity_top_k=6).retrieve(QUESTION)
    theirs = index.as_retriever(similarity_top_k=6).retrieve(QUESTION)
    assert [one.text for one in found] == [one.text for one in theirs]
    assert [one.score for one in found] == pytest.approx([one.score for one in theirs], abs=1e-6)

    outcome = book.build()
    assert outcome.verdict.name is VerdictName.REBUILT
    assert outcome.verdict.receipt.texts == adopted.needed.texts
    assert book.status().verdict.name is VerdictName.HIT


@pytest.mark.parametrize("other", [{"seed": 3}, {"dimensions": 32}])
def test_vectors_of_another_model_are_left_behind(tmp_path: Path, other: dict[str, int]) -> None:
    """The texts come in, no snapshot is published, and the report says what a build embeds."""
    persisted(tmp_path / "li", CountingEmbedding(), pages())
    model = CountingEmbedding(**other)
    book = notebook(tmp_path / "home", model)
    adopted = import_llamaindex(book, tmp_path / "li")
    assert adopted.snapshot is None
    assert model.texts == 5
    assert "without vectors" in adopted.sentence
    assert book.status().verdict.name is VerdictName.NEW
    assert not book.place.spaces.all()
    outcome = book.build()
    assert outcome.verdict.name is VerdictName.BUILT
    assert outcome.verdict.receipt.texts == adopted.needed.texts
    assert f"{adopted.needed.texts} texts" in adopted.sentence


def test_a_notebook_with_sources_is_not_imported_into(tmp_path: Path) -> None:
    """Nothing is mixed into an index that is there."""
    persisted(tmp_path / "li", CountingEmbedding(), pages())
    book = notebook(tmp_path / "home", CountingEmbedding())
    book.add([file("mine.txt", text_of(2, 1))])
    before = everything_below(tmp_path / "home")
    with pytest.raises(AlreadyExists, match="--notebook"):
        import_llamaindex(book, tmp_path / "li")
    assert {**everything_below(tmp_path / "home")} == before


def test_vectors_that_are_none_cost_only_themselves(stock: Path, tmp_path: Path) -> None:
    """Zero, infinite, of two lengths, or not there: the texts are imported without a call."""
    import shutil

    for number, change in enumerate(
        (
            lambda v: v.update({next(iter(v)): [0.0] * 64}),
            lambda v: v.update({next(iter(v)): [float("inf")] * 64}),
            lambda v: v.update({next(iter(v)): [1e300] * 64}),
            lambda v: v.update({next(iter(v)): [1.0]}),
            lambda v: v.clear(),
        )
    ):
        folder = tmp_path / f"li{number}"
        shutil.copytree(stock, folder)
        change_vectors(folder, change)
        adopted = import_llamaindex(notebook(tmp_path / f"home{number}"), folder)
        assert (adopted.snapshot, adopted.receipt.calls, adopted.sources) == (None, 0, 3)


def test_nodes_without_a_vector_are_counted(stock: Path, tmp_path: Path) -> None:
    """Parents of chunks have none, and neither has what a crash of persist() left: said, never silent."""
    import shutil

    shutil.copytree(stock, tmp_path / "li")
    change_vectors(tmp_path / "li", lambda v: v.pop(next(iter(v))))
    adopted = import_llamaindex(notebook(tmp_path / "home", CountingEmbedding()), tmp_path / "li")
    assert adopted.snapshot == 1
    assert adopted.left_out == 1
    assert "1 node without" in adopted.sentence
