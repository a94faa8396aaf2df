"""Text from documents, file names and models, made safe for the screen. Everything it returns is HTML for `st.html`.

Nothing of it ever passes through Markdown: Streamlit's reads images, links, `$math$`, `:directives[]:` and icons. What
may be formatted (answers) is rendered here from a closed list of forms, so what is not on the list is plain text.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Range = tuple[int, int]

_BIDI = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}


def visible(text: str) -> str:
    """Without control characters and without those that reverse the direction of what follows."""
    return "".join(
        char
        for char in text
        if char in "\n\t" or (ord(char) not in _BIDI and unicodedata.category(char) not in ("Cc", "Cs"))
    )


def escaped(text: str) -> str:
    """One line of untrusted text as HTML; also right inside a quoted attribute."""
    return html.escape(" ".join(visible(text).split()), quote=True)


def marked(text: str, ranges: Iterable[Range]) -> str:
    """`text` as HTML with exactly the characters of `ranges` marked. Overlapping ranges become one."""
    parts: list[str] = []
    at = 0
    for start, end in _merged(ranges, len(text)):
        parts += [_block(text[at:start]), "<mark>", _block(text[start:end]), "</mark>"]
        at = end
    return "".join([*parts, _block(text[at:])])


def excerpt(text: str, ranges: Iterable[Range], budget: int = 360) -> str:
    """The part of `text` around the first marked words, as HTML, cut at spaces, with dots where text is left out."""
    spans = _merged(ranges, len(text))
    if len(text) <= budget:
        return marked(text, spans)
    first = spans[0][0] if spans else 0
    start = _space_before(text, max(0, first - 70)) if first > 70 else 0
    wanted = max([start + budget, *(end + 40 for _, end in spans if end - start < 2 * budget)])
    end = len(text) if wanted >= len(text) else _space_before(text, wanted)
    inside = [(max(a, start) - start, min(b, end) - start) for a, b in spans if a < end and b > start]
    dots = '<span class="gap">…</span>'
    return f"{dots + ' ' if start else ''}{marked(text[start:end], inside)}{' ' + dots if end < len(text) else ''}"


@dataclass(frozen=True)
class Chip:
    """What a citation number in an answer points to: where a click goes, its tooltip, and how far it was checked.

    `label` is shown in place of the number, where there is one."""

    href: str
    title: str
    state: str = "verified"
    label: str = ""


_CITED = re.compile(r"\[(\d{1,3}(?:\s?[,;]\s?\d{1,3}){0,9})\]")
_IMAGE = re.compile(r"!\[[^\[\]\n]{0,500}\](?:\([^()\n]{0,2000}\)|\[[^\[\]\n]{0,200}\])")
_LINK = re.compile(r"\[([^\[\]\n]{1,500})\](?:\([^()\n]{0,2000}\)|\[[^\[\]\n]{1,200}\])")
_AUTOLINK = re.compile(r"<((?:https?|ftp|mailto):[^<>\s]{1,2000})>", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:a|abbr|audio|b|base|blockquote|body|br|button|code|dd|div|dl|dt|em|embed|font|form|frame|h[1-6]|head|hr|html|"
    r"i|iframe|img|input|kbd|li|link|mark|math|meta|object|ol|option|p|pre|s|script|select|small|span|strike|strong|"
    r"style|sub|sup|svg|table|tbody|td|textarea|th|thead|tr|u|ul|video)(?:[\s/][^<>]{0,2000})?>|<!--[^<>]{0,2000}-->",
    re.IGNORECASE,
)
_BOLD = re.compile(r"\*\*(?=\S)([^*]{1,800}?)(?<=\S)\*\*")
_ITALIC = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*<>]{1,800}?)(?<=\S)\*(?![\w*])")
_ITEM = re.compile(r"(\s{0,8})(?:[-*+•]|(\d{1,3})[.)])\s+(.*)")
_RULE = re.compile(r"\s*\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?\s*")


def answer_html(text: str, chips: Mapping[int, Chip] | None = None) -> str:
    """An answer as HTML: paragraphs, headings, lists, tables, code, bold, italic and citation chips; no link, no image.

    Args:
        text: what the model or the extractor wrote.
        chips: what each number points to; None while the answer still streams. Numbers that are not in it stay text.
    """
    out: list[str] = []
    lines = visible(text).replace("\t", "    ").split("\n")
    at = 0
    while at < len(lines):
        at = _next_block(lines, at, out, chips)
    return f'<div class="answer">{"".join(out)}</div>'


def _next_block(lines: list[str], at: int, out: list[str], chips: Mapping[int, Chip] | None) -> int:
    line = lines[at]
    bare = line.strip()
    if bare.startswith("```"):
        end = next((i for i in range(at + 1, len(lines)) if lines[i].strip().startswith("```")), len(lines))
        out.append(f"<pre><code>{html.escape(chr(10).join(lines[at + 1 : end]))}</code></pre>")
        return end + 1
    if not bare:
        return at + 1
    if bare.startswith("#") and (title := bare.lstrip("#").strip()):
        out.append(f'<p class="heading">{_inline(title, chips)}</p>')
        return at + 1
    if _ITEM.fullmatch(line):
        return _list(lines, at, out, chips)
    if "|" in line and at + 1 < len(lines) and "-" in lines[at + 1] and _RULE.fullmatch(lines[at + 1]):
        return _table(lines, at, out, chips)
    end = at + 1
    while end < len(lines) and _continues(lines[end]):
        end += 1
    words = " ".join(part.strip().lstrip(">").strip() for part in lines[at:end])
    out.append(
        f"<blockquote>{_inline(words, chips)}</blockquote>" if bare[0] == ">" else f"<p>{_inline(words, chips)}</p>"
    )
    return end


def _continues(line: str) -> bool:
    return bool(line.strip()) and not line.strip().startswith(("```", "#")) and not _ITEM.fullmatch(line)


def _list(lines: list[str], at: int, out: list[str], chips: Mapping[int, Chip] | None) -> int:
    first = _ITEM.fullmatch(lines[at])
    tag = "ol" if first and first.group(2) else "ul"
    out.append(f"<{tag}>")
    while at < len(lines) and (item := _ITEM.fullmatch(lines[at])):
        words, at = [item.group(3)], at + 1
        while at < len(lines) and lines[at].startswith("  ") and _continues(lines[at]):
            words, at = [*words, lines[at].strip()], at + 1
        deep = ' class="deep"' if len(item.group(1)) >= 2 else ""
        out.append(f"<li{deep}>{_inline(' '.join(words), chips)}</li>")
    out.append(f"</{tag}>")
    return at


def _table(lines: list[str], at: int, out: list[str], chips: Mapping[int, Chip] | None) -> int:
    def cells(line: str, tag: str) -> str:
        return "".join(f"<{tag}>{_inline(cell.strip(), chips)}</{tag}>" for cell in line.strip().strip("|").split("|"))

    out.append(f"<table><tr>{cells(lines[at], 'th')}</tr>")
    at += 2
    while at < len(lines) and "|" in lines[at]:
        out.append(f"<tr>{cells(lines[at], 'td')}</tr>")
        at += 1
    out.append("</table>")
    return at


def _inline(text: str, chips: Mapping[int, Chip] | None) -> str:
    pieces = re.split(r"(`[^`\n]{1,500}`)", text)
    return "".join(
        f"<code>{html.escape(piece[1:-1])}</code>" if piece.startswith("`") and len(piece) > 2 else _words(piece, chips)
        for piece in pieces
    )


def _words(text: str, chips: Mapping[int, Chip] | None) -> str:
    text = _AUTOLINK.sub(r"\1", _LINK.sub(_link_text, _IMAGE.sub("", text)))
    text = html.escape(_TAG.sub("", text), quote=True)
    text = _ITALIC.sub(r"<em>\1</em>", _BOLD.sub(r"<strong>\1</strong>", text))
    return _CITED.sub(lambda found: _chips(found, chips), text)


def _link_text(found: re.Match[str]) -> str:
    """`[text](address)` → text; `[1][2]` are two citations, not a link."""
    return (
        found.group(0) if _CITED.fullmatch(f"[{found.group(1)}]") and found.group(0).endswith("]") else found.group(1)
    )


def _chips(found: re.Match[str], chips: Mapping[int, Chip] | None) -> str:
    numbers = [int(part) for part in re.split(r"\D+", found.group(1))]
    if chips is None:
        return "".join(f'<span class="cite">{n}</span>' for n in numbers)
    if any(n not in chips for n in numbers):
        return found.group(0)
    return "".join(
        f'<a class="cite {escaped(chips[n].state).replace(" ", "-")}" href="{escaped(chips[n].href)}" target="_self" '
        f'title="{escaped(chips[n].title)}">{escaped(chips[n].label) or n}</a>'
        for n in numbers
    )


def _block(text: str) -> str:
    return html.escape(visible(text), quote=True)


def _merged(ranges: Iterable[Range], length: int) -> list[Range]:
    out: list[Range] = []
    for start, end in sorted((max(0, a), min(b, length)) for a, b in ranges):
        if start >= end:
            continue
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out


def _space_before(text: str, at: int) -> int:
    found = text.rfind(" ", max(0, at - 60), at)
    return found + 1 if found >= 0 else at
