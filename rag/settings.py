"""What can be set: each setting's name, meaning, default, and how its text is read. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from rag.errors import ConfigError

LOCAL_MODEL = "all-MiniLM-L6-v2"
MULTILINGUAL_MODEL = "universal-sentence-encoder-multilingual-3"
LOCAL_MODELS = {LOCAL_MODEL: 384, MULTILINGUAL_MODEL: 512}
"""The models that run in this process, with their dimensions; the second is an optional extra."""

OWNER = ("environment", ".env", "secrets.toml")
"""Where only the owner of the server can write; `saved` settings come from a page."""


def _text(_name: str, value: str) -> str | None:
    return value or None


def _whole(low: int, high: int) -> Callable[[str, str], int | None]:
    def read(name: str, value: str) -> int | None:
        if not value:
            return None
        # The length first: Python refuses to convert thousands of digits.
        if not value.isascii() or not value.isdigit() or len(value) > 9 or not low <= int(value) <= high:
            raise ConfigError(f"{name} is {value[:80]!r}. It takes a whole number from {low} to {high}.")
        return int(value)

    return read


def _one_of(*values: str) -> Callable[[str, str], str]:
    def read(name: str, value: str) -> str:
        if value not in values:
            raise ConfigError(f"{name} is {value!r}. It can be {', '.join(values)}.")
        return value

    return read


def _address(name: str, value: str) -> str | None:
    if not value:
        return None
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    # Before anything that repeats the value: what stands before an @ may be a password.
    if "@" in value:
        raise ConfigError(f"{name} holds a user name or password. Leave them out: the address is shown and recorded.")
    if not valid:
        raise ConfigError(f"{name} is {value!r}. It takes an address such as http://localhost:11434/v1.")
    return value.rstrip("/")


def _allowed(name: str, value: str) -> tuple[str, ...]:
    found = tuple(one.strip().lower() for one in value.split(",") if one.strip())
    wrong = next((one for one in found if one not in ("loopback", "private", "none")), None)
    if wrong is not None or ("none" in found and len(found) > 1):
        raise ConfigError(f"{name} is {value[:80]!r}. It takes loopback, private, or both with a comma, or none.")
    return found


def check_slug(what: str, slug: str) -> str:
    """Refuse a workspace or notebook name that could not be a folder on every system.

    Raises:
        ConfigError: unless `slug` is 1 to 64 lower-case letters, digits, `-` and `_`, starting with a letter or digit.
    """
    allowed = set("abcdefghijklmnopqrstuvwxyz0123456789-_")
    if not slug or len(slug) > 64 or not set(slug) <= allowed or slug[0] in "-_":
        raise ConfigError(
            f"{what} is {slug[:80]!r}. Use 1 to 64 of a-z, 0-9, - and _, starting with a letter or digit."
        )
    return slug


@dataclass(frozen=True)
class Setting:
    """One setting: its name, what it means, its default and, where there are few, its values. What is `savable` can be
    set on a page, by whoever reaches the server; `parse` reads the text of the others."""

    name: str
    meaning: str
    default: str = ""
    values: tuple[str, ...] = ()
    savable: bool = False
    parse: Callable[[str, str], Any] = _text

    def read(self, value: str) -> Any:
        """The value that a text stands for. Raises ConfigError with what is right."""
        return (_one_of(*self.values) if self.values else self.parse)(self.name, value)


SETTINGS: tuple[Setting, ...] = (
    Setting("RAGBOOK_HOME", "folder (or, later, bucket address) that holds everything", "./data"),
    Setting(
        "RAGBOOK_WORKSPACE",
        "workspace inside the home: lower-case letters, digits, `-` and `_`",
        "default",
        parse=check_slug,
    ),
    Setting("RAGBOOK_EMBEDDER", "who makes vectors", "local", ("local", "openai", "openai-compatible"), savable=True),
    Setting(
        "RAGBOOK_EMBED_MODEL",
        f"embedding model; `{LOCAL_MODEL}` or `{MULTILINGUAL_MODEL}` for `local`; "
        "`text-embedding-3-small` for `openai`; must be named for `openai-compatible`",
        savable=True,
    ),
    Setting(
        "RAGBOOK_EMBED_BASE_URL",
        "address of the embedding server, such as `http://localhost:11434/v1`",
        savable=True,
        parse=_address,
    ),
    Setting(
        "RAGBOOK_EMBED_DIMENSIONS",
        "ask the model for shorter vectors, where it can",
        savable=True,
        parse=_whole(8, 65536),
    ),
    Setting(
        "RAGBOOK_LLM",
        "who writes answers; `none` quotes the best sentences instead",
        "none",
        ("none", "openai", "openai-compatible"),
        savable=True,
    ),
    Setting(
        "RAGBOOK_LLM_MODEL",
        "language model; `gpt-4.1-mini` for `openai`; must be named for `openai-compatible`",
        savable=True,
    ),
    Setting("RAGBOOK_LLM_BASE_URL", "address of the language model server", savable=True, parse=_address),
    Setting(
        "RAGBOOK_LLM_CONTEXT",
        "window of the language model in tokens, where it is not known or set smaller on the server, 512 to 10000000",
        savable=True,
        parse=_whole(512, 10_000_000),
    ),
    Setting(
        "RAGBOOK_RERANKER",
        "who puts the passages found in another order; `cross-encoder` needs `pip install sentence-transformers`",
        "none",
        ("none", "llm", "cross-encoder"),
        savable=True,
    ),
    Setting(
        "RAGBOOK_RERANKER_MODEL",
        "model of the cross-encoder, from the Hugging Face hub or a folder; "
        "`cross-encoder/ms-marco-MiniLM-L6-v2` without it; it runs code of its author, so no page can set it",
    ),
    Setting(
        "OPENAI_API_KEY",
        "key of OpenAI; for `openai-compatible` too, where its address is set here and nothing is asked of OpenAI",
    ),
    Setting("RAGBOOK_EMBED_API_KEY", "key of the embedding server, where it is not OpenAI's"),
    Setting("RAGBOOK_LLM_API_KEY", "key of the language model server, where it is not OpenAI's"),
    Setting(
        "RAGBOOK_ALLOW_ADDRESSES",
        "which addresses saved on a page may be of this computer (`loopback`) or its network (`private`): one, both or "
        "`none`; without it `loopback` while the server itself is reachable from this computer only",
        parse=_allowed,
    ),
    Setting("RAGBOOK_PRICES", "JSON file with prices of your own, which go before the list that comes along"),
    Setting(
        "RAGBOOK_CHUNK_SIZE",
        "longest chunk, in tokens of the embedding model, 32 to 8192",
        "220",
        savable=True,
        parse=_whole(32, 8192),
    ),
    Setting(
        "RAGBOOK_KEEP_SNAPSHOTS",
        "newest snapshots that are never retired, 1 to 10000",
        "50",
        savable=True,
        parse=_whole(1, 10_000),
    ),
    Setting(
        "RAGBOOK_KEEP_DAYS", "days a snapshot is kept at least, 0 to 36500", "30", savable=True, parse=_whole(0, 36_500)
    ),
    Setting(
        "RAGBOOK_CHUNK_OVERLAP",
        "tokens repeated from the chunk before, less than half of the size",
        "32",
        savable=True,
        parse=_whole(0, 4096),
    ),
)
NAMES = tuple(setting.name for setting in SETTINGS)
SAVABLE = tuple(setting.name for setting in SETTINGS if setting.savable)
RETIRED = ("RAGBOOK_RERANKER_MODEL",)
"""What pages of older releases saved, and none may save now: passed over where it is found."""
