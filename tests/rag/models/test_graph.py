"""The graph in 8 bits: it computes what the published file computes, and refuses a file it does not know."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from rag.models import minilm
from rag.models.graph import fused

TEXTS = (
    "That is a happy person",
    "The keel of a ship runs along the middle of its bottom, from bow to stern.",
    "Invoices are paid within thirty days; later ones cost two per cent a month.",
    " ".join(f"Sentence {number} tells how the harbour of the island was built." for number in range(18)),
)


def published(text: str) -> np.ndarray:
    """The vector of a text shorter than a window, by the file as it was published, in float32."""
    session = ort.InferenceSession(str(minilm.installed()), providers=["CPUExecutionProvider"])
    ids = np.array([list(minilm.minilm().encode(text).ids)], dtype=np.int64)
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    mean = session.run(["last_hidden_state"], feed)[0][0].mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean))


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:12])
def test_its_vectors_are_those_of_the_published_file(text: str) -> None:
    # Rounding to 8 bits moves short texts most: a text of 4 tokens to a cosine of 0.997.
    assert float(minilm.shared().embed([text])[0] @ published(text)) > 0.998


def test_a_file_of_another_model_is_refused() -> None:
    graph = onnx.helper.make_graph([], "another", [], [])
    with pytest.raises(ValueError, match="the model has 0 matrices, not 36"):
        fused(onnx.helper.make_model(graph).SerializeToString())
