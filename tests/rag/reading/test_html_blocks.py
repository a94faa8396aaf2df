"""Tags to blocks: which break a line, which hide what is in them, and what browsers forgive."""

from __future__ import annotations

from itertools import pairwise

import pytest

from rag.reading import html as room
from rag.reading.html_blocks import Block, PageParser
from rag.reading.kinds import HTML
from tests.rag.reading.reading_checks import checked, headings


def read(content):
    return checked(room.read(content, HTML))


def blocks(page: str) -> list[Block]:
    parser = PageParser()
    parser.feed(page)
    parser.finish()
    return parser.blocks


def texts(page: str) -> list[str]:
    return [block.text for block in blocks(page)]


def test_blocks_headings_lists_and_tables():
    page = b"""<html><head><title>The title</title></head><body><h1>Top <em>one</em></h1>
    <p>First
    paragraph.<p>Second.<br>Line.<ul><li>a<li>b<ol><li>c</ol></ul>
    <table><tr><th>x<th>y<tr><td>1<td><p>2</p></table><h2>Next</h2><pre>  keep\n    this</pre></body>"""
    reading = read(page)
    assert reading.text == (
        "The title\n\nTop one\n\nFirst paragraph.\n\nSecond.\nLine.\n\n- a\n- b\n  1. c\n\n"
        "x | y\n1 | 2\n\nNext\n\n  keep\n    this"
    )
    assert headings(reading) == [(1, "Top one"), (2, "Next")]


def test_only_what_is_seen():
    page = (
        b"<p>seen</p><script>no</script><style>no</style><noscript>no</noscript><!-- no --><template>no</template>"
        b"<iframe>no</iframe><svg><text>no</text></svg><p hidden>no</p><div style='display: none'><div>no</div>no"
        b"</div><img src=x onerror='no'><a href='javascript:no'>link</a><![if no]>"
    )
    reading = read(page)
    assert reading.text == "seen\n\nlink"
    assert any("hides" in note for note in reading.notes)


def test_layout_tables_are_no_rows():
    assert read(b"<table><tr><td><h1>T</h1><p>a</p><p>b</p></td><td>c</td></table>").text == ("T\n\na\n\nb\n\nc")


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("a<br>b", [("a", 2), ("b", 1)]),
        ("<p>a</p>b", [("a", 2), ("b", 2)]),
        ("<div>a</div><div>b</div>", [("a", 2), ("b", 1)]),
        ("a<hr>b", [("a", 2), ("b", 2)]),
        ("a <b>b</b>\n <i>c</i>", [("a b c", 2)]),
        ("<ul><li>a<p>b</ul>c", [("- a", 2), ("b", 1), ("c", 2)]),
        ("<dl><dt>a<dd>b</dl>", [("a", 2), ("b", 1)]),
    ],
)
def test_gaps_are_those_of_a_browser(page, expected):
    assert [(block.text, block.gap) for block in blocks(page)] == expected


def test_lists_count_for_themselves_and_are_indented():
    page = "<ol><li>a<li>b<ul><li>c<ol><li>d<li>e</ol></ul><li>f</ol><li>g"
    assert texts(page) == ["1. a", "2. b", "  - c", "    1. d", "    2. e", "3. f", "- g"]
    deep = texts("<ul>" * 40 + "<li>x")
    assert deep == ["  " * 8 + "- x"]


def test_an_item_without_text_leaves_its_bullet_to_nobody():
    assert texts("<ul><li></li></ul><p>after") == ["after"]
    assert texts("</ul></li>after") == ["after"]


def test_a_heading_whose_end_was_forgotten_ends_where_the_next_block_begins():
    page = "<h2>One<p>text<h3>Two<h4>Three</h4>rest"
    assert [(block.text, block.level) for block in blocks(page)] == [
        ("One", 2),
        ("text", 0),
        ("Two", 3),
        ("Three", 4),
        ("rest", 0),
    ]


def test_a_heading_is_one_line_without_the_sign_to_link_to_it():
    page = "<h1>Over<br>two <div>lines</div><a class='headerlink' href='#x'>#</a> ¶</h1><h2> ¶</h2>"
    assert blocks(page) == [Block("Over two lines", 2, 1)]


def test_preformatted_text_keeps_its_lines_and_nothing_in_it_breaks_it():
    assert texts("<pre>\n  a<br>b<div>c</div>\n\n d \n</pre>x") == ["  a\nbc\n\n d", "x"]
    assert texts("<pre>a<pre>b</pre>c") == ["abc"]
    assert texts("<pre> \n </pre></pre>x") == ["x"]


def test_what_is_dropped_ends_where_it_began():
    nested = "<object>no<object>no</object>no</object>yes"
    assert texts(nested) == ["yes"]
    assert texts("<svg><p>no</svg>yes") == ["yes"]
    assert texts("<svg/>yes<canvas />too") == ["yestoo"]
    assert texts("<script>if (a</b) no</script>yes") == ["yes"]


def test_hiding_ends_at_a_paragraph_that_closes_itself():
    parser = PageParser()
    parser.feed("<p hidden>no<p>yes<li style='VISIBILITY:hidden'>no<li>yes too")
    parser.finish()
    assert [block.text for block in parser.blocks] == ["yes", "- yes too"]
    assert parser.left_out
    assert not [block for block in blocks("<input hidden>") if block.text]
    assert texts("<body hidden>seen all the same") == ["seen all the same"]


def test_a_title_is_no_block_and_only_the_first_counts():
    parser = PageParser()
    parser.feed("<title>One\n two</title><title>Three</title><p>x")
    parser.finish()
    assert (parser.title, [block.text for block in parser.blocks]) == ("One two", ["x"])


def test_tables_are_rows_and_empty_columns_are_left_out():
    page = "<table><tr><td>a<td><td>b<tr><td><td><td>c</table>"
    assert texts(page) == ["a | b\n | c"]
    assert texts("<table><td>no row<td>at all</table>") == ["no row | at all"]
    assert texts("<td>no table") == ["no table"]
    assert texts("</td></table>after") == ["after"]


def test_a_table_with_a_heading_a_table_or_code_in_it_is_layout():
    for inner in ("<h2>T</h2>", "<pre>T</pre>", "<table><tr><td>T</table>"):
        assert texts(f"<table><tr><td>a<td>{inner}<td>b</table>c") == ["a", "T", "b", "c"]


def test_tables_nest_as_deep_as_anybody_reads():
    """Beyond that their cells are plain blocks of the last one."""
    found = texts("<table><tr><td>x" * 30)
    assert "".join(found).count("x") == 30


def test_what_follows_a_table_is_a_block_of_its_own():
    found = blocks("before<table><tr><td>a</table>after")
    assert [block.text for block in found] == ["before", "a", "after"]
    assert all(later.gap == 2 for _, later in pairwise(found))


def test_an_unclosed_page_loses_nothing():
    for page in ("<h1>a", "<pre>a", "<table><tr><td>a", "<ul><li><b>a", "<title>t</title><table><caption>a"):
        assert texts(page)[-1].endswith("a"), page
