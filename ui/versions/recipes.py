"""Two recipes side by side, part by part, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rag.wording.choices import named
from ui.untrusted import escaped

_LABELS = {
    "embedder": "Embedding",
    "splitter": "Chunking",
    "tokenizer": "Tokenizer",
    "readers": "Readers",
    "analysis": "Words for full-text search",
    "format": "Index format",
}
_OPEN_YET = ("dimensions", "variant")
"""What only the model can tell: its absence from a wanted recipe is no difference."""


@dataclass(frozen=True)
class Part:
    """One part of a recipe: its label, its values as HTML with `same` or the change, and whether it is the same."""

    label: str
    html: str
    same: bool


def compare(saved: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Part]:
    """One `Part` per top-level entry of either recipe, known entries first."""
    keys = sorted({*saved, *wanted}, key=lambda key: (list(_LABELS).index(key) if key in _LABELS else 99, key))
    return [_part(key, saved.get(key), wanted.get(key)) for key in keys]


def _part(key: str, saved: Any, wanted: Any) -> Part:
    label = _LABELS.get(key, key.replace("_", " ").capitalize())
    before, after = dict(_leaves(saved)), dict(_leaves(wanted))
    changed = [
        name
        for name in {**before, **after}
        if before.get(name) != after.get(name) and not (name in _OPEN_YET and name not in after)
    ]
    if not changed:
        return Part(label, f'{escaped(_brief(key, saved))} · <span class="ok">same</span>', True)
    lines = (
        f"{escaped(_named(key, name, before.get(name, 'none')))} → "
        f'<span class="bad">{escaped(after.get(name, "none"))}</span>'
        for name in changed
    )
    return Part(label, "<br>".join(lines), False)


def _brief(key: str, value: Any) -> str:
    """A part in one line: what says most first, digests shortened."""
    leaves = dict(_leaves(value))
    if key == "embedder" and "model" in leaves:
        return f"{leaves['model']} · {leaves.get('provider', '')} · {leaves.get('dimensions', 'unknown')} dimensions"
    if key == "splitter" and "size" in leaves:
        return f"{leaves['size']} tokens · overlap {leaves.get('overlap', 'none')} · {leaves.get('id', '')}"
    words = (_named(key, name, leaf) for name, leaf in leaves.items() if leaf not in ("", "none"))
    return " · ".join(dict.fromkeys(words))


def _named(key: str, name: str, leaf: str) -> str:
    if not name or "/" in name:  # readers are named by media types: too long to show
        return leaf
    return f"{named(f'{key}.{name}')} {leaf}".strip()


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, str(key))
    elif isinstance(value, list | tuple):
        yield name, ", ".join(str(item) for item in value)
    elif isinstance(value, bool):
        yield name, "yes" if value else "no"
    else:
        text = "none" if value is None else str(value)
        yield name, f"{text[:12]}…" if len(text) == 64 else text
