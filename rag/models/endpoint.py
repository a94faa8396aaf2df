"""Where a remote model lives, and how long we try to reach it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from rag.config import Config, Secret
from rag.errors import BadKey
from rag.models.addresses import Allowance, allowance, check_saved, is_openai
from rag.prices import ChatPrice, Prices
from rag.settings import OWNER

OPENAI_ADDRESS = "https://api.openai.com/v1"
KEY_WITHHELD = (
    "{name} was saved on a page, and no key is sent to such an address. Set it in the environment, beside the key, or "
    "leave it empty for OpenAI itself."
)


@dataclass(frozen=True)
class Endpoint:
    """One model on one server. `setting` is the part of the settings' names that sentences point to.

    `limits` are what an address saved on a page may lead to; None where the owner of the server gave the address.
    `withheld` says that there is a key which this address does not get.
    """

    setting: Literal["EMBED", "LLM"]
    model: str
    address: str
    key: Secret | None = None
    prices: Prices = field(default_factory=Prices)
    limits: Allowance | None = None
    withheld: bool = False

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
        return is_openai(self.address)

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


def check_addresses(config: Config) -> None:
    """Refuse what `config` has from a page and may not lead this server to, as far as it can be told without asking.

    Raises:
        AddressRefused
    """
    for name, address in (("EMBED", config.embed_base_url), ("LLM", config.llm_base_url)):
        if address is not None and not _by_owner(config, name):
            check_saved(address, allowance(config.allow_addresses))


def _by_owner(config: Config, setting: str) -> bool:
    """Whether only the owner of the server can have written the address. What a program gives has no origin."""
    return config.origins.get(f"RAGBOOK_{setting}_BASE_URL", OWNER[0]) in OWNER


def embedding_endpoint(config: Config) -> Endpoint:
    """The endpoint of the embedder of `config`, which must not be `local`."""
    return _endpoint(config, "EMBED", config.embedder, config.embed_model, config.embed_base_url, config.embed_api_key)


def llm_endpoint(config: Config) -> Endpoint:
    """The endpoint of the language model of `config`, which must not be `none`."""
    return _endpoint(config, "LLM", config.llm, config.llm_model or "", config.llm_base_url, config.llm_api_key)


def _endpoint(
    config: Config,
    setting: Literal["EMBED", "LLM"],
    provider: str,
    model: str,
    address: str | None,
    own: Secret | None,
) -> Endpoint:
    """A key goes to the origin that the owner gave beside it, and nowhere else.

    A server's own key (`RAGBOOK_…_API_KEY`) goes to the address of that server. OpenAI's goes to OpenAI, and to an
    address that the owner gave: for `openai` always, for `openai-compatible` unless something is asked of `openai`
    too, whose key it is then. An address saved on a page gets OpenAI's key where it is OpenAI's own, and else none:
    whoever reaches the page could have the key sent to themselves.
    """
    at = address or OPENAI_ADDRESS
    by_owner = address is None or _by_owner(config, setting)
    shared = provider == "openai" or "openai" not in (config.embedder, config.llm)
    key = (own or (config.api_key if shared else None)) if by_owner else None
    if key is None and is_openai(at):
        key = config.api_key
    withheld = key is None and (own or config.api_key) is not None
    limits = None if by_owner else allowance(config.allow_addresses)
    return Endpoint(setting, model, at, key, config.prices, limits, withheld)
