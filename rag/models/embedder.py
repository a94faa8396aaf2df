"""The counting shell around an embedding model: batches, prefixes, checks of every vector, usage."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from rag.errors import Cancelled, VectorInvalid
from rag.fingerprint import Role
from rag.models.endpoint import Endpoint, Patience

if TYPE_CHECKING:
    import numpy.typing as npt

T = TypeVar("T")
Paid = Callable[[int, int, float | None], None]

WINDOW_TEXTS = 512  # texts sorted by length at a time: enough to make batches even, few enough to give results soon
CALL_TOKENS = 200_000  # tokens in one call; OpenAI refuses over 300,000


@dataclass(frozen=True)
class Usage:
    """What was used so far. `cost_usd` is None where a price is unknown, and 0.0 for the local model.

    `calls` are requests to a server, failed and repeated ones too, or calls into the local model; `texts` and `tokens`
    are those of calls that were answered; `seconds` are spent in calls, waits between attempts included.
    """

    calls: int = 0
    texts: int = 0
    tokens: int = 0
    cost_usd: float | None = 0.0
    seconds: float = 0.0

    def __sub__(self, earlier: Usage) -> Usage:
        unknown = self.cost_usd is None or earlier.cost_usd is None
        return Usage(
            self.calls - earlier.calls,
            self.texts - earlier.texts,
            self.tokens - earlier.tokens,
            None if unknown else (self.cost_usd or 0.0) - (earlier.cost_usd or 0.0),
            self.seconds - earlier.seconds,
        )


class Model(Protocol):
    """What an `Embedder` asks of a model. Every embedding model of llama-index is one."""

    @property
    def model_name(self) -> str: ...

    @property
    def embed_batch_size(self) -> int: ...

    def get_text_embedding_batch(self, texts: list[str]) -> list[list[float]]: ...

    def get_query_embedding(self, query: str) -> list[float]: ...


class Embedder:
    """An embedding model that counts. Safe to share by threads; `usage` then counts for all of them."""

    def __init__(
        self,
        model: Model,
        *,
        batch_size: int,
        count_tokens: Callable[[Sequence[str]], list[int]],
        usd_per_million_tokens: float | None,
        dimensions: int | None = None,
        text_prefix: str = "",
        query_prefix: str = "",
        symmetric: bool = False,
        endpoint: Endpoint | None = None,
        patience: Patience | None = None,
    ) -> None:
        """Wrap `model`.

        Args:
            batch_size: texts per call; never more than the model's own `embed_batch_size`, which would cut them again.
            count_tokens: tokens of texts as sent, as they are billed.
            usd_per_million_tokens: None where unknown.
            dimensions: the recorded dimension; taken from the first vector where None.
            symmetric: whether the model embeds queries as it does texts, so that queries can go in batches too.
            endpoint: of a model on a server: failures are translated, and passing ones are tried again.
            patience: how long; the default is a minute.
        """
        self._model = model
        self._batch_size = min(batch_size, model.embed_batch_size)
        self._count = count_tokens
        self._price = usd_per_million_tokens
        self._dimensions = dimensions
        self._prefixes: dict[Role, str] = {"text": text_prefix, "query": query_prefix}
        self._symmetric = symmetric
        self._endpoint = endpoint
        self._patience = patience or Patience()
        self._paid: Paid | None = None
        self._lock = threading.Lock()
        self._calls = self._texts = self._tokens = 0
        self._seconds = 0.0

    @property
    def model(self) -> Model:
        """The model itself. What goes past this shell is not counted."""
        return self._model

    @property
    def dimensions(self) -> int | None:
        """The dimension every vector must have, or None before the first one."""
        return self._dimensions

    @property
    def usage(self) -> Usage:
        """A snapshot; `later - earlier` is what happened between two."""
        with self._lock:
            return Usage(self._calls, self._texts, self._tokens, self.cost(self._tokens), self._seconds)

    def cost(self, tokens: int) -> float | None:
        """US dollars for so many tokens; None where the price is unknown."""
        return None if self._price is None else tokens * self._price / 1e6

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text as billed when embedded as text, prefix included."""
        return self._count([self._prefixes["text"] + text for text in texts])

    def embed(
        self, texts: Sequence[str], role: Role, *, cancelled: Callable[[], bool] | None = None
    ) -> Iterator[tuple[list[int], npt.NDArray[np.float32]]]:
        """Embed `texts`, batch by batch, so that each can be stored as soon as it is paid for.

        Yields:
            Indexes into `texts`, in no particular order, and their vectors: (m, d) float32, L2-normalised.

        Raises:
            Cancelled: between batches, or while waiting for a server.
            VectorInvalid: for a vector that is not finite, is zero, or has not the recorded dimension.
            ModelError: whatever else the model fails with.
        """
        for start in range(0, len(texts), WINDOW_TEXTS):
            sent = [self._prefixes[role] + text for text in texts[start : start + WINDOW_TEXTS]]
            tokens = self._count(sent)
            for batch in self._batches(tokens, 1 if role == "query" and not self._symmetric else self._batch_size):
                if cancelled is not None and cancelled():
                    raise Cancelled("Stopped. Vectors paid for so far are kept.")
                vectors = self._call([sent[i] for i in batch], role, sum(tokens[i] for i in batch), cancelled)
                yield [start + i for i in batch], vectors

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """The vector of a question: (d,) float32, L2-normalised. Raises as `embed`."""
        sent = [self._prefixes["query"] + text]
        vector: npt.NDArray[np.float32] = self._call(sent, "query", self._count(sent)[0], None)[0]
        return vector

    def _batches(self, tokens: Sequence[int], size: int) -> Iterator[list[int]]:
        """Positions, longest first, at most `size` and `CALL_TOKENS` (or one text) each."""
        batch: list[int] = []
        total = 0
        for position in sorted(range(len(tokens)), key=lambda i: -tokens[i]):
            if batch and (len(batch) == size or total + tokens[position] > CALL_TOKENS):
                yield batch
                batch, total = [], 0
            batch.append(position)
            total += tokens[position]
        if batch:
            yield batch

    def _call(
        self, sent: list[str], role: Role, tokens: int, cancelled: Callable[[], bool] | None
    ) -> npt.NDArray[np.float32]:
        started = time.monotonic()
        try:
            if self._endpoint is None:
                answer = self._attempt(sent, role)
            else:
                # Here, because it imports openai: half a second that the local model never needs.
                from rag.models.retries import persist

                answer = persist(
                    lambda: self._attempt(sent, role),
                    endpoint=self._endpoint,
                    patience=self._patience,
                    cancelled=cancelled,
                )
        finally:
            with self._lock:
                self._seconds += time.monotonic() - started
        with self._lock:
            self._texts += len(sent)
            self._tokens += tokens
        if self._paid is not None and self._price != 0.0:
            # Before the answer is even looked at: it is paid for, good or bad.
            self._paid(len(sent), tokens, self.cost(tokens))
        return self._checked(answer, len(sent))

    def on_paid(self, listener: Paid | None) -> None:
        """Tell `listener` of every answered call that costs or may cost money, before its result is used: texts,
        tokens and US dollars (None where the price is unknown)."""
        self._paid = listener

    def _attempt(self, sent: list[str], role: Role) -> list[list[float]]:
        with self._lock:
            self._calls += 1
        if role == "query" and len(sent) == 1:
            return [self._model.get_query_embedding(sent[0])]
        return self._model.get_text_embedding_batch(sent)

    def _checked(self, answer: Sequence[Sequence[float]], count: int) -> npt.NDArray[np.float32]:
        """`answer` as (count, d) float32, L2-normalised."""
        lengths = {len(vector) for vector in answer}
        with self._lock:
            if self._dimensions is None and len(lengths) == 1:
                self._dimensions = next(iter(lengths))
            expected = self._dimensions
        if len(answer) != count or lengths != {expected}:
            found = " or ".join(str(length) for length in sorted(lengths)) or "no"
            raise VectorInvalid(
                f"{self._model.model_name} gave {len(answer)} vectors of {found} dimensions; expected {count} of "
                f"{expected}. It is not the model this index was built with: check the embedding settings."
            )
        matrix = np.asarray(answer, dtype=np.float64)
        with np.errstate(over="ignore"):
            norms = np.linalg.norm(matrix, axis=1, keepdims=True)
        if not np.isfinite(norms).all() or not norms.all():
            raise VectorInvalid(f"{self._model.model_name} gave a vector that is zero or not finite. Try again.")
        vectors: npt.NDArray[np.float32] = (matrix / norms).astype(np.float32)
        return vectors
