"""Markdown: the text as written, without live HTML and without links that run something."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import NamedTuple

from markdown_it import MarkdownIt

from rag.reading.cleaning import Composer, check_length, clean
from rag.reading.encoding import decode
from rag.reading.html import to_text
from rag.reading.places import Reading

# Block structure is all that is needed: leaving the inline rules out makes parsing several times faster.
_PARSER = MarkdownIt("commonmark").disable("inline")

# Possessive quantifiers (*+) wherever two parts could fight over the same characters: hostile files count on that.
_CODE_SPAN = re.compile(r"(?<!`)(`++)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_TAG = re.compile(r"</?([A-Za-z][A-Za-z0-9-]*+)(?:\s[^<>]*+)?/?>|<!--(?:[^-]|-(?!->)){0,2000}+-->")
_AUTOLINK = re.compile(r"<([A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*+)>")
# Text in brackets, then a target in parentheses, which may itself hold one level of parentheses.
_LINK = re.compile(
    r"!?\[([^\[\]]*+)\]\(\s*+(<[^<>\n]*+>|[^\s()]*+(?:\([^()\n]*+\)[^\s()]*+)*+)(?:\s[^()\n]*+)?+\)",
)
_DEFINITION = re.compile(r"^ {0,3}\[[^\[\]\n]++\]:[ \t]*+\n?[ \t]*+(\S++).*$\n?", re.MULTILINE)
_EMPHASIS = re.compile(r"(\*\*|__|\*|`)(?=\S)([^*`\n]+?)(?<=\S)\1")
_RUNNING = ("javascript:", "data:", "vbscript:")


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
    """Add Markdown text to what `composer` holds."""
    text = clean(text)
    lines = text.split("\n")
    done = 0
    for block in _blocks(lines):
        if block.start < done:
            continue
        _add(composer, lines, done, block.start)
        raw = "\n".join(lines[block.start : block.end])
        gap = _gap(lines, block.start)
        if block.kind == "heading":
            title = _EMPHASIS.sub(r"\2", _LINK.sub(r"\1", _defused(block.title)))
            composer.add_heading(block.level, title, _defused(raw), gap)
        else:
            composer.add(raw if block.kind == "code" else to_text(raw), gap)
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
        composer.add(_defused(text), _gap(lines, start))


def _gap(lines: list[str], start: int) -> str:
    """The line ends between the line before `start` that is not blank and `start` itself; two at the very top."""
    before = start - 1
    while before >= 0 and not lines[before].strip():
        before -= 1
    return "\n" * (start - before) if before >= 0 else "\n\n"


def _defused(text: str) -> str:
    """The text without tags and without running links; code spans are left alone."""
    parts: list[str] = []
    done = 0
    for span in _CODE_SPAN.finditer(text):
        parts += (_without_live_parts(text[done : span.start()]), span[0])
        done = span.end()
    parts.append(_without_live_parts(text[done:]))
    return "".join(parts)


def _without_live_parts(text: str) -> str:
    text = _DEFINITION.sub(lambda found: "" if _runs(found[1]) else found[0], text)
    text = _LINK.sub(lambda found: found[1] if _runs(found[2]) else found[0], text)
    text = _AUTOLINK.sub(lambda found: "" if _runs(found[1]) else found[0], text)
    return _TAG.sub(lambda found: "\n" if (found[1] or "").lower() == "br" else "", text)


def _runs(target: str) -> bool:
    """True when following the link would run a script or open data, however the scheme is spelled."""
    plain = html.unescape(target.strip("<>"))
    return "".join(plain.split()).lower().startswith(_RUNNING)
