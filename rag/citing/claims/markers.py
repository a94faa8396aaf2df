"""Citation markers in an answer, and the claims they stand for. Pure text; nothing is checked here.

Read as markers: `[1]`, `[1, 2]`, `[1-3]`, `[1]-[3]`, `[1][2]`, `[^1]`, `[passage 1]`, `【1】`. Not read: numbers
that no passage has, anything in code, the subscript of `a[1] = 2`, links as in `[1](…)`, definitions as in `[^1]: …`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from rag.citing.claims.sentences import whole_sentences

_ONE = r"\^?(?:(?:passage|source)s?\s)?\s?\d{1,3}\^?"
_MARKER = re.compile(
    rf"[\[［【]\s?({_ONE}(?:\s?[,;，、]\s?{_ONE}|\s?[-–—]\s?{_ONE}){{0,40}})\s?(?:†[^\]］】\n]{{0,40}})?[\]］】](?!\()",
    re.IGNORECASE,
)
_NUMBERS = re.compile(r"(\d{1,3})(?:\D{0,3}[-–—]\D{0,10}(\d{1,3}))?")
_FENCE = re.compile(r"^[ ]{0,3}(?:```|~~~)", re.MULTILINE)
_CODE = re.compile(r"`[^`\n]{1,500}`")
_CODED = re.compile(r"\s?=(?!=)|\.[A-Za-z_]|\[[A-Za-z_]")
_ITEM = re.compile(r"\s*(?:[-*+•·#|>]+|\d{1,3}[.)])\s")
_RULED = re.compile(r"^[ |:]*-{2,}[-|: ]*$", re.MULTILINE)
_FEW_WORDS, _FEW_SIGNS = 2, 6
"""Up to so many words, or characters where none are apart, nothing is stated: `Yes.`, `In short`, `是的。`."""
_BETWEEN = re.compile(r"[\s,;.]*")
_FEW = 6
"""Markers in a sentence up to which one without words of its own stands for the whole sentence."""
_RANGE = re.compile("[ ]?[-–—][ ]?")
_WORDS = "|".join(
    sorted({word[:end] for word in ("passages", "sources") for end in range(1, 9)}, key=len, reverse=True)
)
_OPEN = re.compile(rf"[\[［【]{{1,2}}(?:[\s\d^,;，、–—-]|{_WORDS}){{0,60}}+(?:†[^\]］】\n]{{0,40}})?\Z", re.IGNORECASE)
"""What may become a marker once more of the text is there."""
_LONGEST_OPEN = 200
_EVERY = range(1, 100)
_MOST_OF_RANGE = 10
"""Passages of a marker that are drawn while nobody knows yet how many there are."""


@dataclass(frozen=True)
class Marker:
    """One marker: its character range in the answer, end exclusive, and the passages it names, in order, each once."""

    start: int
    end: int
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Claim:
    """What a marker stands for: `text` without markers, the range of its sentence, and its markers."""

    start: int
    end: int
    text: str
    markers: tuple[Marker, ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        """Passages it names, each once, in order."""
        return tuple(dict.fromkeys(number for marker in self.markers for number in marker.numbers))


def markers(text: str, known: Collection[int], *, mid_line: bool = False) -> list[Marker]:
    """The markers of an answer that name one of the `known` passages at least.

    `mid_line` says that `text` does not begin at the beginning of a line. Time grows linearly with the text.
    """
    found: list[Marker] = []
    code = _code(text, mid_line)
    at = 0
    for match in _MARKER.finditer(text):
        while at < len(code) and code[at][1] <= match.start():
            at += 1
        if at < len(code) and code[at][0] < match.end():
            continue
        if _is_code_or_definition(text, match, mid_line):
            continue
        numbers = _numbers(match[1], known)
        if found and found[-1].numbers and numbers and _RANGE.fullmatch(text, found[-1].end, match.start()):
            low = found[-1].numbers[-1]
            between = tuple(one for one in sorted(known) if low < one <= numbers[-1]) or numbers
            found[-1] = Marker(found[-1].start, match.end(), tuple(dict.fromkeys(found[-1].numbers + between)))
            continue
        found.append(Marker(match.start(), match.end(), numbers))
    return [marker for marker in found if marker.numbers]


def _numbers(inside: str, known: Collection[int]) -> tuple[int, ...]:
    numbers: list[int] = []
    for match in _NUMBERS.finditer(inside):
        low, high = int(match[1]), int(match[2] or match[1])
        numbers += [one for one in range(low, high + 1) if one in known]
    return tuple(dict.fromkeys(numbers))


def _code(text: str, mid_line: bool) -> list[tuple[int, int]]:
    """Ranges of code blocks, up to the end where one is not closed, and of code in a line."""
    blocks: list[tuple[int, int]] = []
    opened: re.Match[str] | None = None
    for match in _FENCE.finditer(text):
        if mid_line and match.start() == 0:
            continue
        if opened is None:
            opened = match
        elif match[0].strip() == opened[0].strip():
            end = text.find("\n", match.end())
            blocks.append((opened.start(), len(text) if end < 0 else end))
            opened = None
    if opened is not None:
        blocks.append((opened.start(), len(text)))
    found: list[tuple[int, int]] = []
    at = 0
    for start, end in [*blocks, (len(text), len(text))]:
        found += [match.span() for match in _CODE.finditer(text, at, start)]
        if start < end:
            found.append((start, end))
        at = end
    return found


def _is_code_or_definition(text: str, match: re.Match[str], mid_line: bool) -> bool:
    start, end = match.span()
    line_begins = (start == 0 and not mid_line) or text[max(0, start - 1) : start] == "\n"
    if line_begins and text[end : end + 1] == ":":
        return True
    before = text[start - 1] if start else ""
    return (before.isalnum() or before in "_])") and before.isascii() and _CODED.match(text, end) is not None


def as_streamed(text: str) -> str:
    """The text of an answer under way with each marker as `[1]`, whatever its notation, and without a marker at its end
    that is not complete yet: a piece of the answer may end within one. Time grows linearly with the text."""
    last = max(text.rfind(bracket) for bracket in "[［【")
    if last >= 0 and (begun := _OPEN.search(text, max(0, last - 1))) and len(text) - last < _LONGEST_OPEN:
        text = text[: begun.start()]
    parts, at = [], 0
    for marker in markers(text, _EVERY):
        if len(marker.numbers) <= _MOST_OF_RANGE:
            parts += [text[at : marker.start], *(f"[{number}]" for number in marker.numbers)]
            at = marker.end
    return "".join([*parts, text[at:]])


def claims(text: str, known: Collection[int], *, mid_line: bool = False) -> list[Claim]:
    """The sentences of an answer that carry markers, each with its markers; a sentence with markers in several places
    is a claim for each of them. Time grows linearly with the text."""
    return [claim for _, _, found in sentence_claims(text, known, mid_line=mid_line) for claim in found]


def sentence_claims(
    text: str, known: Collection[int], *, mid_line: bool = False
) -> Iterator[tuple[int, int, list[Claim]]]:
    """Each sentence with the markers behind it, as character range and the claims in it, which may be none."""
    marked = markers(text, known, mid_line=mid_line)
    blank = list(text)
    for start, end in _code(text, mid_line):
        if text.startswith(("```", "~~~"), start) or text[start] == " ":
            blank[start:end] = [char if char == "\n" else " " for char in text[start:end]]
    for marker in marked:
        line_begins = text[max(0, marker.start - 4) : marker.start].rstrip(" ").endswith("\n")
        # A line that begins with a marker begins a claim: a list of sources is made of such lines.
        gap = "\n\n" if line_begins else "  "
        blank[marker.start : marker.end] = gap + " " * (marker.end - marker.start - 2)
    bare = "".join(blank)
    spans = whole_sentences(bare)
    at = 0
    for index, (start, end) in enumerate(spans):
        own: list[Marker] = []
        following = spans[index + 1][0] if index + 1 < len(spans) else len(text)
        while at < len(marked) and marked[at].start < following:
            marker = marked[at]
            if marker.start >= end and index + 1 < len(spans) and _belongs_to_next(text, end, marker, following):
                break
            own.append(marker)
            at += 1
        begin = min(start, own[0].start) if own else start
        last = max(end, own[-1].end) if own else end
        yield begin, last, list(_split(bare, begin, last, own))


def statements(text: str, known: Collection[int]) -> list[tuple[str, bool]]:
    """The sentences of an answer that state something, each with whether it carries a marker: no code, heading, head of
    a table, lead-in that ends in a colon, or sentence of one or two words."""
    code = _code(text, mid_line=False)
    blocks = [span for span in code if text.startswith(("```", "~~~"), span[0])]
    found = []
    for start, end, said in sentence_claims(text, known):
        if any(low < end and start < high for low, high in blocks):
            continue
        line = text.rfind("\n", 0, start) + 1
        words = text[start:end].strip().rstrip("*_`\"'”’) ")
        if text[line : start + 1].lstrip().startswith("#") or words.endswith((":", "：")) or _RULED.search(words):
            continue
        if said or _tells(words):
            found.append((words, bool(said)))
    return found


def _tells(words: str) -> bool:
    letters = sum(char.isalpha() for char in words)
    return letters > 0 and (len(words.split()) > _FEW_WORDS or (" " not in words and letters > _FEW_SIGNS))


def _belongs_to_next(text: str, end: int, marker: Marker, following: int) -> bool:
    if "\n" in text[end : marker.start]:
        return "\n" not in text[marker.end : following]
    return text[following].islower()


def _split(bare: str, start: int, end: int, own: list[Marker]) -> Iterator[Claim]:
    if not own:
        return
    groups: list[list[Marker]] = []
    for marker in own:
        if groups and not bare[groups[-1][-1].end : marker.start].strip(" \t\n,;.-–—"):
            groups[-1].append(marker)
        else:
            groups.append([marker])
    first = not bare[start : groups[0][0].start].strip(" \t\n-*•")
    for index, group in enumerate(groups):
        if first:
            low, high = group[0].start, groups[index + 1][0].start if index + 1 < len(groups) else end
        else:
            low = groups[index - 1][-1].end if index else start
            high = group[-1].end if index + 1 < len(groups) else end
        said = _plain(bare[low:high])
        if 1 < len(groups) <= _FEW and sum(char.isalnum() for char in said) < 8:
            said = _plain(bare[start:end])
        yield Claim(start, end, said, tuple(group))


def _plain(text: str) -> str:
    if item := _ITEM.match(text):  # the number of a list item is no number of the claim
        text = text[item.end() :]
    text = re.sub(r"\s+([.,;:!?。，])", r"\1", text.strip().replace("\u2060", ""))
    return " ".join(text.split())
