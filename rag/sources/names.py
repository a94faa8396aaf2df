"""Names of sources and notebooks made safe to show and to store. Names are data: no path is ever made from one."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Container

_MAX = 240
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories that cannot be seen: controls, direction marks, surrogates. U+202E in a name makes
`exe.txt` of `txt.exe`."""


_LOOSE_JOINER = re.compile("(?<![^\\x00-\\x7f\u200d])\u200d|\u200d(?![^\\x00-\\x7f\u200d])")
"""A zero-width joiner that joins nothing: emoji and several scripts need it between two of their characters."""


def safe_name(name: str) -> str:
    """A display name for a source: path parts joined by `/` without `..`, drive or root; nothing invisible; at most
    240 characters with the extension kept; never empty."""
    parts = re.split(r"[/\\]+", unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode("utf-8")))
    clean = []
    for part in parts:
        seen = "".join(char if char == "\u200d" or unicodedata.category(char) not in _UNSEEN else "" for char in part)
        # Taking something away can bring a letter and its accent together: one form again, or two names look equal.
        seen = unicodedata.normalize("NFC", " ".join(_LOOSE_JOINER.sub("", seen).split()))
        if seen not in ("", ".", "..") and not re.fullmatch(r"[A-Za-z]:", seen):
            clean.append(seen)
    safe = "/".join(clean) or "unnamed"
    if len(safe) > _MAX:
        stem, dot, suffix = safe.rpartition(".")
        if dot and len(suffix) <= 10 and stem:
            return f"{stem[: _MAX - len(suffix) - 2]}….{suffix}"
        return safe[: _MAX - 1] + "…"
    return safe


def unseen(text: str) -> str:
    """The first character of a text that cannot be seen and joins nothing; empty where there is none."""
    hidden = next((char for char in text if char != "\u200d" and unicodedata.category(char) in _UNSEEN), "")
    loose = _LOOSE_JOINER.search(text)
    return hidden or (loose[0] if loose else "")


def slug_of(title: str) -> str:
    """A folder name for a notebook title: lower-case ASCII letters, digits and `-`, 1 to 64 characters."""
    ascii_only = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only.lower()).strip("-")[:64].strip("-") or "notebook"


def free_slug(title: str, taken: Container[str]) -> str:
    """`slug_of` the title, with the lowest number from 2 behind it that makes it another than those `taken`."""
    slug = slug_of(title)
    numbered = (f"{slug[:56].rstrip('-')}-{number}" for number in itertools.count(2))
    return slug if slug not in taken else next(one for one in numbered if one not in taken)
