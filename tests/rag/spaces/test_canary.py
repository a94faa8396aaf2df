"""Test vectors of a model: made, written, read, compared."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rag.spaces import canary
from rag.spaces.canary import CANARY_TEXTS, agreement, canary_of
from tests.doubles import CountingEmbedding, embedder_of

PLAIN = {"query_prefix": "", "text_prefix": ""}


def made(seed: int = 0, dimensions: int = 16) -> canary.Canary:
    return canary_of(embedder_of(CountingEmbedding(seed=seed, dimensions=dimensions)), PLAIN)


def test_eight_texts_are_paid_for_and_sixteen_where_questions_have_a_prefix_of_their_own() -> None:
    for fields, texts, queries in ((PLAIN, 8, 0), ({**PLAIN, "query_prefix": "query: "}, 8, 8)):
        model = CountingEmbedding()
        one, other = canary_of(embedder_of(model), fields)
        assert one.shape == other.shape == (len(CANARY_TEXTS), 64)
        assert (model.texts, model.queries) == (texts, queries)


def test_what_is_written_is_read_to_the_last_bit() -> None:
    before = made()
    fields = json.loads(json.dumps(canary.written(before)))
    assert fields["texts"] == list(CANARY_TEXTS)
    after = canary.vectors(canary.read(fields, 16), 16)
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize(
    "change", [{"text_vectors": "AAAA"}, {"query_vectors": ""}, {"text_vectors": None}, {"query_vectors": "no base64"}]
)
def test_what_is_no_canary_of_so_many_dimensions_is_refused(change: dict[str, object]) -> None:
    fields = canary.written(made())
    with pytest.raises((TypeError, ValueError)):
        canary.read({**fields, **change}, 16)
    with pytest.raises(ValueError, match="bytes instead of"):
        canary.read(fields, 17)
    with pytest.raises(KeyError):
        canary.read({}, 16)


def test_the_least_cosine_counts() -> None:
    one = made()
    assert agreement(one, made()) == pytest.approx(1.0)
    assert agreement(one, made(seed=1)) < 0.9
    assert agreement(one, made(dimensions=32)) == -1.0
    texts, queries = (matrix.copy() for matrix in one)
    queries[5] = -queries[5]
    assert agreement(one, (texts, queries)) == pytest.approx(-1.0)
