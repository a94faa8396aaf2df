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
from typing import Any, Literal, cast

from rag.errors import ConfigError
from rag.prices import Prices, read_prices
from rag.settings import LOCAL_MODEL, LOCAL_MODELS, NAMES, RETIRED, SAVABLE, SETTINGS

Embedder = Literal["local", "openai", "openai-compatible"]
Llm = Literal["none", "openai", "openai-compatible"]
Reranker = Literal["none", "llm", "cross-encoder"]

CROSS_ENCODER = "cross-encoder/ms-marco-MiniLM-L6-v2"
SWITCHES = ("RAGBOOK_READER_STDERR",)
"""Switches for developers that are no settings: whoever reads them asks the environment."""


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
    embed_api_key: Secret | None = None
    llm_api_key: Secret | None = None
    allow_addresses: tuple[str, ...] = ()
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
        saved: settings saved from the Settings page; names not in `SAVABLE` are refused, and those of `RETIRED`
            passed over.

    Raises:
        ConfigError: for an unknown name or a wrong value; the sentence lists the right ones.
    """
    environ = os.environ if environ is None else environ
    folder = Path.cwd() if folder is None else folder
    layers: list[tuple[str, Mapping[str, str]]] = [
        ("environment", _ours(environ)),
        (".env", _ours(_dotenv(folder / ".env"))),
        ("secrets.toml", _ours(_secrets(folder / ".streamlit" / "secrets.toml"))),
        ("saved", {name: value for name, value in (saved or {}).items() if name not in RETIRED}),
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
    read = {setting.name: setting.read(values[setting.name]) for setting in SETTINGS}
    embedder, llm = cast(Embedder, read["RAGBOOK_EMBEDDER"]), cast(Llm, read["RAGBOOK_LLM"])
    reranker = cast(Reranker, read["RAGBOOK_RERANKER"])
    if reranker == "llm" and llm == "none":
        raise ConfigError(
            "RAGBOOK_RERANKER is llm, but RAGBOOK_LLM is none. Set RAGBOOK_LLM, or RAGBOOK_RERANKER=none."
        )
    embed_model, embed_base_url, dimensions = _embedding(embedder, read)
    llm_model, llm_base_url = _answering(llm, read)
    size, overlap = _cut(read, origins)
    prices = read["RAGBOOK_PRICES"]
    return Config(
        home=values["RAGBOOK_HOME"],
        workspace=values["RAGBOOK_WORKSPACE"],
        embedder=embedder,
        embed_model=embed_model,
        embed_base_url=embed_base_url,
        embed_dimensions=dimensions,
        llm=llm,
        llm_model=llm_model,
        llm_base_url=llm_base_url,
        llm_context=read["RAGBOOK_LLM_CONTEXT"],
        reranker=reranker,
        reranker_model=(read["RAGBOOK_RERANKER_MODEL"] or CROSS_ENCODER) if reranker == "cross-encoder" else None,
        api_key=_secret(values["OPENAI_API_KEY"]),
        embed_api_key=_secret(values["RAGBOOK_EMBED_API_KEY"]),
        llm_api_key=_secret(values["RAGBOOK_LLM_API_KEY"]),
        allow_addresses=read["RAGBOOK_ALLOW_ADDRESSES"],
        chunk_size=size,
        chunk_overlap=overlap,
        keep_snapshots=_or(read["RAGBOOK_KEEP_SNAPSHOTS"], 50),
        keep_days=_or(read["RAGBOOK_KEEP_DAYS"], 30),
        prices=read_prices(Path(prices).expanduser()) if prices else Prices(),
        origins=dict(origins),
    )


def _embedding(embedder: Embedder, read: Mapping[str, Any]) -> tuple[str, str | None, int | None]:
    """Model, address and dimensions of the embedder."""
    model: str = read["RAGBOOK_EMBED_MODEL"] or ""
    address, dimensions = read["RAGBOOK_EMBED_BASE_URL"], read["RAGBOOK_EMBED_DIMENSIONS"]
    if embedder == "openai":
        return model or "text-embedding-3-small", address, dimensions
    if embedder == "openai-compatible":
        _need(model, "RAGBOOK_EMBED_MODEL", "RAGBOOK_EMBEDDER")
        _need(address, "RAGBOOK_EMBED_BASE_URL", "RAGBOOK_EMBEDDER")
        return model, address, dimensions
    model = model or LOCAL_MODEL
    if model not in LOCAL_MODELS:
        raise ConfigError(
            f"RAGBOOK_EMBED_MODEL is {model!r}, but the local models are {' and '.join(LOCAL_MODELS)}. "
            "Name one of them or none, or set RAGBOOK_EMBEDDER to openai or openai-compatible."
        )
    known = LOCAL_MODELS[model]
    if dimensions not in (None, known):
        raise ConfigError(f"RAGBOOK_EMBED_DIMENSIONS is {dimensions}, but {model} has {known}. Leave it out.")
    return model, None, None


def _answering(llm: Llm, read: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Model and address of the language model."""
    model, address = read["RAGBOOK_LLM_MODEL"], read["RAGBOOK_LLM_BASE_URL"]
    if llm == "none":
        return None, None
    if llm == "openai":
        return model or "gpt-4.1-mini", address
    _need(model, "RAGBOOK_LLM_MODEL", "RAGBOOK_LLM")
    _need(address, "RAGBOOK_LLM_BASE_URL", "RAGBOOK_LLM")
    return model, address


def _cut(read: Mapping[str, Any], origins: Mapping[str, str]) -> tuple[int, int]:
    """Size and overlap of chunks, in tokens."""
    size = _or(read["RAGBOOK_CHUNK_SIZE"], 220)
    overlap = _or(read["RAGBOOK_CHUNK_OVERLAP"], 0)
    if origins["RAGBOOK_CHUNK_OVERLAP"] == "default":
        overlap = min(overlap, size // 4)
    if overlap * 2 >= size:
        raise ConfigError(
            f"RAGBOOK_CHUNK_OVERLAP is {overlap}, which is not less than half of RAGBOOK_CHUNK_SIZE ({size}). "
            f"Set it to {size // 2 - 1} or less."
        )
    return size, overlap


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def _secret(value: str) -> Secret | None:
    return Secret(value) if value else None


def _ours(values: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in values.items()
        if (name.startswith("RAGBOOK_") or name == "OPENAI_API_KEY") and name not in SWITCHES
    }


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


def _need(value: str | None, name: str, because: str) -> None:
    if not value:
        raise ConfigError(f"{name} is not set, and {because}=openai-compatible needs it.")
