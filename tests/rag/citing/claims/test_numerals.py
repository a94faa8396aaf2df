"""What figures and written-out numbers mean."""

from __future__ import annotations

import pytest

from rag.citing.claims.numerals import han_value, increased, readings, scaled


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("1,234", ("1234", "1.234")),
        ("1.234", ("1234", "1.234")),
        ("1,234.50", ("1234.5",)),
        ("1.234,50", ("1234.5",)),
        ("1 234 567", ("1234567",)),
        ("1’234", ("1234",)),
        ("2.0", ("2",)),
        ("2.0.1", ("2.0.1",)),
        ("٣٤", ("34",)),
        ("9" * 5000, ("9" * 5000,)),
    ],
)
def test_what_a_figure_may_mean(digits: str, expected: tuple[str, ...]) -> None:
    assert readings(digits) == expected


def test_parts_and_powers() -> None:
    assert increased("6", 0.5) == "6.5"
    assert scaled("8.3", 9) == "8300000000"
    assert scaled("9" * 5000, 3) == "9" * 5000


@pytest.mark.parametrize(("text", "value"), [("十二", 12), ("三万", 30_000), ("二百零五", 205), ("万", None)])
def test_numbers_in_chinese_characters(text: str, value: int | None) -> None:
    assert han_value(text) == value
