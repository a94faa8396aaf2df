"""Terms of a text: its words, numbers, names and negations with their places, made comparable. No model, any script."""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from rag.lexicon import (
    ABBREVIATIONS,
    AFTER,
    BEFORE,
    BY,
    CLAUSES,
    LESS,
    LIGHT,
    MONTHS,
    MORE,
    NOT,
    NOT_CHARS,
    NUMBERS,
    ROLES,
    ROOTS,
    SCALES,
    STRICT,
    UNITS,
)
from rag.words import sentences

Kind = Literal["word", "name", "number", "char", "light", "not"]

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
_HAN_DIGITS = {char: number for number, char in enumerate("零一二三四五六七八九")} | {"两": 2, "兩": 2, "〇": 0}
_HAN_NUMBER = re.compile("(?:百分之)?[零〇一二两兩三四五六七八九十百千万萬亿億]{1,16}")
_LONGEST_NUMBER = 40
"""Characters of a figure that is read as a number; a longer one is compared as it is."""
_ORDINALS = {"st", "nd", "rd", "th", "er", "e", "eme", "o", "a"}
_HAN_LIGHT = frozenset(
    "的了在是和与與及也就都而被由於于为為之其这這那个個有上中下并並以到从從对對把将將等他她它们們该該所者地得着著過过曾还還又则則即"
)
_ACCENTED = frozenset({"uber", "fur"})
"""Small words only with their accents."""
_YEARS = frozenset({"year", "jahr", "jahre", "annee", "ano", "году", "год", "عام", "سنه"})
"""In the year 1884: says nothing that the number does not."""
_HIRAGANA = re.compile("[\u3041-\u3096]")


@dataclass(frozen=True, slots=True)
class Term:
    """One term. `start` and `end` are its character range in the text; `keys` the forms it is found by, the first its
    own; `sentence` and `clause` count from 0 within the text.

    `unit` is that of a number. `role` is the preposition before it, `limit` the comparison (`more`, `less`, `before`,
    `after`), empty where there is none. `cased` tells that its script has capitals, `capital` that it has one,
    so that it may be a name, `polar` that it turns a claim around.
    """

    start: int
    end: int
    kind: Kind
    keys: tuple[str, ...]
    sentence: int
    clause: int
    unit: str = ""
    role: str = ""
    limit: str = ""
    cased: bool = True
    polar: bool = False
    capital: bool = False


@functools.lru_cache(maxsize=4096)
def folded(word: str) -> str:
    """A word without case and accents."""
    plain = unicodedata.normalize("NFKD", word.casefold())
    return "".join(char for char in plain if not unicodedata.combining(char)).replace("’", "'")


def whole_sentences(text: str) -> list[tuple[int, int]]:
    """Character ranges of the sentences, as `rag.words.sentences`, but not broken behind an abbreviation, an initial or
    a German ordinal."""
    found: list[tuple[int, int]] = []
    for start, end in sentences(text):
        if found and _goes_on(text, found[-1], start):
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def _goes_on(text: str, before: tuple[int, int], start: int) -> bool:
    if text[before[1] - 1] != "." or start - before[1] > 3 or "\n\n" in text[before[1] : start]:
        return False
    last = text[max(before[0], before[1] - 16) : before[1] - 1].split()
    word = last[-1].lstrip("(\"'“„«[") if last else ""
    if word.casefold() in ABBREVIATIONS or (len(word) == 1 and word.isalpha() and word.isupper()):
        return True
    after = re.match(r"\w+", text[start : start + 20])
    if after is None:
        return False
    if word.isdigit() and len(word) <= 4 and folded(after[0]) in MONTHS and before[1] - before[0] > 5:
        return True
    return after[0][0].islower()


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

    def _add(self, start: int, end: int, kind: Kind, *keys: str, **more: str | bool) -> None:
        entity = kind in ("name", "number", "word")
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
            keys = tuple(_increased(key, unicodedata.numeric(part)) for key in keys)
        unit = ""
        end = match.end()
        if behind in UNITS:
            unit = UNITS[behind]
        elif behind in SCALES:
            keys = tuple(_scaled(key, SCALES[behind]) for key in keys)
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
        number = self._behind_number(start)
        if number and word in SCALES and "month" not in number.keys[0]:
            keys = tuple(_scaled(key, SCALES[word]) for key in number.keys if not key.startswith("part:"))
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
        capital = raw[0].isupper()
        small = word not in _ACCENTED or not raw.isascii()
        for words, limit in ((BEFORE, "before"), (AFTER, "after"), (LESS, "less"), (MORE, "more")):
            if word in words and small:
                self._limit, self._limit_age = limit, 0 if word in STRICT else 1
        if word in ROLES:
            self._role = word
        if word in CLAUSES:
            self._clause += 1
        if word in NOT and not (word == "no" and self._text[end : end + 2] == ". "):
            self._add(start, end, "not", word)
        elif number and self._tens(number, word, end):
            pass
        elif word in NUMBERS and not (capital and not self._first()):
            self._add(start, end, "number", str(NUMBERS[word]), word)
        elif word in ("one", "ones") and word == "one":
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
            self._add(start, end, "word", *_forms(word), polar=True)
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
            self._add(start, end, "name" if named else "word", *_forms(word), cased=cased, capital=capital)

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
                keys = tuple(_scaled(key, SCALES[char]) for key in number.keys)
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
            (term.kind == "char" and term.keys[0] in _HAN_DIGITS) or term.keys[0] in "十百" for term in self._found
        ):
            return
        values = {}
        for match in _HAN_NUMBER.finditer(self._text, self._start, self._end):
            value = _han_value(match[0].removeprefix("百分之"))
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


def _forms(word: str) -> tuple[str, ...]:
    """A word's own form, and the root of an irregular one."""
    if "\u0600" <= word[0] <= "\u06ff":
        word = word.translate(str.maketrans("أإآةى", "اااهي"))
        for prefix in ("وال", "بال", "كال", "فال", "لل", "ال", "و"):
            if word.startswith(prefix) and len(word) - len(prefix) >= 3:
                word = word[len(prefix) :]
                break
    return (ROOTS[word], word) if word in ROOTS else (word,)


def readings(digits: str) -> tuple[str, ...]:
    """What a figure may mean, most likely first: `1.234` is a decimal fraction in English and a thousand in German."""
    plain = re.sub(r"[\s'’٬\u00a0\u202f\u2009]", "", digits)
    plain = "".join(str(unicodedata.digit(char)) if char.isdigit() else char for char in plain).replace("٫", ".")
    if len(plain) > _LONGEST_NUMBER:
        return (plain,)
    marks = [char for char in plain if char in ".,"]
    if not marks:
        return (plain.lstrip("0") or "0",) if len(plain) < 12 else (plain,)
    found: list[str] = []
    groups = re.split("[.,]", plain)
    if all(len(group) == 3 for group in groups[1:]) and 1 <= len(groups[0]) <= 3 and len(set(marks)) == 1:
        found.append("".join(groups).lstrip("0") or "0")
    if len(marks) == 1 or (marks[-1] not in marks[:-1] and all(len(group) == 3 for group in groups[1:-1])):
        number = _decimal("".join(groups[:-1]) + "." + groups[-1])
        if number is not None:
            found.append(_plain(number))
    return tuple(found) or (plain,)


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _plain(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _increased(key: str, part: float) -> str:
    number = _decimal(key) if len(key) <= _LONGEST_NUMBER else None
    return key if number is None else _plain(number + Decimal(str(round(part, 4))))


def _scaled(key: str, power: int) -> str:
    number = _decimal(key) if len(key) <= _LONGEST_NUMBER else None
    return key if number is None else _plain(number * (Decimal(10) ** power))


def _han_value(text: str) -> int | None:
    total = section = digit = 0
    for char in text:
        if char in _HAN_DIGITS:
            digit = digit * 10 + _HAN_DIGITS[char]
        elif char in "十百千":
            section += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[char]
            digit = 0
        else:
            total = (total + section + digit) * 10 ** SCALES[char]
            section = digit = 0
    return total + section + digit or None
