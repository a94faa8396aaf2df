"""Markdown: the text as written, with its headings found. Raw HTML and links stay as text: nothing here is rendered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from markdown_it import MarkdownIt

from rag.reading.cleaning import Composer, check_length, clean
from rag.reading.encoding import decode
from rag.reading.places import Reading

# Block structure is all that is needed: leaving the inline rules out makes parsing several times faster.
_PARSER = MarkdownIt("commonmark").disable("inline")

# Possessive quantifiers (*+) wherever two parts could fight over the same characters: hostile files count on that.
# Text in brackets, then a target in parentheses, which may itself hold one level of parentheses.
_LINK = re.compile(
    r"!?\[([^\[\]]*+)\]\(\s*+(<[^<>\n]*+>|[^\s()]*+(?:\([^()\n]*+\)[^\s()]*+)*+)(?:\s[^()\n]*+)?+\)",
)
_PICTURE = re.compile(r"data:[\w/+.-]{1,80};base64,[A-Za-z0-9+/=\s]{200,}+")
_EMPHASIS = re.compile(r"(\*\*|__|\*|`)(?=\S)([^*`\n]+?)(?<=\S)\1")


class _Block(NamedTuple):
    """Lines `start` to `end` (exclusive) that need care: `kind` is code, html or heading."""

    start: int
    end: int
    kind: str
    level: int = 0
    title: str = ""


def read(raw: bytes, media_type: str) -> Reading:
    """The text with headings. Raises DamagedSource, EmptySource, SourceTooLarge."""
    text, note = decode(raw)
    composer = Composer()
    composer.note(note)
    check_length(len(text))
    compose(text, composer)
    return composer.reading(media_type)


def compose(text: str, composer: Composer) -> None:
    """Add Markdown text to what `composer` holds; the bytes of embedded pictures are left out."""
    text, pictures = _PICTURE.subn("data:…", clean(text))
    if pictures:
        composer.note("Pictures embedded in the text were left out.")
    lines = text.split("\n")
    done = 0
    for block in _blocks(lines):
        if block.start < done:
            continue
        _add(composer, lines, done, block.start)
        raw = "\n".join(lines[block.start : block.end])
        gap = _gap(lines, block.start)
        if block.kind == "heading":
            title = _EMPHASIS.sub(r"\2", _LINK.sub(r"\1", block.title))
            composer.add_heading(block.level, title, raw, gap)
        else:
            composer.add(raw, gap)
        done = block.end
    _add(composer, lines, done, len(lines))


def _blocks(lines: list[str]) -> Iterator[_Block]:
    """Headings, code and HTML in order. Front matter is hidden from the parser, which takes it for a heading."""
    if lines[0] == "---" and "---" in lines[1:200]:
        end = lines.index("---", 1) + 1
        lines = [""] * end + lines[end:]
    tokens = _PARSER.parse("\n".join(lines))
    for place, token in enumerate(tokens):
        if token.map is None:
            continue
        start, end = token.map
        if token.type in ("fence", "code_block"):
            yield _Block(start, end, "code")
        elif token.type == "html_block":
            yield _Block(start, end, "html")
        elif token.type == "heading_open":
            yield _Block(start, end, "heading", int(token.tag[1]), tokens[place + 1].content)


def _add(composer: Composer, lines: list[str], start: int, end: int) -> None:
    text = "\n".join(lines[start:end])
    if text.strip():
        while not lines[start].strip():
            start += 1
        composer.add(text, _gap(lines, start))


def _gap(lines: list[str], start: int) -> str:
    """The line ends between the line before `start` that is not blank and `start` itself; two at the very top."""
    before = start - 1
    while before >= 0 and not lines[before].strip():
        before -= 1
    return "\n" * (start - before) if before >= 0 else "\n\n"
