"""Every paid call has its line in the ledger before its result is used."""

from __future__ import annotations

import pytest
from pydantic import PrivateAttr

from rag.asking.answering import ask
from rag.errors import StoreUnavailable
from rag.notebook import Notebook
from rag.storage.ledger import Ledger
from rag.tables.vectors import VectorCache
from tests.doubles import CountingEmbedding, count_words, embedder_of
from tests.notebooks import CANARY, file, local_settings, notebook, opened, settings, text_of
from tests.servers import talk

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
    assert (spent.unpriced, spent.cost_usd, spent.tokens) == (1, None, 2)


def test_the_embedded_model_writes_nothing(tmp_path):
    book = Notebook(local_settings(tmp_path))
    book.add([file("a.txt", "Bread dough rises because yeast makes carbon dioxide.")])
    list(ask(opened(book), "Why does dough rise?"))
    assert lines(book) == []
    assert not Ledger(book.place.objects).folder().exists()


class Blocking(CountingEmbedding):
    """Puts a file where the ledger's folder of the day is, while its `at`-th call is under way; `unblock` undoes it."""

    at: int = 0
    _book: object = PrivateAttr(default=None)

    def _get_text_embeddings(self, texts):
        answer = super()._get_text_embeddings(texts)
        if self.calls == self.at:
            self.block()
        return answer

    def _get_query_embedding(self, query):
        answer = super()._get_query_embedding(query)
        if self.calls == self.at:
            self.block()
        return answer

    def block(self):
        ledger = Ledger(self._book.place.objects).folder()
        ledger.rename(ledger.with_name("moved"))
        ledger.write_text("in the way")

    def unblock(self):
        ledger = Ledger(self._book.place.objects).folder()
        ledger.unlink()
        ledger.with_name("moved").rename(ledger)


def test_a_ledger_that_fails_keeps_what_was_paid_and_stops(tmp_path):
    model = Blocking(at=6)
    book = notebook(tmp_path, model, batch_size=2, usd_per_million_tokens=PRICE)
    model._book = book
    with pytest.raises(StoreUnavailable) as failure:
        book.add([file("a.txt", text_of(8))])
    assert model.calls == 6  # stopped at once
    sentence = str(failure.value)
    assert sentence.startswith("ledger/")
    assert "no line of 1 paid call to counting" in sentence
    assert "2 texts" in sentence
    assert "What was paid for is kept." in sentence
    (path,) = tmp_path.rglob("vectors.lance")
    assert len(VectorCache(path.parent, 64)) == 4
    # While it fails nothing more is paid for.
    with pytest.raises(StoreUnavailable):
        book.build()
    assert model.calls == 6
    model.unblock()
    outcome = book.build()
    assert outcome.chunks.embedded == 4
    written = lines(book)
    assert sum(one.texts for one in written if one.purpose == "build") == 8  # none twice, none missing
    assert len(written) == model.calls


def test_a_question_that_the_ledger_has_no_line_of_is_not_paid_for_again(tmp_path):
    notebook(tmp_path, CountingEmbedding()).add([file("a.txt", text_of(2))])
    model = Blocking(at=2)
    book = notebook(tmp_path, model, usd_per_million_tokens=PRICE)
    model._book = book
    snapshot = opened(book)
    with pytest.raises(StoreUnavailable, match="no line of 1 paid call"):
        snapshot.search("river stone")
    assert (model.calls, model.queries) == (2, 1)
    assert snapshot.search("river stone").passages
    assert (model.calls, model.queries) == (2, 1)
    model.unblock()
    snapshot.search("another question")
    assert [one.purpose for one in lines(book)] == ["canary", "question", "question"]


def test_a_ledger_that_cannot_be_written_is_told_before_anything_is_paid(tmp_path):
    model = CountingEmbedding()
    book = notebook(tmp_path, model, usd_per_million_tokens=PRICE)
    folder = Ledger(book.place.objects).folder()
    folder.parent.mkdir(parents=True)
    folder.write_text("in the way")
    with pytest.raises(StoreUnavailable, match="ledger/"):
        book.add([file("a.txt", text_of(2))])
    assert model.calls == 0
    folder.unlink()
    assert book.build().chunks.embedded == 2


def test_what_could_not_be_kept_and_has_no_line_is_told_too(tmp_path):
    notebook(tmp_path, CountingEmbedding()).add([file("a.txt", text_of(2))])

    class Bad(Blocking):
        def _get_text_embeddings(self, texts):
            found = super()._get_text_embeddings(texts)
            return found if len(self.seen) <= CANARY else [[0.0] * 64 for _ in texts]

    bad = Bad(at=5)
    broken = notebook(tmp_path, bad, batch_size=2, usd_per_million_tokens=PRICE)
    bad._book = broken
    with pytest.raises(StoreUnavailable, match=r"no line of 1 paid call .*\)\.$") as failure:
        broken.add([file("b.txt", text_of(2, 5))])
    assert "zero or not finite" in str(failure.value)  # what failed first is told too
    bad.unblock()
    Ledger(broken.place.objects).settle()
    assert len(lines(broken)) == 5


# ---------------------------------------------------------------------- answers, of a server on loopback


def answering(home, server, **changes):
    """A notebook whose answers come from a real server."""
    notebook(home, CountingEmbedding()).add([file("a.txt", text_of(3))])
    config = settings(home, llm="openai-compatible", llm_model="m", llm_base_url=server.address, **changes)
    made = embedder_of(CountingEmbedding())
    return Notebook(config, make_embedder=lambda _: made)


def asked(book, **more):
    *_, answer = ask(opened(book), "What does Entry 0-1 tell of?", **more)
    return answer


def test_an_answer_has_its_line(tmp_path, misbehaving):
    book = answering(tmp_path, misbehaving)
    misbehaving.play(talk(["It ", "tells. [1]"], used={"prompt_tokens": 120, "completion_tokens": 30}))
    answer = asked(book)
    assert (answer.kind, answer.text) == ("generated", "It tells. [1]")
    (line,) = lines(book)
    assert (line.purpose, line.model, line.texts, line.tokens, line.cost_usd) == ("answer", "m", 0, 150, None)
    assert (line.notebook, line.snapshot, line.space) == ("main", 1, "")
    assert line.time[:10] == answer.asked[:10]
    assert answer.receipt.tokens >= 150
    assert answer.receipt.cost_usd is None


def test_an_answer_that_broke_off_was_paid_for_too(tmp_path, misbehaving):
    book = answering(tmp_path, misbehaving)
    misbehaving.play(talk(["It ", "tells "], ending="cut"))
    assert asked(book).kind == "failed"
    (line,) = lines(book)
    assert line.purpose == "answer"
    assert line.tokens > 100  # counted here: the server did not say


def test_an_answer_without_a_line_is_handed_on_and_says_so(tmp_path, misbehaving):
    book = answering(tmp_path, misbehaving)
    folder = Ledger(book.place.objects).folder()
    folder.write_text("in the way")
    misbehaving.play(talk(["It tells. [1]"], used={"prompt_tokens": 120, "completion_tokens": 30}))
    answer = asked(book)
    assert answer.text == "It tells. [1]"
    assert "no line of 1 paid call to m" in answer.notes[-1]
    assert "150 tokens, cost unknown" in answer.notes[-1]
    folder.unlink()
    Ledger(book.place.objects).settle()
    assert [one.tokens for one in lines(book)] == [150]
