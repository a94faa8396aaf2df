"""The counting shell: batches, order, prefixes, checks, usage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rag.errors import Cancelled, VectorInvalid
from rag.fingerprint import Role
from rag.models import embedder as room
from rag.models.embedder import Embedder, Usage
from tests.doubles import CountingEmbedding, RaisingEmbedding, embedder_of

TEXTS = [f"text {number} " + "word " * (number % 7) for number in range(50)]


def collect(embedder: Embedder, texts: list[str], role: Role = "text") -> np.ndarray:
    rows: dict[int, np.ndarray] = {}
    for indexes, matrix in embedder.embed(texts, role):
        assert matrix.dtype == np.float32
        assert len(indexes) == len(matrix)
        rows |= dict(zip(indexes, matrix, strict=True))
    assert sorted(rows) == list(range(len(texts)))
    return np.array([rows[i] for i in range(len(texts))])


def test_each_text_gets_its_own_vector_once() -> None:
    model = CountingEmbedding()
    vectors = collect(embedder_of(model), TEXTS)
    expected = np.array([model.vector(text) for text in TEXTS])
    assert np.abs(vectors - expected).max() < 1e-6
    assert sorted(model.seen) == sorted(TEXTS)


def test_batches_hold_texts_of_like_length_within_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "WINDOW_TEXTS", 20)
    batches = [indexes for indexes, _ in embedder_of(CountingEmbedding(), batch_size=6).embed(TEXTS, "text")]
    assert [len(batch) for batch in batches] == [6, 6, 6, 2, 6, 6, 6, 2, 6, 4]
    lengths = [len(TEXTS[i].split()) for batch in batches[:4] for i in batch]
    assert lengths == sorted(lengths, reverse=True)
    assert all(i < 20 for batch in batches[:4] for i in batch)


def test_a_call_holds_no_more_tokens_than_a_server_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "CALL_TOKENS", 10)
    model = CountingEmbedding()
    batches = [
        i for i, _ in embedder_of(model, batch_size=100).embed(["w " * 6, "w " * 5, "w " * 4, "w " * 30], "text")
    ]
    assert batches == [[3], [0], [1, 2]]


def test_the_batch_is_never_cut_again_by_the_model() -> None:
    model = CountingEmbedding(embed_batch_size=4)
    embedder = embedder_of(model, batch_size=100)
    collect(embedder, TEXTS[:10])
    assert model.calls == embedder.usage.calls == 3


def test_usage_is_a_snapshot_that_can_be_subtracted() -> None:
    embedder = embedder_of(CountingEmbedding(), usd_per_million_tokens=2.0)
    assert embedder.usage == Usage()
    collect(embedder, TEXTS[:10])
    earlier = embedder.usage
    tokens = sum(len(text.split()) for text in TEXTS[:10])
    assert (earlier.calls, earlier.texts, earlier.tokens) == (2, 10, tokens)
    assert earlier.cost_usd == pytest.approx(tokens * 2e-6)
    assert earlier.seconds > 0
    embedder.embed_query("three short words")
    difference = embedder.usage - earlier
    assert (difference.calls, difference.texts, difference.tokens) == (1, 1, 3)
    assert difference.cost_usd == pytest.approx(6e-6)


def test_an_unknown_price_is_unknown_and_the_local_one_is_nothing() -> None:
    unknown = embedder_of(CountingEmbedding(), usd_per_million_tokens=None)
    collect(unknown, TEXTS[:3])
    assert unknown.usage.cost_usd is None
    assert (unknown.usage - unknown.usage).cost_usd is None
    free = embedder_of(CountingEmbedding(), usd_per_million_tokens=0.0)
    collect(free, TEXTS[:3])
    assert free.usage.cost_usd == 0.0


def test_nothing_is_called_for_no_texts() -> None:
    embedder = embedder_of(RaisingEmbedding())
    assert list(embedder.embed([], "text")) == []
    assert embedder.usage == Usage()


def test_prefixes_are_put_before_what_is_sent_and_counted() -> None:
    model = CountingEmbedding()
    embedder = embedder_of(model, text_prefix="passage: ", query_prefix="query: ")
    collect(embedder, ["one"])
    embedder.embed_query("two")
    collect(embedder, ["three"], "query")
    assert model.seen == ["passage: one", "query: two", "query: three"]
    assert embedder.count_tokens(["one"]) == [2]
    assert embedder.usage.tokens == 6


def test_queries_go_one_by_one_unless_the_model_is_symmetric() -> None:
    model = CountingEmbedding()
    collect(embedder_of(model), TEXTS[:5], "query")
    assert (model.queries, model.texts, model.calls) == (5, 0, 5)
    model = CountingEmbedding()
    collect(embedder_of(model, symmetric=True), TEXTS[:5], "query")
    assert (model.queries, model.texts, model.calls) == (0, 5, 1)


def test_vectors_are_normalised() -> None:
    class Tall(CountingEmbedding):
        def vector(self, text: str) -> list[float]:
            return [1e20 * x for x in super().vector(text)]

    vectors = collect(embedder_of(Tall()), TEXTS[:4])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-6)


def test_a_stop_keeps_what_was_paid_for() -> None:
    model = CountingEmbedding()
    paid: list[int] = []
    batches = embedder_of(model, batch_size=8).embed(TEXTS, "text", cancelled=lambda: len(paid) >= 16)
    with pytest.raises(Cancelled):
        paid.extend(index for indexes, _ in batches for index in indexes)
    assert model.texts == len(paid) == 16


def test_an_error_comes_after_the_batches_before_it() -> None:
    model = CountingEmbedding(fail_at=20, error=RuntimeError("broken"))
    embedder = embedder_of(model, batch_size=8)
    paid: list[int] = []
    batches = embedder.embed(TEXTS, "text")
    with pytest.raises(RuntimeError, match="broken"):
        paid.extend(index for indexes, _ in batches for index in indexes)
    assert len(paid) == embedder.usage.texts == 16
    assert embedder.usage.calls == 3


class Odd(CountingEmbedding):
    """Answers with `answer` whatever it is given."""

    answer: Any = None

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        answer: list[list[float]] = self.answer
        return answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([[1.0, 0.0, 0.0]], "gave 1 vectors of 3 dimensions; expected 1 of 2"),
        ([[1.0, 0.0], [0.0, 1.0]], "gave 2 vectors of 2 dimensions; expected 1 of 2"),
        ([[]], "gave 1 vectors of 0 dimensions; expected 1 of 2"),
        ([[0.0, 0.0]], "zero or not finite"),
        ([[float("nan"), 1.0]], "zero or not finite"),
        ([[float("inf"), 1.0]], "zero or not finite"),
        ([[1e200, 1e200]], "zero or not finite"),
    ],
)
def test_a_vector_that_is_none_is_refused(answer: list[list[float]], words: str) -> None:
    with pytest.raises(VectorInvalid, match=words):
        list(embedder_of(Odd(answer=answer), dimensions=2).embed(["a"], "text"))


def test_the_dimension_of_the_first_vector_holds_for_all() -> None:
    model = CountingEmbedding(dimensions=64)
    embedder = embedder_of(model)
    assert embedder.dimensions is None
    collect(embedder, ["a"])
    assert embedder.dimensions == 64
    model.dimensions = 32
    with pytest.raises(VectorInvalid, match="expected 1 of 64"):
        embedder.embed_query("b")


def test_similar_texts_are_similar_and_seeds_are_other_models() -> None:
    one, other = CountingEmbedding(), CountingEmbedding(seed=1)
    a, b, c = (np.array(one.vector(text)) for text in ("the cat sat down", "the cat sat up", "ships sail far away"))
    assert a @ b > 0.6 > 0.3 > a @ c
    assert abs(a @ np.array(other.vector("the cat sat down"))) < 0.4
