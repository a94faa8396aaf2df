"""Settings, read once: environment over `.env` over `.streamlit/secrets.toml` over saved settings over defaults.

Secrets are wrapped so that `repr`, `str`, f-strings, logs and JSON cannot show them; only `reveal()` gives the value.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlsplit

from rag.errors import ConfigError
from rag.prices import Prices, read_prices

Embedder = Literal["local", "openai", "openai-compatible"]
Llm = Literal["none", "openai", "openai-compatible"]
Reranker = Literal["none", "llm", "cross-encoder"]

LOCAL_MODEL = "all-MiniLM-L6-v2"
MULTILINGUAL_MODEL = "universal-sentence-encoder-multilingual-3"
LOCAL_MODELS = {LOCAL_MODEL: 384, MULTILINGUAL_MODEL: 512}
"""The models that run in this process, with their dimensions; the second is an optional extra."""
CROSS_ENCODER = "cross-encoder/ms-marco-MiniLM-L6-v2"


@dataclass(frozen=True)
class Setting:
    """One setting: its name, what it means, its default and, where there are few, its values."""

    name: str
    meaning: str
    default: str = ""
    values: tuple[str, ...] = ()
    savable: bool = False


SETTINGS: tuple[Setting, ...] = (
    Setting("RAGBOOK_HOME", "folder (or, later, bucket address) that holds everything", "./data"),
    Setting("RAGBOOK_WORKSPACE", "workspace inside the home: lower-case letters, digits, `-` and `_`", "default"),
    Setting("RAGBOOK_EMBEDDER", "who makes vectors", "local", ("local", "openai", "openai-compatible"), savable=True),
    Setting(
        "RAGBOOK_EMBED_MODEL",
        f"embedding model; `{LOCAL_MODEL}` or `{MULTILINGUAL_MODEL}` for `local`; "
        "`text-embedding-3-small` for `openai`; must be named for `openai-compatible`",
        savable=True,
    ),
    Setting(
        "RAGBOOK_EMBED_BASE_URL", "address of the embedding server, such as `http://localhost:11434/v1`", savable=True
    ),
    Setting("RAGBOOK_EMBED_DIMENSIONS", "ask the model for shorter vectors, where it can", savable=True),
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
    Setting("RAGBOOK_LLM_BASE_URL", "address of the language model server", savable=True),
    Setting(
        "RAGBOOK_LLM_CONTEXT",
        "window of the language model in tokens, where it is not known or set smaller on the server, 512 to 10000000",
        savable=True,
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
        "`cross-encoder/ms-marco-MiniLM-L6-v2` without it",
        savable=True,
    ),
    Setting("OPENAI_API_KEY", "key for `openai`; optional for `openai-compatible`"),
    Setting("RAGBOOK_PRICES", "JSON file with prices of your own, which go before the list that comes along"),
    Setting("RAGBOOK_CHUNK_SIZE", "longest chunk, in tokens of the embedding model, 32 to 8192", "220", savable=True),
    Setting("RAGBOOK_KEEP_SNAPSHOTS", "newest snapshots that are never retired, 1 to 10000", "50", savable=True),
    Setting("RAGBOOK_KEEP_DAYS", "days a snapshot is kept at least, 0 to 36500", "30", savable=True),
    Setting(
        "RAGBOOK_CHUNK_OVERLAP", "tokens repeated from the chunk before, less than half of the size", "32", savable=True
    ),
)
NAMES = tuple(setting.name for setting in SETTINGS)
SAVABLE = tuple(setting.name for setting in SETTINGS if setting.savable)


class Secret:
    """A value that never prints itself."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value; for the one call that sends it to the server."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a secret is not written to disk")


@dataclass(frozen=True)
class Config:
    """All settings, checked. `origins` says for each name where its value came from: `environment`, `.env`,
    `secrets.toml`, `saved` or `default`."""

    home: str = "./data"
    workspace: str = "default"
    embedder: Embedder = "local"
    embed_model: str = LOCAL_MODEL
    embed_base_url: str | None = None
    embed_dimensions: int | None = None
    llm: Llm = "none"
    llm_model: str | None = None
    llm_base_url: str | None = None
    llm_context: int | None = None
    reranker: Reranker = "none"
    reranker_model: str | None = None
    api_key: Secret | None = None
    chunk_size: int = 220
    chunk_overlap: int = 32
    keep_snapshots: int = 50
    keep_days: int = 30
    prices: Prices = field(default_factory=Prices)
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)


def load_config(
    environ: Mapping[str, str] | None = None,
    *,
    folder: Path | None = None,
    saved: Mapping[str, str] | None = None,
) -> Config:
    """Read all settings.

    Args:
        environ: the environment; the process's own by default.
        folder: where `.env` and `.streamlit/secrets.toml` are looked for; the current folder by default.
        saved: settings saved from the Settings page; names not in `SAVABLE` are refused.

    Raises:
        ConfigError: for an unknown name or a wrong value; the sentence lists the right ones.
    """
    environ = os.environ if environ is None else environ
    folder = Path.cwd() if folder is None else folder
    layers: list[tuple[str, Mapping[str, str]]] = [
        ("environment", _ours(environ)),
        (".env", _ours(_dotenv(folder / ".env"))),
        ("secrets.toml", _ours(_secrets(folder / ".streamlit" / "secrets.toml"))),
        ("saved", dict(saved or {})),
        ("default", {setting.name: setting.default for setting in SETTINGS}),
    ]
    for where, layer in layers:
        allowed = SAVABLE if where == "saved" else NAMES
        for name in layer:
            if name not in allowed:
                raise ConfigError(_unknown(name, where, allowed))
    values: dict[str, str] = {}
    origins: dict[str, str] = {}
    for name in NAMES:
        for where, layer in layers:
            if layer.get(name, "").strip():
                values[name], origins[name] = layer[name].strip(), where
                break
        else:
            values[name], origins[name] = "", "default"
    return _checked(values, origins)


def _checked(values: Mapping[str, str], origins: Mapping[str, str]) -> Config:
    embedder = cast(Embedder, _one_of("RAGBOOK_EMBEDDER", values["RAGBOOK_EMBEDDER"]))
    llm = cast(Llm, _one_of("RAGBOOK_LLM", values["RAGBOOK_LLM"]))
    embed_model = values["RAGBOOK_EMBED_MODEL"]
    embed_base_url = _address("RAGBOOK_EMBED_BASE_URL", values["RAGBOOK_EMBED_BASE_URL"])
    llm_model = values["RAGBOOK_LLM_MODEL"]
    llm_base_url = _address("RAGBOOK_LLM_BASE_URL", values["RAGBOOK_LLM_BASE_URL"])
    dimensions = _whole("RAGBOOK_EMBED_DIMENSIONS", values["RAGBOOK_EMBED_DIMENSIONS"], 8, 65536)
    if embedder == "local":
        embed_model = embed_model or LOCAL_MODEL
        if embed_model not in LOCAL_MODELS:
            raise ConfigError(
                f"RAGBOOK_EMBED_MODEL is {embed_model!r}, but the local models are {' and '.join(LOCAL_MODELS)}. "
                "Name one of them or none, or set RAGBOOK_EMBEDDER to openai or openai-compatible."
            )
        known = LOCAL_MODELS[embed_model]
        if dimensions not in (None, known):
            raise ConfigError(f"RAGBOOK_EMBED_DIMENSIONS is {dimensions}, but {embed_model} has {known}. Leave it out.")
        embed_base_url, dimensions = None, None
    elif embedder == "openai":
        embed_model = embed_model or "text-embedding-3-small"
    else:
        _need(embed_model, "RAGBOOK_EMBED_MODEL", "RAGBOOK_EMBEDDER")
        _need(embed_base_url, "RAGBOOK_EMBED_BASE_URL", "RAGBOOK_EMBEDDER")
    if llm == "none":
        llm_model, llm_base_url = "", None
    elif llm == "openai":
        llm_model = llm_model or "gpt-4.1-mini"
    else:
        _need(llm_model, "RAGBOOK_LLM_MODEL", "RAGBOOK_LLM")
        _need(llm_base_url, "RAGBOOK_LLM_BASE_URL", "RAGBOOK_LLM")
    reranker = cast(Reranker, _one_of("RAGBOOK_RERANKER", values["RAGBOOK_RERANKER"]))
    if reranker == "llm" and llm == "none":
        raise ConfigError(
            "RAGBOOK_RERANKER is llm, but RAGBOOK_LLM is none. Set RAGBOOK_LLM, or RAGBOOK_RERANKER=none."
        )
    size = _whole("RAGBOOK_CHUNK_SIZE", values["RAGBOOK_CHUNK_SIZE"], 32, 8192) or 220
    overlap = _whole("RAGBOOK_CHUNK_OVERLAP", values["RAGBOOK_CHUNK_OVERLAP"], 0, 4096)
    overlap = 0 if overlap is None else overlap
    if origins["RAGBOOK_CHUNK_OVERLAP"] == "default":
        overlap = min(overlap, size // 4)
    if overlap * 2 >= size:
        raise ConfigError(
            f"RAGBOOK_CHUNK_OVERLAP is {overlap}, which is not less than half of RAGBOOK_CHUNK_SIZE ({size}). "
            f"Set it to {size // 2 - 1} or less."
        )
    keep_snapshots = _whole("RAGBOOK_KEEP_SNAPSHOTS", values["RAGBOOK_KEEP_SNAPSHOTS"], 1, 10_000)
    keep_days = _whole("RAGBOOK_KEEP_DAYS", values["RAGBOOK_KEEP_DAYS"], 0, 36_500)
    workspace = values["RAGBOOK_WORKSPACE"]
    check_slug("RAGBOOK_WORKSPACE", workspace)
    key = values["OPENAI_API_KEY"]
    return Config(
        home=values["RAGBOOK_HOME"],
        workspace=workspace,
        embedder=embedder,
        embed_model=embed_model,
        embed_base_url=embed_base_url,
        embed_dimensions=dimensions,
        llm=llm,
        llm_model=llm_model or None,
        llm_base_url=llm_base_url,
        llm_context=_whole("RAGBOOK_LLM_CONTEXT", values["RAGBOOK_LLM_CONTEXT"], 512, 10_000_000),
        reranker=reranker,
        reranker_model=(values["RAGBOOK_RERANKER_MODEL"] or CROSS_ENCODER) if reranker == "cross-encoder" else None,
        api_key=Secret(key) if key else None,
        chunk_size=size,
        chunk_overlap=overlap,
        keep_snapshots=50 if keep_snapshots is None else keep_snapshots,
        keep_days=30 if keep_days is None else keep_days,
        prices=read_prices(Path(values["RAGBOOK_PRICES"]).expanduser()) if values["RAGBOOK_PRICES"] else Prices(),
        origins=dict(origins),
    )


def check_slug(what: str, slug: str) -> None:
    """Refuse a workspace or notebook name that could not be a folder on every system.

    Raises:
        ConfigError: unless `slug` is 1 to 64 lower-case letters, digits, `-` and `_`, starting with a letter or digit.
    """
    allowed = set("abcdefghijklmnopqrstuvwxyz0123456789-_")
    if not slug or len(slug) > 64 or not set(slug) <= allowed or slug[0] in "-_":
        raise ConfigError(
            f"{what} is {slug[:80]!r}. Use 1 to 64 of a-z, 0-9, - and _, starting with a letter or digit."
        )


def _ours(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if name.startswith("RAGBOOK_") or name == "OPENAI_API_KEY"}


def _dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        return {name: value or "" for name, value in dotenv_values(path).items()}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}. Correct it or remove it.") from None


def _secrets(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}. Correct it or remove it.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}. Correct it or remove it.") from None
    return {name: str(value) for name, value in table.items() if not isinstance(value, dict | list)}


def _unknown(name: str, where: str, allowed: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, allowed, 1, 0.6)
    hint = f"Did you mean {close[0]}? " if close else ""
    return f"{name} ({where}) is not a setting. {hint}The settings are {', '.join(allowed)}."


def _one_of(name: str, value: str) -> str:
    values = next(setting.values for setting in SETTINGS if setting.name == name)
    if value not in values:
        raise ConfigError(f"{name} is {value!r}. It can be {', '.join(values)}.")
    return value


def _whole(name: str, value: str, low: int, high: int) -> int | None:
    if not value:
        return None
    # The length first: Python refuses to convert thousands of digits.
    if not value.isascii() or not value.isdigit() or len(value) > 9 or not low <= int(value) <= high:
        raise ConfigError(f"{name} is {value[:80]!r}. It takes a whole number from {low} to {high}.")
    return int(value)


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


def _need(value: str | None, name: str, because: str) -> None:
    if not value:
        raise ConfigError(f"{name} is not set, and {because}=openai-compatible needs it.")
