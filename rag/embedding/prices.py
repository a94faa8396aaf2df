"""List prices of OpenAI, US dollars per million tokens. What is not listed is unknown, never free."""

from __future__ import annotations

import re
from dataclasses import dataclass

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


def embedding_price(model: str) -> float | None:
    """US dollars per million tokens, or None where unknown."""
    return EMBEDDING_USD.get(_undated(model))


def chat_price(model: str) -> ChatPrice | None:
    """The price of a chat model, or None where unknown."""
    return CHAT_USD.get(_undated(model))


def _undated(model: str) -> str:
    """`gpt-4.1-mini-2025-04-14` is billed as `gpt-4.1-mini`."""
    return re.sub(r"-\d{4}-\d{2}-\d{2}$", "", model)
