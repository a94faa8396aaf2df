"""Which script a text is in."""

from __future__ import annotations

import pytest

from rag.text.scripts import PAIRED_RUN, SPACELESS_RUN, is_dense, is_latin, languages_of


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Кто открыл Oxygen?", "ru"),
        ("谁发现了氧气", "zh"),
        ("誰が酸素を", "ja"),
        ("ใครค้นพบ", "th"),
        ("من اكتشف", "ar"),
        ("Ποιος", "el"),
        ("किसने", "hi"),
    ],
)
def test_a_script_tells_its_languages(text: str, first: str) -> None:
    assert languages_of(text)[0] == first
    assert not is_latin(text) or "Oxygen" in text


@pytest.mark.parametrize("text", ["", "123", "Größe", "Wer hat 氧 entdeckt?"])
def test_latin_letters_tell_none(text: str) -> None:
    assert languages_of(text) == ()
    assert is_latin(text)


def test_runs_without_spaces() -> None:
    assert SPACELESS_RUN.findall("owl 氧气 ไทย 한국") == ["氧气", "ไทย", "한국"]
    assert PAIRED_RUN.findall("owl 氧气 ไทย 한국") == ["氧气", "ไทย", "한국"]


def test_a_few_ideographs_are_enough() -> None:
    assert is_dense("发现氧气")
    assert not is_dense("发现 owl")
    assert not is_dense("Кто открыл")
