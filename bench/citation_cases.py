"""Labelled claims for measuring the check of citations: read from a file, and made by rule from any texts."""

from __future__ import annotations

import json
import random
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.citing.answer import Citation, Passage, State
from rag.citing.checking import cited
from rag.citing.claims.sentences import whole_sentences

TRUE = ("quote", "paraphrase", "reordered")
"""Kinds whose claim is in the cited passage; `misattributed` is in another one, all others are in none."""

_NEGATABLE = {
    "en": re.compile(r"\b(is|was|are|were|can|could|has|have|will|must|does|did)\b(?! not)"),
    "de": re.compile(r"\b(ist|war|sind|waren|wurde|wurden|wird|werden|hat|hatte|kann|konnte)\b(?! nicht)"),
    "zh": re.compile("是|可以|能够|被"),
}
_NEGATED = re.compile(
    r"\b(?:not|no|never|neither|nor|without|none|nicht|kein\w*|nie\w*|ohne|weder|n't)\b|[不没無无未非]", re.IGNORECASE
)
_NAME = re.compile(r"(?<=[a-zäöüß,;] )[A-Z][a-zäöü]{3,}(?: [A-Z][a-z]{3,})?")
_NUMBER = re.compile(r"(?<![\w.,-])\d[\d.,]*\d(?![\w.,]?\d)|(?<![\w.,-])\d(?![\w.,]?\d)")
_WORDS_OF_HALF = 4


@dataclass(frozen=True)
class Case:
    """One claim that cites `passages[cites]`. `lang` is ISO 639-1."""

    name: str
    kind: str
    lang: str
    claim: str
    passages: tuple[str, ...]
    cites: int = 0

    @property
    def held_out(self) -> bool:
        """Whether it belongs to the half on which nothing was tuned; by its name, so that it never moves."""
        return zlib.crc32(self.name.encode()) % 2 == 1

    @property
    def expected(self) -> State:
        """The right state."""
        if self.kind in TRUE:
            return "verified"
        return "elsewhere" if self.kind == "misattributed" else "not found"

    def check(self) -> Citation:
        """What the checker makes of it."""
        passages = [
            Passage(n, f"chunk{n}", f"id{n}", f"source {n}", text, 1.0, start=0, end=len(text))
            for n, text in enumerate(self.passages, 1)
        ]
        (found,) = cited(f"{self.claim.rstrip('.')} [{self.cites + 1}].", passages)
        return found


def kept(path: Path, documents: Path | None = None) -> list[Case]:
    """The cases of a file: lines with `passage`, `lang` and `text`, and lines with `case`, `kind`, `lang`, `claim` and
    the names of the passages, the cited one first.

    Instead of `text` a passage may have `document`, `starts` and `length`: so many characters of a file below
    `documents`, from the first place of `starts`. Cases whose documents are not there are left out.
    """
    texts: dict[str, str] = {}
    cases = []
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        if "text" in row:
            texts[row["passage"]] = row["text"]
        elif "passage" in row:
            document = documents / row["document"] if documents else None
            if document and document.is_file():
                whole = document.read_text("utf-8")
                start = whole.index(row["starts"])
                texts[row["passage"]] = whole[start : start + row["length"]]
        elif all(name in texts for name in row["passages"]):
            passages = tuple(texts[name] for name in row["passages"])
            cases.append(Case(row["case"], row["kind"], row["lang"], row["claim"], passages))
    return cases


def made(texts: Sequence[str], lang: str, name: str) -> list[Case]:
    """Cases made by rule from texts of one language; the same texts give the same cases. Each text is a passage, with
    the next two beside it."""
    found = []
    for index, text in enumerate(texts):
        beside = tuple(texts[(index + step) % len(texts)] for step in (1, 2) if len(texts) > step)
        far = texts[(index + 3) % len(texts)] if len(texts) > 3 else ""
        chosen = random.Random(f"{name}-{index}")
        for kind, claim in _claims(text, beside, far, lang, chosen):
            passages = (text, *beside)
            if kind == "misattributed":
                passages = (beside[0], text, *beside[1:])
            found.append(Case(f"{name}-{index}-{kind}-{len(found)}", kind, lang, claim, passages))
    return found


def _claims(text: str, beside: Sequence[str], far: str, lang: str, chosen: random.Random) -> Iterator[tuple[str, str]]:
    said = _said(text)
    for at, sentence in enumerate(said):
        yield "quote", sentence
        if turned := _reordered(sentence, lang):
            yield "reordered", turned
        if at % 2 and beside and sentence not in beside[0]:
            yield "misattributed", sentence
        if changed := _renumbered(sentence, text, chosen):
            yield "number-swapped", changed
        if changed := _renamed(sentence, text, lang, chosen):
            yield "name-swapped", changed
        if changed := _exchanged(sentence, lang):
            yield "exchanged", changed
        if changed := _negated(sentence, lang):
            yield "negated", changed
        if at + 3 < len(said) and (joined := _stitched(sentence, said[at + 3], lang)):
            yield "stitched", joined
        if beside and (others := _said(beside[0])) and (joined := _stitched(sentence, others[-1], lang)):
            yield "stitched", joined
    yield from (
        ("fabricated", sentence) for sentence in _said(far)[:2] if not any(sentence in one for one in (text, *beside))
    )


def _said(text: str) -> list[str]:
    found = [" ".join(text[start:end].split()) for start, end in whole_sentences(text)]
    return [one for one in found if len(one) > 12 and not re.search(r"\[\d", one)]


def _reordered(sentence: str, lang: str) -> str:
    """`A, b c.` as `B c, a.`: the phrase before the first comma goes to the end. English only, where it stays a
    sentence, and no relative clause may follow."""
    match = re.fullmatch(r"((?:In|On|At|After|Before|During|Since|By|For|From) [^,]{4,50}), ([^,]{20,})\.", sentence)
    if lang != "en" or not match or re.match(r"(?:and|or|which|who|but)\b", match[2]):
        return ""
    return f"{match[2][0].upper()}{match[2][1:]} {match[1][0].lower()}{match[1][1:]}."


def _renumbered(sentence: str, text: str, chosen: random.Random) -> str:
    numbers = list(_NUMBER.finditer(sentence))
    if not numbers:
        return ""
    match = chosen.choice(numbers)
    others = [one[0] for one in _NUMBER.finditer(text) if one[0] not in sentence]
    last = match[0][-1]
    other = chosen.choice(others) if others and chosen.random() < 0.5 else match[0][:-1] + str((int(last) + 3) % 10)
    return sentence[: match.start()] + other + sentence[match.end() :]


def _renamed(sentence: str, text: str, lang: str, chosen: random.Random) -> str:
    names = list(_NAME.finditer(sentence))
    others = [one[0] for one in _NAME.finditer(text) if one[0] not in sentence]
    if not names or not others or lang in ("zh", "ja"):
        return ""
    match = chosen.choice(names)
    return sentence[: match.start()] + chosen.choice(others) + sentence[match.end() :]


def _exchanged(sentence: str, lang: str) -> str:
    """Two numbers of the sentence in each other's place, in English else two names. Not of a list, whose order says
    nothing."""
    for found in (
        (_NUMBER.finditer(sentence), _NAME.finditer(sentence)) if lang == "en" else (_NUMBER.finditer(sentence),)
    ):
        places = list(found)
        pairs = [
            (one, two)
            for at, one in enumerate(places)
            for two in places[at + 1 :]
            if one[0] != two[0]
            and re.search(r"\b(?!(?:and|or|und|oder)\b)[a-zäöü]{3,}\b", sentence[one.end() : two.start()])
        ]
        if pairs:
            one, two = random.Random(sentence).choice(pairs)
            return (
                f"{sentence[: one.start()]}{two[0]}{sentence[one.end() : two.start()]}{one[0]}{sentence[two.end() :]}"
            )
    return ""


def _negated(sentence: str, lang: str) -> str:
    if lang not in _NEGATABLE or _NEGATED.search(sentence):
        return ""
    match = _NEGATABLE[lang].search(sentence)
    if not match:
        return ""
    if lang == "zh":
        return sentence[: match.start()] + "不" + sentence[match.start() :]
    return sentence[: match.end()] + {"en": " not", "de": " nicht"}[lang] + sentence[match.end() :]


def _stitched(one: str, two: str, lang: str) -> str:
    if lang in ("zh", "ja", "th"):
        half, rest = one[: len(one) // 2], two[len(two) // 2 :]
        return half + rest if min(len(half), len(rest)) >= 2 * _WORDS_OF_HALF else ""
    left, right = one.split(), two.split()
    half, rest = left[: len(left) // 2], right[len(right) // 2 :]
    return " ".join([*half, *rest]) if min(len(half), len(rest)) >= _WORDS_OF_HALF else ""
