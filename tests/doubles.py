"""Models for tests: real subclasses of llama-index's, deterministic, offline, and counting."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.llms.types import ChatMessage, CompletionResponse, CompletionResponseGen, LLMMetadata
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.llms import CustomLLM

from rag.errors import AlreadyExists, NotFound
from rag.models.embedder import Embedder
from rag.storage.objects import Objects


class CountingEmbedding(BaseEmbedding):
    """Vectors made of words: each word is a direction that depends on `seed`, a text the sum of its words.

    So texts that share words are similar, and two seeds are two models of equal dimension and name. `texts`, `queries`
    and `calls` count; `seen` holds every text in order. `fail_at` raises `error` when the n-th text (from 1) arrives.
    """

    dimensions: int = 64
    seed: int = 0
    _texts: int = PrivateAttr(default=0)
    _queries: int = PrivateAttr(default=0)
    _calls: int = PrivateAttr(default=0)
    _seen: list[str] = PrivateAttr(default_factory=list)
    _fail_at: int | None = PrivateAttr(default=None)
    _error: Exception = PrivateAttr()

    def __init__(self, *, fail_at: int | None = None, error: Exception | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("model_name", "counting")
        kwargs.setdefault("embed_batch_size", 2048)
        super().__init__(**kwargs)
        self._fail_at = fail_at
        self._error = error or RuntimeError("told to fail")

    @property
    def texts(self) -> int:
        """Texts embedded, queries not among them."""
        return self._texts

    @property
    def queries(self) -> int:
        """Queries embedded."""
        return self._queries

    @property
    def calls(self) -> int:
        """Batches of texts, and queries."""
        return self._calls

    @property
    def seen(self) -> list[str]:
        """Every text and query, in order of arrival."""
        return list(self._seen)

    def fail(self, at: int | None, error: Exception | None = None) -> None:
        """Raise `error` when the `at`-th text or query from the start arrives, and at every later one; None: never."""
        self._fail_at = at
        self._error = error or self._error

    def vector(self, text: str) -> list[float]:
        """The vector of `text`, uncounted: L2-normalised, of `dimensions`."""
        total = np.zeros(self.dimensions)
        for word in ["", *"".join(c if c.isalnum() else " " for c in text.lower()).split()]:
            digest = hashlib.sha256(f"{self.seed}:{word}".encode()).digest()
            direction = np.random.default_rng(int.from_bytes(digest[:8], "big")).standard_normal(self.dimensions)
            # The empty word is in every text, faintly: no text, not even an empty one, has a zero vector.
            total += direction if word else direction * 1e-3
        vector: list[float] = (total / np.linalg.norm(total)).tolist()
        return vector

    def _embed(self, text: str) -> list[float]:
        self._seen.append(text)
        if self._fail_at is not None and len(self._seen) >= self._fail_at:
            raise self._error
        return self.vector(text)

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        self._calls += 1
        vectors = [self._embed(text) for text in texts]
        self._texts += len(texts)
        return vectors

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        self._calls += 1
        self._queries += 1
        return self._embed(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


class RaisingEmbedding(BaseEmbedding):
    """A model that must not be asked anything."""

    def _get_text_embedding(self, text: str) -> list[float]:
        raise AssertionError(f"a text was embedded that should have been paid for already: {text[:80]!r}")

    def _get_query_embedding(self, query: str) -> list[float]:
        raise AssertionError(f"a query was embedded that should not have been: {query[:80]!r}")

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


class ScriptedLLM(CustomLLM):
    """A language model that says `script`, word by word, whatever it is asked, and raises `error` at the end if given.

    `calls` counts, `prompts` holds what it was asked.
    """

    script: str = ""
    window: int = 4096
    _prompts: list[str] = PrivateAttr(default_factory=list)
    _error: Exception | None = PrivateAttr(default=None)

    def __init__(self, script: str = "", *, error: Exception | None = None, **kwargs: Any) -> None:
        super().__init__(script=script, **kwargs)
        self._error = error

    @property
    def calls(self) -> int:
        """Answers begun."""
        return len(self._prompts)

    @property
    def prompts(self) -> list[str]:
        """Every prompt, in order: messages of a chat joined as llama-index joins them."""
        return list(self._prompts)

    @property
    def metadata(self) -> LLMMetadata:
        """A chat-less model of `window` tokens named `scripted`."""
        return LLMMetadata(context_window=self.window, model_name="scripted")

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """The whole script at once."""
        self._prompts.append(prompt)
        if self._error:
            raise self._error
        return CompletionResponse(text=self.script)

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """The script in pieces that end with a space."""
        self._prompts.append(prompt)
        return self._pieces()

    def _pieces(self) -> CompletionResponseGen:
        said = ""
        for piece in self.script.replace(" ", " \0").split("\0"):
            said += piece
            yield CompletionResponse(text=said, delta=piece)
        if self._error:
            raise self._error


def count_words(texts: Sequence[str]) -> list[int]:
    """Tokens as the doubles count them: words."""
    return [len(text.split()) for text in texts]


def embedder_of(model: BaseEmbedding, *, batch_size: int = 8, **settings: Any) -> Embedder:
    """An Embedder around a double; free of charge unless `usd_per_million_tokens` is given."""
    settings.setdefault("usd_per_million_tokens", 0.0)
    settings.setdefault("count_tokens", count_words)
    return Embedder(model, batch_size=batch_size, **settings)


def ask(text: str) -> list[ChatMessage]:
    """One user message."""
    return [ChatMessage(role="user", content=text)]


class MemoryObjects(Objects):
    """Small objects in memory: what every store must do, and nothing else."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def get(self, name: str) -> bytes:
        if name not in self.kept:
            raise NotFound(f"{name} does not exist.")
        return self.kept[name]

    def create(self, name: str, content: bytes) -> None:
        if self.kept.setdefault(name, content) is not content:
            raise AlreadyExists(f"{name} exists already.")

    def names(self, prefix: str) -> list[str]:
        below = (name for name in self.kept if name.rpartition("/")[0] == prefix)
        return sorted(name for name in below if not name.rpartition("/")[2].startswith("."))

    def folders(self, prefix: str) -> list[str]:
        start = f"{prefix}/" if prefix else ""
        rest = (name.removeprefix(start) for name in self.kept if name.startswith(start))
        return sorted({name.split("/", 1)[0] for name in rest if "/" in name})

    def exists(self, name: str) -> bool:
        return name in self.kept

    def is_folder(self, name: str) -> bool:
        return any(other.startswith(f"{name}/") for other in self.kept)

    def delete(self, name: str) -> None:
        self.kept.pop(name, None)

    def set_aside(self, name: str) -> str | None:
        moved = {
            other: content for other, content in self.kept.items() if other == name or other.startswith(f"{name}/")
        }
        for other, content in moved.items():
            del self.kept[other]
            self.kept[f"{name}.damaged{other.removeprefix(name)}"] = content
        return f"{name}.damaged".rpartition("/")[2] if moved else None
