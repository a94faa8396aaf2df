"""Which language a source is written in. Detected while building, offline (py3langid), never for a question."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any

KNOWN = (  # noqa: SIM905 - a list of seventy quoted codes is unreadable
    "ar be bg bn ca cs da de el en eo es et eu fa fi fr ga gu he hi hr hu hy id is it ja ka kk km kn ko lo lt lv mk ml "
    "mr ms ne nl no pa pl pt ro ru si sk sl sq sr sv ta te th tl tr uk ur vi zh"
).split()
"""ISO 639-1 codes that are told apart. py3langid knows more, most of which it takes short texts for by mistake."""

_SAMPLE, _SAMPLES = 1000, 8
_LETTERS_AT_LEAST = 24
_SURE, _LIKELY = 0.9, 0.7
_LOCK = threading.Lock()


def detect(text: str, among: Collection[str] | None = None) -> str:
    """ISO 639-1 code of the language of a text, of `among` if given; empty where the text is too short to tell: of
    titles of 50 characters one in seven would be taken for another language."""
    language, share = _guess(text, among)
    return language if share >= _LIKELY or among is not None else ""


def detect_each(texts: Sequence[str]) -> list[str]:
    """The language of each chunk of one source, as `told_by` says it."""
    tell = told_by(texts[:: samples_apart(len(texts))], len(texts))
    return [tell(text) for text in texts]


def samples_apart(chunks: int) -> int:
    """Of so many chunks of one source, which ones are the samples: the first, and each so many after it."""
    return max(1, chunks // _SAMPLES)


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
    if sum(1 for char in text if char.isalpha()) < _LETTERS_AT_LEAST and not _dense_script(text):
        return "", 0.0
    with _LOCK:
        ranked = _identifier().rank(text)
    return next((language, share) for language, share in ranked if among is None or language in among)


def _dense_script(text: str) -> bool:
    """Whether even a few letters tell the language: ideographs, kana, Hangul."""
    return sum(1 for char in text if "\u3040" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7af") >= 4


@functools.cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages([one for one in KNOWN if one in identifier.labels])
    return identifier
