"""A space's questions as llama-index sees an embedding model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.schema import TransformComponent
from pydantic import PrivateAttr

from rag.errors import ModelError

VectorOf = Callable[[str], tuple[npt.NDArray[np.float32] | None, str]]
"""The (d,) vector of a question, or None and why there is none."""

_NEVER = "A snapshot never changes: add files with the notebook's `add`, which keeps what is paid for."


class QuestionEmbedding(BaseEmbedding):
    """Embeds questions for an index over one snapshot. Texts it refuses: they are embedded by the pipeline, which
    keeps what is paid for."""

    _vector_of: VectorOf = PrivateAttr()

    def __init__(self, model_name: str, vector_of: VectorOf, **kwargs: Any) -> None:
        super().__init__(model_name=model_name, **kwargs)
        self._vector_of = vector_of

    @classmethod
    def class_name(cls) -> str:
        """The name llama-index records."""
        return "QuestionEmbedding"

    def _get_query_embedding(self, query: str) -> list[float]:
        vector, why = self._vector_of(query)
        if vector is None:
            raise ModelError(why)
        return [float(value) for value in vector]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)

    def _get_text_embedding(self, text: str) -> list[float]:  # noqa: ARG002 - the base class names it
        raise ModelError(_NEVER)


class NoTransformation(TransformComponent):
    """The transformation of an index that takes no documents. Without one, llama-index makes its default splitter, and
    with it a tiktoken encoding that nobody uses: 170 ms of CPU and 40 MB at every opening."""

    def __call__(self, nodes: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - the base class names them
        """Refuse."""
        raise ModelError(_NEVER)
