"""Terms of a text: its words, numbers, names and negations with their places, made comparable. No model, any script."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from typing import Any

from rag.citing.claims.lexicon import (
    BY,
    CLAUSES,
    LIGHT,
    LIMITS,
    MONTHS,
    NOT,
    NOT_CHARS,
    NUMBERS,
    ROLES,
    SCALES,
    STRICT,
    TIMES,
    UNITS,
)
from rag.citing.claims.numerals import HAN_DIGITS, han_value, increased, readings, scaled
from rag.citing.claims.sentences import whole_sentences
from rag.citing.claims.term import Kind, Term, folded, forms

_CHARS = "\u3041-\u3096\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff"
_LETTER = rf"(?:[^\W\d{_CHARS}\u30a0-\u30ff]|[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u0900-\u0dff])"
_TOKEN = re.compile(
    rf"(?P<date>\d{{4}}-\d\d?-\d\d?(?!\d)|\d\d?[./]\d\d?[./]\d{{4}}(?!\d))"
    rf"|(?P<number>\d{{1,3}}(?:\x20\d{{3}})+(?![\d.,'])"
    rf"|\d+(?:[.,'’٫٬\u00a0\u202f\u2009]\d+)*)(?P<part>[¼½¾⅓⅔⅛⅜⅝⅞])?(?P<behind>{_LETTER}+\d*)?"
    rf"|(?P<lone>[¼½¾⅓⅔⅛⅜⅝⅞])"
    rf"|(?P<word>{_LETTER}(?:{_LETTER}|\d)*(?:['’]{_LETTER}+)?)"
    rf"|(?P<kana>[\u30a1-\u30fa\u30fc-\u30ff]+)"
    rf"|(?P<char>[{_CHARS}])"
    rf"|(?P<sign>[%‰％٪$€£¥°][CF]?)"
    rf"|(?P<clause>[,;:()\[\]|、，；：（）،؛—–])"
)
_HAN_NUMBER = re.compile("(?:百分之)?[零〇一二两兩三四五六七八九十百千万萬亿億]{1,16}")
_ORDINALS = {"st", "nd", "rd", "th", "er", "e", "eme", "o", "a"}
_HAN_LIGHT = frozenset(
    "的了在是和与與及也就都而被由於于为為之其这這那个個有上中下并並以到从從对對把将將等他她它们們该該所者地得着著過过曾还還又则則即"
)
_ACCENTED = frozenset({"uber", "fur"})
"""Small words only with their accents."""
_YEARS = frozenset({"year", "jahr", "jahre", "annee", "ano", "году", "год", "عام", "سنه"})
"""In the year 1884: says nothing that the number does not."""
_MEASURES = frozenset({"size", "length", "width", "height", "weight", "total", "duration"})
"""Of a figure, in size: says nothing that its unit does not."""
_STANDS_FOR = re.compile(r"\s(?:that|which|who|in|of|from|found|used|shown|given|described)\b")
"""Behind a `one` that stands for a thing named before."""
_OPTION = re.compile(r"(?:^|[\s`(\[\"'„“])--?$")
"""Before an option of a command, such as `-j` and `--retry`."""
_NEAR, _NEAR_MONTH = 6, 4
"""Characters between two figures that belong together, and between a month and a year."""
_HIRAGANA = re.compile("[\u3041-\u3096]")


def terms(text: str) -> list[Term]:
    """The terms of a text in order. Time and memory grow linearly with its length."""
    found: list[Term] = []
    for number, (start, end) in enumerate(whole_sentences(text)):
        found += _Sentence(text, start, end, number, found[-1].clause + 1 if found else 0).terms()
    return found


class _Sentence:
    """Reads the terms of one sentence from left to right."""

    def __init__(self, text: str, start: int, end: int, number: int, clause: int) -> None:
        self._text, self._start, self._end = text, start, end
        self._number, self._clause = number, clause
        self._found: list[Term] = []
        self._role = self._limit = ""
        self._limit_age = 0

    def terms(self) -> list[Term]:
        for match in _TOKEN.finditer(self._text, self._start, self._end):
            kind = match.lastgroup if match["number"] is None else "number"
            if kind == "clause":
                self._clause += 1
                self._role = self._role if match[0] in "([" else ""
            elif kind == "date":
                self._date(match)
            elif kind in ("number", "lone"):
                self._number_term(match)
            elif kind == "sign":
                self._sign(match)
            elif kind == "word":
                self._word(match.start(), match.end(), match[0])
            elif kind == "kana":
                self._add(match.start(), match.end(), "name" if len(match[0]) > 1 else "light", match[0], cased=False)
            else:
                self._char(match.start(), match[0])
        self._han_numbers()
        return self._found

    def _join_figures(self, start: int) -> None:
        """A figure that follows another is in its clause: `5 March, 2021`, `between 1716 and 1724`."""
        before = next((term for term in self._found[:-4:-1] if term.kind != "light"), None)
        if before is None or before.clause >= self._clause:
            return
        near = _NEAR if before.kind == "number" else _NEAR_MONTH
        if (before.kind == "number" or before.keys[0].startswith("month:")) and start - before.end < near:
            self._clause = before.clause

    def _add(self, start: int, end: int, kind: Kind, *keys: str, **more: str | bool) -> None:
        entity = kind in ("name", "number", "word")
        if kind == "number":
            self._join_figures(start)
        term = Term(
            start,
            end,
            kind,
            keys,
            self._number,
            self._clause,
            role=self._role if entity else "",
            limit=self._limit if kind == "number" or keys[0].startswith("month:") else "",
            **more,  # type: ignore[arg-type]
        )
        self._found.append(term)
        if entity:
            self._role = ""
            self._limit_age += 1
            if kind == "number" or self._limit_age > 1:
                self._limit = ""

    def _date(self, match: re.Match[str]) -> None:
        parts = [int(part) for part in re.split(r"\D", match[0])]
        year, first, second = (parts[0], parts[1], parts[2]) if parts[0] > 999 else (parts[2], parts[1], parts[0])
        limit = self._limit
        self._add(match.start(), match.end(), "number", f"{year}")
        if parts[0] > 999:
            self._add(match.start(), match.end(), "name", f"month:{first}", f"{first}")
            self._add(match.start(), match.end(), "number", f"{second}")
            return
        self._limit = limit
        both = tuple(f"month:{one}" for one in dict.fromkeys((first, second)) if one <= 12)
        self._add(match.start(), match.end(), "name", *both, f"{first}")
        self._add(match.start(), match.end(), "number", f"{second}", f"{first}")

    def _number_term(self, match: re.Match[str]) -> None:
        digits, behind = match["number"] or "", folded(match["behind"] or "")
        part = match["part"] or match["lone"]
        keys = readings(digits) if digits else ("0",)
        if part:
            keys = tuple(increased(key, unicodedata.numeric(part)) for key in keys)
        unit = ""
        end = match.end()
        if behind in UNITS:
            unit = UNITS[behind]
        elif behind in SCALES:
            keys = tuple(scaled(key, SCALES[behind]) for key in keys)
        elif behind and behind not in _ORDINALS and not self._han_follows(match):
            self._add(match.start(), end, "name", folded(match[0]))
            return
        sign = self._text[match.start() - 1] if match.start() > self._start else ""
        ahead = self._text[match.start() - 2] if match.start() - 1 > self._start else " "
        if sign in ("-", "−") and (ahead.isspace() or ahead == "("):
            keys = tuple(f"-{key}" for key in keys)
        if (
            self._found
            and self._found[-1].unit
            and self._found[-1].kind == "light"
            and self._found[-1].keys[0] == "sign"
        ):
            unit = unit or self._found[-1].unit
        if " " in digits:
            keys = (*keys, *(f"part:{one}" for one in digits.split()))
        self._add(match.start(), end, "number", *(keys or (digits,)), unit=unit)

    def _han_follows(self, match: re.Match[str]) -> bool:
        return bool(match["behind"]) and match["behind"][0] in SCALES

    def _behind_number(self, start: int) -> Term | None:
        last = self._found[-1] if self._found else None
        if last and last.kind == "number" and not self._text[last.end : start].strip(" \u00a0\u202f-"):
            return last
        return None

    def _sign(self, match: re.Match[str]) -> None:
        unit = UNITS.get(folded(match[0]), "°" if match[0].startswith("°") else match[0])
        number = self._behind_number(match.start())
        if number and not number.unit and match[0] not in "$£¥":
            self._found[-1] = _with(number, end=match.end(), unit=unit)
        else:
            self._add(match.start(), match.end(), "light", "sign", unit=unit)

    def _word(self, start: int, end: int, raw: str) -> None:
        bare = raw.strip("_")  # emphasis in Markdown
        if not bare:
            return
        start += len(raw) - len(raw.lstrip("_"))
        end, raw = start + len(bare), bare
        word = folded(raw)
        head, _, tail = word.partition("'")
        if tail and head in ("l", "d", "s", "n", "qu", "j", "m", "t", "c", "un", "dell", "nell", "all", "jusqu"):
            start, raw, word = start + len(head) + 1, raw[len(head) + 1 :], tail
            if head == "n" and tail in ("t",):
                word = "not"
        elif tail in ("s", "re", "ve", "ll", "d", "m"):
            word = head
            raw, end = raw[: len(head)], start + len(head)
        elif tail == "t":
            word = head + "t"
        if not (word and raw):
            return  # accents without a letter
        number = self._behind_number(start)
        if number and word in SCALES and "month" not in number.keys[0]:
            keys = tuple(scaled(key, SCALES[word]) for key in number.keys if not key.startswith("part:"))
            self._found[-1] = _with(number, end=end, keys=keys)
            return
        if number and word in UNITS and not number.unit and (len(word) > 1 or word not in LIGHT):
            self._found[-1] = _with(number, end=end, unit=UNITS[word])
            return
        if number and word in ("per", "pour", "por") and re.match(r"\s+(?:cent|ciento)\b", self._text[end : end + 10]):
            return
        if (
            word in ("cent", "ciento")
            and number is None
            and re.search(r"(?:per|pour|por)\s$", self._text[max(self._start, start - 5) : start])
        ):
            for at in range(len(self._found) - 1, max(-1, len(self._found) - 3), -1):
                if self._found[at].kind == "number":
                    self._found[at] = _with(self._found[at], end=end, unit="%")
            return
        if self._text[start - 1 : start] == "-" and _OPTION.search(self._text, max(self._start, start - 3), start):
            self._add(start, end, "name", word)
            return
        capital = raw[0].isupper()
        small = word not in _ACCENTED or not raw.isascii()
        if small and word in LIMITS:
            self._limit, self._limit_age = LIMITS[word], 0 if word in STRICT else 1
        if word in ROLES and raw != "a":
            self._role = word
        if word in CLAUSES:
            self._clause += 1
        if word in NOT and not (word == "no" and self._text[end : end + 2] == ". "):
            self._add(start, end, "not", word)
        elif number and self._tens(number, word, end):
            pass
        elif word in NUMBERS and not (capital and not self._first()):
            self._add(start, end, "number", str(NUMBERS[word]), word, unit="times" if word in TIMES else "")
        elif (word in _MEASURES and self._role == "in") or (word == "one" and _STANDS_FOR.match(self._text, end)):
            self._add(start, end, "light", word)
        elif word == "one":
            self._add(start, end, "number", "1", "one")
        elif (
            word in MONTHS
            and (len(word) > 3 or number or capital)
            and (capital or number)
            and self._is_month(word, start, end)
        ):
            self._add(start, end, "name", f"month:{MONTHS[word]}", word)
        elif word in _YEARS and re.match(r"\s*\d", self._text[end : end + 3]):
            self._add(start, end, "light", word)
        elif word in STRICT:
            self._add(start, end, "word", *forms(word), polar=True)
        elif word in LIGHT and small and not (capital and not self._first() and len(raw) > 1):
            self._add(start, end, "light", word, (word in BY and "by") or word)
        else:
            cased = raw[0].lower() != raw[0].upper()
            named = (
                (capital and not self._first())
                or "_" in raw
                or any(char.isdigit() for char in raw)
                or (capital and any(char.isupper() for char in raw[1:]))
            )
            self._add(start, end, "name" if named else "word", *forms(word), cased=cased, capital=capital)

    def _tens(self, number: Term, word: str, end: int) -> bool:
        """Whether a written-out number went into the tens before it: forty-one."""
        ones = 1 if word == "one" else NUMBERS.get(word, 0)
        tens = number.keys[-1] in NUMBERS and not number.unit and int(number.keys[0]) in range(20, 100, 10)
        if tens and 0 < ones < 10:
            self._found[-1] = _with(number, end=end, keys=(str(int(number.keys[0]) + ones),))
            return True
        return False

    def _first(self) -> bool:
        return not self._found

    def _is_month(self, word: str, start: int, end: int) -> bool:
        if word not in (
            "may",
            "mar",
            "mai",
            "mars",
            "march",
            "mayo",
            "marz",
            "mei",
            "sept",
            "jan",
            "august",
            "augustus",
        ):
            return True
        around = self._text[max(self._start, start - 5) : start] + self._text[end : end + 6]
        return any(char.isdigit() for char in around)

    def _char(self, at: int, char: str) -> None:
        for cue in NOT_CHARS:
            if (
                char == cue[0]
                and self._text.startswith(cue, at)
                and not (char == "非" and self._text[at + 1 : at + 2] in "洲常")
            ):
                if char == "ず" and not _HIRAGANA.match(self._text[at + 1 : at + 2] or "x"):
                    break
                self._add(at, at + len(cue), "not", cue)
                return
        number = self._behind_number(at)
        if number:
            if char in SCALES:
                keys = tuple(scaled(key, SCALES[char]) for key in number.keys)
                self._found[-1] = _with(number, end=at + 1, keys=keys)
                return
            for length in (2, 1):
                word = self._text[at : at + length]
                if word in UNITS and not number.unit:
                    self._found[-1] = _with(number, unit=UNITS[word])
                    break
        if char in "，、；：":
            self._clause += 1
        light = char in _HAN_LIGHT or bool(_HIRAGANA.match(char)) or unicodedata.combining(char) > 0
        self._add(at, at + 1, "light" if light else "char", char, cased=False)

    def _han_numbers(self) -> None:
        """Numbers written in Chinese characters: their characters get the number as a further key."""
        if not any(
            (term.kind == "char" and term.keys[0] in HAN_DIGITS) or term.keys[0] in "十百" for term in self._found
        ):
            return
        values = {}
        for match in _HAN_NUMBER.finditer(self._text, self._start, self._end):
            value = han_value(match[0].removeprefix("百分之"))
            if value is not None:
                values[match.start() + (3 if match[0].startswith("百分之") else 0)] = value
        self._found = [
            _with(term, keys=(*term.keys, str(values[term.start])))
            if term.start in values and term.kind == "char"
            else term
            for term in self._found
        ]


def _with(term: Term, **changes: Any) -> Term:
    return replace(term, **changes)
