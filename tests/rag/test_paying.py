"""Every paid call has its line in the ledger before its result is used."""

from __future__ import annotations

import pytest
from pydantic import PrivateAttr

from rag.ledger import Ledger
from rag.notebook import Notebook
from rag.vectors import VectorCache
from tests.doubles import CountingEmbedding, count_words
from tests.notebooks import CANARY, file, local_settings, notebook, opened, text_of

PRICE = 2.0


def lines(book):
    return list(Ledger(book.place.objects).entries())


class Watching(CountingEmbedding):
    """Notes how many lines the ledger has whenever it is called."""

    _book: object = PrivateAttr(default=None)
    _had: list[tuple[int, int]] = PrivateAttr(default_factory=list)

    def _get_text_embeddings(self, texts):
        cached = sum(
            len(VectorCache(path.parent, 64)) for path in self._book.place.objects.root.glob("spaces/*/vectors.lance")
        )
        self._had.append((len(lines(self._book)), cached))
        return super()._get_text_embeddings(texts)


def test_a_build_writes_a_line_per_call_and_they_add_up(tmp_path):
    model = Watching()
    book = notebook(tmp_path, model, batch_size=2, usd_per_million_tokens=PRICE)
    model._book = book
    outcome = book.add([file("a.txt", text_of(5))])
    written = lines(book)
    assert [had for had, _ in model._had] == list(range(len(model._had)))  # each call finds those before it
    assert len(written) == model.calls == outcome.verdict.receipt.calls == 4 + 3
    assert {one.purpose for one in written} == {"canary", "build"}
    assert sum(one.texts for one in written if one.purpose == "canary") == CANARY
    built = [one for one in written if one.purpose == "build"]
    assert (sum(one.texts for one in built), {one.snapshot for one in written}) == (5, {1})
    assert {one.space for one in built} == {outcome.space}
    assert sum(one.tokens for one in written) == outcome.verdict.receipt.tokens == sum(count_words(model.seen))
    assert sum(one.cost_usd for one in written) == pytest.approx(outcome.verdict.receipt.cost_usd)
    assert outcome.verdict.receipt.cost_usd == pytest.approx(outcome.verdict.receipt.tokens * PRICE / 1e6)
    assert {one.model for one in written} == {"counting"}
    book.add([file("a.txt", text_of(5))])
    assert lines(book) == written


def test_a_result_that_is_no_good_was_paid_for_too(tmp_path):
    book = notebook(tmp_path, CountingEmbedding(), usd_per_million_tokens=PRICE)
    book.add([file("a.txt", text_of(1))])
    before = len(lines(book))
    bad = notebook(tmp_path, CountingEmbedding(dimensions=32), usd_per_million_tokens=PRICE)
    with pytest.raises(Exception, match="32 dimensions"):
        bad.add([file("b.txt", text_of(1, 2))])
    assert [one.purpose for one in lines(book)[before:]] == ["canary"]


def test_questions_are_recorded_once_with_their_check(tmp_path):
    notebook(tmp_path, CountingEmbedding()).add([file("a.txt", text_of(2))])
    book = notebook(tmp_path, CountingEmbedding(), usd_per_million_tokens=None)
    assert lines(book) == []  # free of charge: no line
    snapshot = opened(book)
    snapshot.search("river stone")
    snapshot.search("river stone")
    written = lines(book)
    assert [(one.purpose, one.texts, one.cost_usd) for one in written] == [("canary", 8, None), ("question", 1, None)]
    assert {(one.snapshot, one.space, one.notebook) for one in written} == {(1, snapshot.manifest.space_fp, "main")}
    (spent,) = [one for one in Ledger(book.place.objects).spent("purpose") if one.group == "question"]
    assert (spent.unpriced, spent.cost_usd, spent.tokens) == (1, 0.0, 2)


def test_the_embedded_model_writes_nothing(tmp_path):
    book = Notebook(local_settings(tmp_path))
    book.add([file("a.txt", "Bread dough rises because yeast makes carbon dioxide.")])
    list(opened(book).ask("Why does dough rise?"))
    assert lines(book) == []
    assert not Ledger(book.place.objects).folder().exists()
