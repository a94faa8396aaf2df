"""Which language a source is written in. Detected while building, offline (py3langid), never for a question.

The model takes 55 MB, so a process has it only while somebody `held` it: from the first text that is looked at to the
end of the build.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rag.text.language_model import load
from rag.text.scripts import is_dense

KNOWN = (  # noqa: SIM905 - a list of seventy quoted codes is unreadable
    "ar be bg bn ca cs da de el en eo es et eu fa fi fr ga gu he hi hr hu hy id is it ja ka kk km kn ko lo lt lv mk ml "
    "mr ms ne nl no pa pl pt ro ru si sk sl sq sr sv ta te th tl tr uk ur vi zh"
).split()
"""ISO 639-1 codes that are told apart. py3langid knows more, most of which it takes short texts for by mistake."""

_SAMPLE, _SAMPLES = 1000, 8
_LETTERS_AT_LEAST = 24
_SURE, _LIKELY = 0.9, 0.7


class _Model:
    """py3langid's model, of which a process has one or none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._identifier: Any = None

    @property
    def loaded(self) -> bool:
        return self._identifier is not None

    def hold(self) -> None:
        with self._lock:
            self._holders += 1

    def let_go(self) -> None:
        with self._lock:
            self._holders -= 1
            if not self._holders:
                self._identifier = None

    def rank(self, text: str) -> list[tuple[str, float]]:
        """Languages with their shares, likeliest first. One text at a time: threads that build share the model."""
        with self._lock:
            if self._identifier is None:
                self._identifier = load(KNOWN)
            ranked: list[tuple[str, float]] = self._identifier.rank(text)
            return ranked


_MODEL = _Model()


@contextmanager
def held() -> Iterator[None]:
    """Keep the model between texts, once one has been looked at; the last to leave lets it go. Nests, in any thread."""
    _MODEL.hold()
    try:
        yield
    finally:
        _MODEL.let_go()


def is_loaded() -> bool:
    """Whether this process has the model in memory."""
    return _MODEL.loaded


def detect(text: str, among: Collection[str] | None = None) -> str:
    """ISO 639-1 code of the language of a text, of `among` if given; empty where the text is too short to tell: of
    titles of 50 characters one in seven would be taken for another language. Whoever asks more than once `held`s the
    model, or it is loaded each time (0.4 CPU seconds)."""
    language, share = _guess(text, among)
    return language if share >= _LIKELY or among is not None else ""


@held()
def detect_each(texts: Sequence[str]) -> list[str]:
    """The language of each chunk of one source, as `told_by` says it."""
    tell = told_by(texts[:: samples_apart(len(texts))], len(texts))
    return [tell(text) for text in texts]


def samples_apart(chunks: int) -> int:
    """Of so many chunks of one source, which ones are the samples: the first, and each so many after it."""
    return max(1, chunks // _SAMPLES)


@held()
def told_by(samples: Sequence[str], chunks: int) -> Callable[[str], str]:
    """How to tell the language of each chunk of one source that has so many, from samples all over it.

    Where they agree, it is the language of all chunks, so that a table or a list of names in the middle does not count
    as something else; where they do not, each chunk is looked at by itself, among the languages of the samples.
    """
    whole = detect("\n".join(text[:_SAMPLE] for text in samples))
    if not whole or chunks == 1:
        return lambda _: whole
    guesses = [_guess(text[:_SAMPLE]) for text in samples]
    found = {whole} | {language for language, share in guesses if language and share >= _SURE}
    if len(found) == 1:
        return lambda _: whole
    return lambda text: detect(text[:_SAMPLE], found) or whole


def _guess(text: str, among: Collection[str] | None = None) -> tuple[str, float]:
    if sum(1 for char in text if char.isalpha()) < _LETTERS_AT_LEAST and not is_dense(text):
        return "", 0.0
    with held():
        ranked = _MODEL.rank(text)
    return next((language, share) for language, share in ranked if among is None or language in among)
