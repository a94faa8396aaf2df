"""Language models: made from the configuration, streamed so that stopping stops the spending, and counted."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rag.errors import BadKey, BadReply, Cancelled, ServerDown
from rag.models.connection import Line, on
from rag.models.endpoint import KEY_WITHHELD, Endpoint, Patience, llm_endpoint
from rag.models.failures import no_answer, scrub, translate
from rag.models.retries import persist
from rag.models.tokens import count_bpe

if TYPE_CHECKING:
    from llama_index.core.base.llms.types import ChatMessage, ChatResponse
    from llama_index.core.llms import LLM

    from rag.config import Config

PATIENCE = Patience(seconds=30.0, attempts=3)
_LOOK = 0.05  # seconds between two looks at `cancelled` while the server is silent


@dataclass(frozen=True)
class LlmUsage:
    """What one answer used. `exact` is False where the server did not say, and tokens were counted here.

    `cost_usd` is None where the price is unknown. `calls` include failed attempts; `seconds` include waits.
    """

    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    seconds: float
    exact: bool


def make_llm(config: Config) -> LLM | None:
    """The language model of `config`, or None where answers are quoted instead. Makes no call.

    Raises:
        BadKey: if `openai` is chosen and no key is set.
        ConfigError: if the model cannot chat.
    """
    if config.llm == "none":
        return None
    endpoint = llm_endpoint(config)
    if config.llm == "openai" and endpoint.key is None:
        if endpoint.withheld:
            raise BadKey(KEY_WITHHELD.format(name="RAGBOOK_LLM_BASE_URL"))
        raise BadKey("OPENAI_API_KEY is not set, and RAGBOOK_LLM=openai needs it. Set it, or use RAGBOOK_LLM=none.")
    from rag.models.chat import RemoteChat

    return RemoteChat(endpoint, context=config.llm_context)


class TextStream(Iterator[str]):
    """An answer as it is written: its pieces in order, none empty. Nothing is sent before the first is asked for.

    For one thread. Closing it, or dropping it, ends the connection at once. Iterating may raise ModelError, and
    Cancelled within a fifth of a second of being told so; `text` and `usage` stay after either.
    """

    def __init__(
        self,
        llm: LLM,
        messages: Sequence[ChatMessage],
        *,
        cancelled: Callable[[], bool] | None = None,
        max_tokens: int | None = None,
        patience: Patience = PATIENCE,
    ) -> None:
        """Prepare to ask `llm`. `cancelled` is asked every twentieth of a second, even while the server is silent.

        A passing failure is tried again within `patience`, until the first piece is there.
        """
        answer = _Answer(llm, messages, cancelled, max_tokens, patience)
        # The iterator knows the answer but not this object: dropping this drops the iterator at once, which ends the
        # connection. In a circle, both would wait for the garbage collector while the server writes on.
        self._answer = answer
        self._iterator = answer.run()

    def __next__(self) -> str:
        return next(self._iterator)

    def close(self) -> None:
        """Stop the answer and end its connection."""
        self._iterator.close()

    @property
    def text(self) -> str:
        """What has been written so far."""
        return self._answer.text

    @property
    def usage(self) -> LlmUsage:
        """What has been used; complete once the iteration has ended, in whatever way."""
        return self._answer.usage

    @property
    def finish_reason(self) -> str | None:
        """In the server's words: `stop`, or `length` if the answer was cut short; None before the end."""
        return self._answer.finish_reason


class _Answer:
    """One answer being written: the request, its thread and its line, and what came so far."""

    def __init__(
        self,
        llm: LLM,
        messages: Sequence[ChatMessage],
        cancelled: Callable[[], bool] | None,
        max_tokens: int | None,
        patience: Patience,
    ) -> None:
        found = getattr(llm, "endpoint", None)
        self._endpoint = found if isinstance(found, Endpoint) else Endpoint("LLM", llm.metadata.model_name, "")
        self._llm = llm
        self._messages = list(messages)
        self._arguments = {} if max_tokens is None else {"max_tokens": max_tokens}
        self._cancelled = cancelled or (lambda: False)
        self._patience = patience
        self._line = Line()
        self._queue: queue.SimpleQueue[ChatResponse | Exception | None] = queue.SimpleQueue()
        self._pieces: list[str] = []
        self._refusal: list[str] = []
        self._calls = 0
        self._seconds = 0.0
        self._billed: tuple[int, int] | None = None
        self.finish_reason: str | None = None

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    @property
    def usage(self) -> LlmUsage:
        prompt = completion = 0
        if self._billed is not None:
            prompt, completion = self._billed
        elif self._calls:
            prompt = sum(count_bpe("o200k_base", message.content or "") for message in self._messages)
            completion = count_bpe("o200k_base", self.text)
        price = self._endpoint.chat_price
        cost = None if price is None else price.cost(prompt, completion)
        return LlmUsage(self._calls, prompt, completion, cost, self._seconds, self._billed is not None)

    def run(self) -> Generator[str, None, None]:
        """The pieces."""
        started = time.monotonic()
        try:
            reply = persist(self._begin, endpoint=self._endpoint, patience=self._patience, cancelled=self._cancelled)
            while reply is not None:
                self._note(reply)
                if reply.delta:
                    self._pieces.append(reply.delta)
                    yield reply.delta
                reply = self._following()
            if self._refusal:
                words = "" if self._endpoint.limits else f": {scrub(''.join(self._refusal), self._endpoint.key)}"
                raise BadReply(f"The language model refused to answer{words.rstrip('.')}. Rephrase the question.")
            if self.finish_reason == "content_filter":
                raise BadReply(f"The content filter of {self._endpoint.host} ended the answer. Rephrase the question.")
            if self._endpoint.address and not self.text.strip() and self.finish_reason is not None:
                raise BadReply(
                    f"The language model at {self._endpoint.host} ended without a word. Try again, or choose another "
                    "model."
                )
            if self._endpoint.address and self.finish_reason is None and self._billed is None:
                if self._pieces:
                    raise ServerDown(f"The language model at {self._endpoint.host} broke off its answer. Try again.")
                raise BadReply(no_answer(self._endpoint))
        finally:
            self._line.cut()
            self._seconds = time.monotonic() - started

    def _begin(self) -> ChatResponse | None:
        """Send the request, from a thread of its own, and wait for the first reply."""
        self._calls += 1
        self._line, self._queue = Line(), queue.SimpleQueue()
        arguments = (self._llm, self._messages, self._arguments, self._line, self._queue)
        threading.Thread(target=_read, args=arguments, name="ragbook-answer", daemon=True).start()
        return self._next()

    def _following(self) -> ChatResponse | None:
        try:
            return self._next()
        except Exception as error:
            failure = translate(error, self._endpoint)
            if failure is None or failure is error:
                raise
            raise failure from None  # the original may repeat the key

    def _next(self) -> ChatResponse | None:
        while True:
            if self._cancelled():
                self._line.cut()
                raise Cancelled("Stopped. What was written so far is kept.")
            try:
                reply = self._queue.get(timeout=_LOOK)
            except queue.Empty:
                continue
            if isinstance(reply, Exception):
                raise reply
            return reply

    def _note(self, reply: ChatResponse) -> None:
        counts = reply.additional_kwargs
        if counts.get("prompt_tokens"):
            self._billed = (counts["prompt_tokens"], counts.get("completion_tokens") or 0)
        for choice in getattr(reply.raw, "choices", None) or ():
            self.finish_reason = choice.finish_reason or self.finish_reason
            if choice.delta is not None and choice.delta.refusal:
                self._refusal.append(choice.delta.refusal)


def _read(
    llm: LLM,
    messages: list[ChatMessage],
    arguments: dict[str, Any],
    line: Line,
    out: queue.SimpleQueue[ChatResponse | Exception | None],
) -> None:
    """Put the replies of `llm` into `out`, then None; or the error that ended them."""
    try:
        with on(line), contextlib.closing(llm.stream_chat(messages, **arguments)) as replies:
            for reply in replies:
                out.put(reply)
                if line.is_cut:
                    break
        out.put(None)
    except Exception as error:  # noqa: BLE001 - raised again by the thread that asked
        out.put(error)
