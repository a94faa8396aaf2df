"""Where a remote model lives, and how long we try to reach it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from rag.config import Config, Secret
from rag.errors import BadKey
from rag.prices import ChatPrice, Prices

OPENAI_ADDRESS = "https://api.openai.com/v1"


@dataclass(frozen=True)
class Endpoint:
    """One model on one server. `setting` is the part of the settings' names that sentences point to."""

    setting: Literal["EMBED", "LLM"]
    model: str
    address: str
    key: Secret | None = None
    prices: Prices = field(default_factory=Prices)

    def __post_init__(self) -> None:
        """Raises BadKey for a key that could not be sent, and that the HTTP library would print in its complaint."""
        key = self.key.reveal() if self.key else ""
        if not all("!" <= character <= "~" for character in key):
            raise BadKey("OPENAI_API_KEY holds a character that no key has. Copy it again, without quotes or spaces.")

    @property
    def role(self) -> str:
        """`embedding model` or `language model`."""
        return "embedding model" if self.setting == "EMBED" else "language model"

    @property
    def host(self) -> str:
        """Host and port, for sentences: an address may be long, and the path does not matter there."""
        return urlsplit(self.address).netloc or self.address or "unknown host"

    @property
    def billed_by_openai(self) -> bool:
        """Whether the list prices of OpenAI apply."""
        host = urlsplit(self.address).hostname or ""
        return host == "api.openai.com" or host.endswith(".api.openai.com")

    @property
    def embedding_price(self) -> float | None:
        """US dollars per million tokens, None where unknown."""
        return self.prices.of_embedding(self.model, listed=self.billed_by_openai)

    @property
    def chat_price(self) -> ChatPrice | None:
        """The price of a language model, None where unknown."""
        return self.prices.of_chat(self.model, listed=self.billed_by_openai)


@dataclass(frozen=True)
class Patience:
    """How long one call is tried again.

    `seconds` bound all attempts and waits of a call together: a wait that would end later is not begun. A rate limit
    is waited for as often as fits; other passing failures are tried `attempts` times, and a refused connection twice.
    `first_wait` seconds are doubled from attempt to attempt, unless the server names a time.
    """

    seconds: float = 60.0
    attempts: int = 4
    first_wait: float = 0.5


def embedding_endpoint(config: Config) -> Endpoint:
    """The endpoint of the embedder of `config`, which must not be `local`."""
    return Endpoint("EMBED", config.embed_model, config.embed_base_url or OPENAI_ADDRESS, config.api_key, config.prices)


def llm_endpoint(config: Config) -> Endpoint:
    """The endpoint of the language model of `config`, which must not be `none`."""
    return Endpoint("LLM", config.llm_model or "", config.llm_base_url or OPENAI_ADDRESS, config.api_key, config.prices)
