from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.settings import check_slug
from rag.sources.names import free_slug, safe_name, slug_of

PARTS = st.sampled_from(
    [
        "..",
        ".",
        "/",
        "\\",
        "C:",
        "a",
        "é",
        "e\u0301",
        "\u200d",
        "\u200b",
        "\u202e",
        " ",
        "\n",
        "\ud800",
        "👩",
        "💻",
        ".txt",
    ]
)
NAMES = st.one_of(
    st.text(max_size=40), st.lists(PARTS, max_size=12).map("".join), st.text("ab.é/ \u200d\u0301", max_size=500)
)


@given(NAMES)
def test_a_safe_name_is_safe(name: str) -> None:
    safe = safe_name(name)
    assert 1 <= len(safe) <= 240
    assert safe.encode("utf-8")
    assert safe == unicodedata.normalize("NFC", safe)
    parts = safe.split("/")
    assert not {"", ".", ".."} & set(parts)
    assert "\\" not in safe
    assert all(char == "\u200d" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn") for char in safe)
    assert safe.replace("\u200d", "").strip()


@given(NAMES)
def test_a_safe_name_stays_as_it_is(name: str) -> None:
    assert safe_name(safe_name(name)) == safe_name(name)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("notes/2026/a b.md", "notes/2026/a b.md"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\Users\\me\\x.docx", "Users/me/x.docx"),
        ("C:/x.txt", "x.txt"),
        ("a:b.txt", "a:b.txt"),
        ("harmless\u202etxt.exe", "harmlesstxt.exe"),
        ("a\u200b\x00\x07.txt", "a.txt"),
        (".\u200b.", "unnamed"),
        ("Ju\u0308rgen.txt", "Jürgen.txt"),
        ("e\u200b\u0301.txt", "é.txt"),
        ("\ud83d.txt", "?.txt"),
        ("a\u200db.txt", "ab.txt"),
        ("\u200d", "unnamed"),
        ("👩\u200d💻.md", "👩\u200d💻.md"),
        ("क\u094d\u200dष.txt", "क\u094d\u200dष.txt"),
        ("  a \u00a0 b  .txt", "a b .txt"),
        ("", "unnamed"),
        ("...", "..."),
        (".bashrc", ".bashrc"),
    ],
)
def test_names_from_everywhere(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_a_long_name_keeps_its_extension() -> None:
    assert safe_name("x" * 500 + ".pdf") == "x" * 235 + "….pdf"
    assert safe_name("x" * 500) == "x" * 239 + "…"
    assert safe_name("x" * 10 + "." + "y" * 500).endswith("…")


@given(st.text(max_size=100))
def test_a_slug_is_a_folder_name(title: str) -> None:
    check_slug("The slug", slug_of(title))
    assert slug_of(slug_of(title)) == slug_of(title)


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("My Notes, 2026!", "my-notes-2026"),
        ("Übersicht", "ubersicht"),
        ("日本語", "notebook"),
        ("", "notebook"),
        ("../x", "x"),
        ("a" * 63 + " b", "a" * 63),
    ],
)
def test_slugs(title: str, slug: str) -> None:
    assert slug_of(title) == slug


def test_a_taken_slug_is_numbered() -> None:
    assert free_slug("Übersicht", ["notebook"]) == "ubersicht"
    assert free_slug("日本語", ["notebook", "notebook-2"]) == "notebook-3"
    long = free_slug("a" * 80, ["a" * 64])
    check_slug("The slug", long)
    assert long.endswith("-2")
