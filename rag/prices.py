"""Prices in US dollars per million tokens: OpenAI's list, and the user's own. In neither: unknown, never free."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from rag.errors import ConfigError

T = TypeVar("T")

# Standard tier, no cached input. The date they were last compared: with third-party price lists that name
# developers.openai.com as their source (tokenprice.fyi, tokenmath.io), which had looked in June and July 2026.
READ_ON = "2026-11-22"

EMBEDDING_USD = {
    "text-embedding-3-small": 0.02,
    "text-embedding-3-large": 0.13,
    "text-embedding-ada-002": 0.10,
}


@dataclass(frozen=True)
class ChatPrice:
    """US dollars per million tokens: what is sent (`input`) and what is written (`output`)."""

    input: float
    output: float

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """US dollars."""
        return (prompt_tokens * self.input + completion_tokens * self.output) / 1e6


CHAT_USD = {
    "gpt-4.1": ChatPrice(2.00, 8.00),
    "gpt-4.1-mini": ChatPrice(0.40, 1.60),
    "gpt-4.1-nano": ChatPrice(0.10, 0.40),
    "gpt-4o": ChatPrice(2.50, 10.00),
    "gpt-4o-mini": ChatPrice(0.15, 0.60),
}


@dataclass(frozen=True)
class Prices:
    """Prices of the user's own, from `file`, read by them on `read_on` (ISO date). They hold for whatever server the
    model is on; the list below them holds for OpenAI's own servers only. Models with their price, sorted by name."""

    file: str = ""
    read_on: str = READ_ON
    embedding: tuple[tuple[str, float], ...] = ()
    chat: tuple[tuple[str, ChatPrice], ...] = ()

    def of_embedding(self, model: str, *, listed: bool) -> float | None:
        """US dollars per million tokens, None where unknown. `listed`: whether OpenAI's list holds too."""
        own = _found(model, dict(self.embedding))
        return own if own is not None or not listed else embedding_price(model)

    def of_chat(self, model: str, *, listed: bool) -> ChatPrice | None:
        """The price of a chat model, None where unknown."""
        own = _found(model, dict(self.chat))
        return own if own is not None or not listed else chat_price(model)


def read_prices(path: Path) -> Prices:
    """The user's own prices: `{"read_on": "2026-11-22", "embedding": {"model": 0.02}, "chat": {"model": {"input": 2.0,
    "output": 8.0}}}`, in US dollars per million tokens.

    Raises:
        ConfigError: the file cannot be read, or an entry is unknown or malformed; the sentence names both.
    """
    try:
        body = json.loads(path.read_text("utf-8"), object_pairs_hook=lambda pairs: _once(path, pairs))
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise _wrong(path, f"is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise _wrong(path, "is no JSON object")
    for name in body:
        if name not in ("read_on", "embedding", "chat"):
            raise _wrong(path, f"has {name!r}, which is unknown; it may have read_on, embedding and chat")
    read_on = body.get("read_on")
    if not isinstance(read_on, str) or not _is_date(read_on):
        raise _wrong(path, f"has {read_on!r} for read_on, the day you read the prices, such as {READ_ON}")
    embedding = {model: _dollars(path, f"embedding.{model}", price) for model, price in _table(path, body, "embedding")}
    chat = {}
    for model, price in _table(path, body, "chat"):
        if not isinstance(price, dict) or set(price) != {"input", "output"}:
            raise _wrong(path, f"has {_shown(price)} for chat.{model}, which takes input and output")
        sides = (_dollars(path, f"chat.{model}.{side}", price[side]) for side in ("input", "output"))
        chat[model] = ChatPrice(*sides)
    return Prices(str(path), read_on, tuple(sorted(embedding.items())), tuple(sorted(chat.items())))


def embedding_price(model: str) -> float | None:
    """OpenAI's list price in US dollars per million tokens, or None where unknown."""
    return _found(model, EMBEDDING_USD)


def chat_price(model: str) -> ChatPrice | None:
    """OpenAI's list price of a chat model, or None where unknown."""
    return _found(model, CHAT_USD)


def _found(model: str, prices: Mapping[str, T]) -> T | None:
    """`gpt-4.1-mini-2025-04-14` is billed as `gpt-4.1-mini`, unless it has a price of its own."""
    return prices.get(model, prices.get(re.sub(r"-\d{4}-\d{2}-\d{2}$", "", model)))


def _table(path: Path, body: Mapping[str, Any], name: str) -> Iterable[tuple[str, Any]]:
    table = body.get(name, {})
    if not isinstance(table, dict):
        raise _wrong(path, f"has {_shown(table)} for {name}, which takes an object of models")
    return table.items()


def _dollars(path: Path, entry: str, price: object) -> float:
    if isinstance(price, bool) or not isinstance(price, int | float) or not 0 <= price <= 1e6:
        raise _wrong(path, f"has {_shown(price)} for {entry}, which takes US dollars per million tokens")
    return float(price)


def _once(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    body = dict(pairs)
    if len(body) < len(pairs):
        twice = next(name for number, (name, _) in enumerate(pairs) if name in dict(pairs[:number]))
        raise _wrong(path, f"has {twice!r} twice")
    return body


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _shown(value: object) -> str:
    return repr(value)[:60]


def _wrong(path: Path, what: str) -> ConfigError:
    return ConfigError(f"RAGBOOK_PRICES: {path} {what}. Correct it, or leave RAGBOOK_PRICES out.")
