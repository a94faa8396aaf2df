"""Whether stored vectors are those of the model there is: a few texts are embedded again, and no more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rag.moving.llamaindex_files import StoredIndex, StoredNode
from rag.moving.llamaindex_sources import sources_of
from rag.moving.llamaindex_trial import SAMPLES, Needed, compared, estimate, unit
from rag.prices import Prices
from tests.doubles import CountingEmbedding, RaisingEmbedding, embedder_of
from tests.notebooks import local_settings, paragraphs, settings


def stored(model: CountingEmbedding | None, count: int = 12, scale: float = 1.0) -> StoredIndex:
    texts = paragraphs(count)
    nodes = tuple(StoredNode(str(n), text, text, {}, str(n), 0, len(text)) for n, text in enumerate(texts))
    if model is None:
        return StoredIndex(nodes, None, "it has no vectors", 0)
    return StoredIndex(nodes, np.asarray([model.vector(t) for t in texts], dtype=np.float32) * scale, "", 0)


@pytest.mark.parametrize("scale", [1.0, 0.01, 300.0])
def test_vectors_of_the_same_model_agree_whatever_their_length(tmp_path: Path, scale: float) -> None:
    model = CountingEmbedding()
    why, least = compared(embedder_of(model), settings(tmp_path), stored(model, scale=scale))
    assert why == ""
    assert least == pytest.approx(1.0, abs=1e-6)
    assert model.texts == SAMPLES


def test_fewer_texts_than_samples_are_all_asked_and_the_same_ones_each_time(tmp_path: Path) -> None:
    few, many = CountingEmbedding(), CountingEmbedding()
    compared(embedder_of(few), settings(tmp_path), stored(few, 3))
    assert few.texts == 3
    for _ in range(2):
        compared(embedder_of(many), settings(tmp_path), stored(many))
    assert many.seen[:SAMPLES] == many.seen[SAMPLES:]


def test_another_model_of_that_width_is_told_by_its_vectors(tmp_path: Path) -> None:
    why, least = compared(embedder_of(CountingEmbedding(seed=4)), settings(tmp_path), stored(CountingEmbedding()))
    assert why.startswith("the configured model gives other vectors")
    assert least is not None
    assert least < 0.9


def test_another_width_is_told_without_a_call_where_it_is_known(tmp_path: Path) -> None:
    index = stored(CountingEmbedding())
    silent = embedder_of(RaisingEmbedding(model_name="raising"))
    why, least = compared(silent, settings(tmp_path, embed_dimensions=32), index)
    assert why == "they have 64 dimensions, and the configured model has 32"
    assert least is None
    narrow = CountingEmbedding(dimensions=32)
    why, least = compared(embedder_of(narrow), settings(tmp_path), index)
    assert why == "they have 64 dimensions, and the configured model gives 32"
    assert least == 0.0


def test_without_vectors_nothing_is_asked(tmp_path: Path) -> None:
    silent = embedder_of(RaisingEmbedding(model_name="raising"))
    assert compared(silent, settings(tmp_path), stored(None)) == ("it has no vectors", None)


@pytest.mark.parametrize("price", [None, 1000.0])
def test_an_estimate_calls_nobody_and_counts_each_text_once(tmp_path: Path, price: float | None) -> None:
    silent = embedder_of(RaisingEmbedding(model_name="raising"))
    config = settings(tmp_path, prices=Prices(embedding=(("counting", price),)) if price else Prices())
    index = stored(CountingEmbedding())
    sources = sources_of(index.nodes)
    once = estimate(silent, config, sources)
    assert once == estimate(silent, config, [*sources, *sources])
    assert once.texts == 12
    assert once.tokens == sum(len(node.text.split()) for node in index.nodes)
    assert once.cost_usd == (once.tokens * price / 1e6 if price else None)


def test_the_embedded_model_costs_nothing(tmp_path: Path) -> None:
    silent = embedder_of(RaisingEmbedding(model_name="raising"))
    assert estimate(silent, local_settings(tmp_path), sources_of(stored(None).nodes)).cost_usd == 0.0
    assert str(Needed(1, 2000, None)) == "1 text of 2,000 tokens, at a price that is not known"
    assert str(Needed(2, 1, 0.5)) == "2 texts of 1 token, about $0.5000"


def test_unit_brings_any_length_to_one() -> None:
    assert np.linalg.norm(unit(np.array([[3.0, 4.0], [1e-30, 0.0]], dtype=np.float32)), axis=1) == pytest.approx(1.0)
