"""What figures and written-out numbers mean."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, InvalidOperation

from rag.citing.claims.lexicon import SCALES

HAN_DIGITS = {char: number for number, char in enumerate("零一二三四五六七八九")} | {"两": 2, "兩": 2, "〇": 0}
_LONGEST_NUMBER = 40
"""Characters of a figure that is read as a number; a longer one is compared as it is."""


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


def increased(key: str, part: float) -> str:
    number = _decimal(key) if len(key) <= _LONGEST_NUMBER else None
    return key if number is None else _plain(number + Decimal(str(round(part, 4))))


def scaled(key: str, power: int) -> str:
    number = _decimal(key) if len(key) <= _LONGEST_NUMBER else None
    return key if number is None else _plain(number * (Decimal(10) ** power))


def han_value(text: str) -> int | None:
    total = section = digit = 0
    for char in text:
        if char in HAN_DIGITS:
            digit = digit * 10 + HAN_DIGITS[char]
        elif char in "十百千":
            section += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[char]
            digit = 0
        else:
            total = (total + section + digit) * 10 ** SCALES[char]
            section = digit = 0
    return total + section + digit or None
