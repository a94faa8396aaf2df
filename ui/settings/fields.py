"""The fields of the Settings page: one per setting, with its value and where that comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

import rag
from ui.untrusted import escaped

if TYPE_CHECKING:
    from rag import Notebook

LABELS = {
    "RAGBOOK_EMBEDDER": "Embedder",
    "RAGBOOK_EMBED_MODEL": "Embedding model",
    "RAGBOOK_EMBED_BASE_URL": "Address of the embedding server",
    "RAGBOOK_EMBED_DIMENSIONS": "Dimensions",
    "RAGBOOK_LLM": "Answers by",
    "RAGBOOK_LLM_MODEL": "Language model",
    "RAGBOOK_LLM_BASE_URL": "Address of the language model server",
    "RAGBOOK_LLM_CONTEXT": "Window of the language model, tokens",
    "RAGBOOK_RERANKER": "Passages re-ranked by",
    "RAGBOOK_CHUNK_SIZE": "Chunk size, tokens",
    "RAGBOOK_CHUNK_OVERLAP": "Overlap, tokens",
    "RAGBOOK_KEEP_SNAPSHOTS": "Snapshots always kept",
    "RAGBOOK_KEEP_DAYS": "Days every snapshot is kept",
}
VALUES = {
    "local": "Built in, offline",
    "openai": "OpenAI",
    "openai-compatible": "A compatible server",
    "none": "Quotes only, no language model",
}
_RERANKERS = {"none": "Nothing", "llm": "The language model", "cross-encoder": "A local cross-encoder"}
_MEANINGS = {setting.name: setting.meaning for setting in rag.SETTINGS}
_CHOICES = {setting.name: setting.values for setting in rag.SETTINGS}
_NUMBERS = {
    "RAGBOOK_CHUNK_SIZE": (32, 8192, 20),
    "RAGBOOK_CHUNK_OVERLAP": (0, 4096, 8),
    "RAGBOOK_KEEP_SNAPSHOTS": (1, 10_000, 1),
    "RAGBOOK_KEEP_DAYS": (0, 36_500, 1),
}
_FIXING = ("environment", ".env", "secrets.toml")


def effective(notebook: Notebook, name: str) -> str:
    """The value in force, as text; empty where there is none."""
    value = getattr(notebook.config, name.removeprefix("RAGBOOK_").lower())
    return "" if value is None else str(value)


def is_fixed(notebook: Notebook, name: str) -> bool:
    """Whether the environment decides, so that nothing entered here would count."""
    return notebook.config.origins.get(name) in _FIXING


def origin(notebook: Notebook, name: str) -> str:
    """Where the value comes from, as a sentence."""
    where = notebook.config.origins.get(name, "default")
    if where == "environment":
        return f"Fixed by {name} in the environment"
    if where in _FIXING:
        return f"Fixed by {name} in {where}"
    return "Saved in this notebook" if where == "saved" else "Default"


def field(notebook: Notebook, name: str, saved: dict[str, str], *, among: Sequence[str] = ()) -> str | None:
    """Draw the field of one setting; what was entered, or None where the environment decides.

    With `among`, one of these is chosen where the setting could be any text.
    """
    fixed = is_fixed(notebook, name)
    key = f"set_{notebook.slug}_{name}" + ("_among" if among else "")
    now = effective(notebook, name)
    meaning = f"{name}: {_MEANINGS[name]}".replace("`", "")
    entered: str
    labels = _RERANKERS if name == "RAGBOOK_RERANKER" else VALUES
    options = list(among or _CHOICES[name])
    if options:
        entered = st.selectbox(
            LABELS[name],
            options,
            index=options.index(now) if now in options else 0,
            format_func=lambda value: labels.get(value, value),
            key=key,
            disabled=fixed,
            help=meaning,
        )
    elif name in _NUMBERS:
        least, most, step = _NUMBERS[name]
        entered = str(st.number_input(LABELS[name], least, most, int(now), step, key=key, disabled=fixed, help=meaning))
    else:
        shown = now if fixed else saved.get(name, "")
        entered = st.text_input(
            LABELS[name], shown, key=key, disabled=fixed, placeholder=now or "not set", help=meaning, max_chars=300
        ).strip()
    st.html(f'<p class="small origin" data-setting="{name}">{escaped(origin(notebook, name))}</p>')
    return None if fixed else entered
