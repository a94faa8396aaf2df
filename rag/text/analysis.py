"""Words of chunks and questions for the full-text index, by language.

A chunk is written into the index as *terms*: its words, folded and stemmed for the language of its source; scripts
without spaces as pairs of characters. Common words are in the index too and only left out of questions, so that the
lists of them are no part of it.

Measured on the dev collections (nDCG@10 of BM25 alone over chunks; k1 1.2 and b 0.75 as Lance has them, against
bm25s with 0.9 and 0.4, Snowball and stop words over whole documents): Cranfield 0.362 against 0.343, CISI 0.369 against
0.373, XQuAD English 0.962 against 0.960, German 0.926 against 0.935 (chunks of German are shorter than its paragraphs),
Chinese 0.958 against 0.116. For Chinese, pairs and triples together give 0.938. For German, pieces of four characters
beside the stems would give 0.932, for an index several times as large.
"""

from __future__ import annotations

import functools
import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import Stemmer

from rag.text.scripts import MARKS, SPACELESS_RUN
from rag.text.stopwords import question_language, stop_words

_SNOWBALL = {
    "ar": "arabic",
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "eo": "esperanto",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
}
_WORD = re.compile(rf"[\w{MARKS}]+(?:[.:-][\w{MARKS}]+)*")
_PART = re.compile(rf"(?:[^\W_]|[{MARKS}])+")
_LONGEST = 64
_FOLDED = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ς": "σ"})
_NOTHING = str.maketrans("", "", "\u00ad\u0640\u200b\u200c\u200d\u2060\ufeff")  # soft hyphens, stretched letters
_SPACE = str.maketrans({"।": " ", "॥": " "})  # full stops among Indic letters
_TURKISH = str.maketrans({"I": "ı", "İ": "i"})
_LOCK = threading.Lock()


def terms(text: str, language: str) -> list[str]:
    """The terms of a chunk, in order, with repetitions. No term holds white space.

    Args:
        language: ISO 639-1 code; empty or unknown: words are stemmed as English ones.
    """
    return [term for _, found in _analysed(text, language, in_row=True) for term in found]


def asked(question: str, languages: Collection[str]) -> list[str]:
    """What to look for: the terms of a question in its language, or, where that is unknown or none of those the chunks
    are written in, in each of these. A term that several of them give counts as in the one that repeats it most.

    All languages at once would cost: on NPL, with 20 of 11,429 documents taken for other languages than English,
    nDCG@10 of words alone was 0.417 instead of 0.437. Common words of the question's own language are left out, unless
    nothing else is asked.
    """
    union: Counter[str] = Counter()
    for telling in _telling(question, languages):
        union |= Counter(term for _, found in telling for term in found)
    return list(union.elements())


def asked_words(question: str, languages: Collection[str]) -> list[tuple[str, ...]]:
    """The same word by word, each once: the terms any of which finds it. Of scripts without spaces, each pair or
    triple of characters is one."""
    words: dict[int, list[str]] = {}
    for telling in _telling(question, languages):
        for at, found in telling:
            words.setdefault(at, []).extend(found)
    single = (
        [(term,) for term in found] if SPACELESS_RUN.match(found[0]) else [tuple(dict.fromkeys(found))]
        for _, found in sorted(words.items())
        if found
    )
    return list(dict.fromkeys(word for each in single for word in each))


def _telling(question: str, languages: Collection[str]) -> Iterator[list[tuple[int, Sequence[str]]]]:
    """For each language a question is looked for in: the places of its words but for the common ones, with their
    terms; all words, where there are no others."""
    spoken = question_language(question, languages)
    common = stop_words(spoken)
    if spoken in languages or (spoken == "en" and "" in languages):
        languages = {spoken}
    for language in sorted(languages) or [""]:
        words = list(enumerate(_analysed(question, language, in_row=False)))
        telling = [(at, found) for at, (word, found) in words if word not in common]
        yield telling or [(at, found) for at, (_, found) in words]


def _analysed(text: str, language: str, *, in_row: bool) -> Iterator[tuple[str, Sequence[str]]]:
    """Each word in small letters, with its terms. In rows single ideographs are terms too, so that one can be asked
    for."""
    text = unicodedata.normalize("NFKC", text).translate(_NOTHING).translate(_SPACE)
    text = text.translate(_TURKISH).lower() if language == "tr" else text.casefold()
    for match in _WORD.finditer(text):
        whole = match.group()
        parts = _PART.findall(whole)
        if len(parts) > 1 and len(whole) <= _LONGEST and any(char in "_." or char.isdigit() for char in whole):
            yield (
                whole,
                [_folded(whole)] if _folded(whole) else [],
            )  # foo_bar, rag.store, v2.3.1, ORA-00942: the thing itself beside its parts
        for part in parts:
            at = 0
            for run in SPACELESS_RUN.finditer(part):
                if run.start() > at:
                    yield part[at : run.start()], _word(part[at : run.start()], language)
                yield run.group(), list(_characters(run.group(), in_row))
                at = run.end()
            if at < len(part):
                yield part[at:], _word(part[at:], language)


@functools.lru_cache(maxsize=32_768)  # a text repeats its words: three quarters of the time
def _word(word: str, language: str) -> tuple[str, ...]:
    stemmed = _stemmed(word, language)[:_LONGEST]
    plain = _folded(stemmed)
    # Tones are part of Vietnamese words; without them they are other words, but people type them so.
    both = (stemmed, plain) if language == "vi" and plain != stemmed else (plain,)
    return tuple(one for one in both if one)  # an accent alone leaves nothing


def _characters(run: str, in_row: bool) -> Iterator[str]:
    if len(run) == 1:
        yield run
        return
    yield from (run[at : at + 2] for at in range(len(run) - 1))
    if "\u0e00" <= run[0] <= "\u17ff" and not "\u1100" <= run[0] <= "\u11ff":
        yield from (run[at : at + 3] for at in range(len(run) - 2))
    elif in_row:
        yield from (char for char in run if char >= "\u3400" and not "\uac00" <= char <= "\ud7af")


def _folded(word: str) -> str:
    """Without accents, in the scripts where an accent makes no other letter."""
    if word.isascii():
        return word
    apart = unicodedata.normalize("NFD", word.translate(_FOLDED))
    return unicodedata.normalize("NFC", "".join(char for char in apart if not "\u0300" <= char <= "\u036f"))


def _stemmed(word: str, language: str) -> str:
    name = _SNOWBALL.get(language or "en")
    if name is None:
        return word
    with _LOCK:  # a stemmer remembers words, and is for one thread at a time
        stem: str = _stemmer(name).stemWord(word)
    return stem


@functools.cache
def _stemmer(name: str) -> Any:
    return Stemmer.Stemmer(name)
