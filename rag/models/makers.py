"""How the models of some settings are made. Imports none of them before it is asked for one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llama_index.core.llms import LLM

    from rag.config import Config
    from rag.models.embedder import Embedder
    from rag.models.rerankers import Reranker


@dataclass(frozen=True)
class Models:
    """Makes models: ours, unless others are given, for tests and for models of one's own."""

    make_embedder: Callable[[Config], Embedder] | None = None
    make_llm: Callable[[Config], LLM | None] | None = None
    make_reranker: Callable[[Config], Reranker] | None = None

    def embedder(self, config: Config) -> Embedder:
        """The embedder of some settings. Raises as `factory.make_embedder`."""
        if self.make_embedder is not None:
            return self.make_embedder(config)
        from rag.models.factory import make_embedder

        return make_embedder(config)

    def llm(self, config: Config) -> LLM | None:
        """The language model of some settings; None where answers are quoted instead. Raises as `llms.make_llm`."""
        if self.make_llm is not None:
            return self.make_llm(config)
        if config.llm == "none":  # before the import, which takes seconds and would be for nothing
            return None
        from rag.models.llms import make_llm

        return make_llm(config)

    def reranker(self, config: Config) -> Reranker:
        """The re-ranker of some settings, one that looks at nothing where none is chosen. Raises as
        `rerankers.make_reranker`."""
        if self.make_reranker is not None and config.reranker != "none":
            return self.make_reranker(config)
        from rag.models.rerankers import make_reranker

        return make_reranker(config, self.llm)
