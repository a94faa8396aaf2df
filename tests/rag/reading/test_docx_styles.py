"""Headings and bullets of Word, from the elements of a document."""

from __future__ import annotations

from xml.etree.ElementTree import Element, fromstring

import pytest

from rag.reading.docx_styles import Styles, child, local, value


def xml(inner: str) -> Element:
    return fromstring(f'<w:root xmlns:w="w" xmlns:strict="s">{inner}</w:root>')


def paragraph(properties: str) -> Element:
    (found,) = xml(f"<w:p><w:pPr>{properties}</w:pPr></w:p>")
    return found


def style(identifier: str, name: str = "", more: str = "") -> str:
    named = f'<w:name w:val="{name}"/>' if name else ""
    return f'<w:style w:styleId="{identifier}">{named}{more}</w:style>'


def level_of(properties: str, *styles: str) -> int:
    return Styles(xml("".join(styles)), None).heading_level(paragraph(properties))


STYLED = '<w:pStyle w:val="S"/>'


def test_names_count_without_their_namespace():
    (element,) = xml('<strict:p w:val="1" strict:other="2"/>')
    assert (local(element), value(element, "val"), value(element, "other"), value(element, "none")) == (
        "p",
        "1",
        "2",
        "",
    )
    found = child(xml("<w:a><w:b/><w:c w:val='x'/></w:a>"), "a", "c")
    assert found is not None
    assert value(found, "val") == "x"
    assert child(xml("<w:a/>"), "a", "b", "c") is None
    assert child(None, "a") is None


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("heading 1", 1),
        ("Heading 3", 3),
        ("heading 0", 1),
        ("heading 9", 6),
        ("Title", 1),
        ("Normal", 0),
        ("heading", 0),
        ("my heading 1", 0),
    ],
)
def test_a_heading_is_one_by_the_name_of_its_style(name: str, level: int) -> None:
    assert level_of(STYLED, style("S", name)) == level


def test_a_style_that_is_not_defined_counts_by_its_identifier():
    assert level_of('<w:pStyle w:val="Heading2"/>') == 2
    assert level_of('<w:pStyle w:val="Text"/>') == 0
    assert Styles(None, None).heading_level(xml("<w:p/>")[0]) == 0


def test_the_outline_decides_before_the_name_and_the_nearest_outline_first():
    outline = '<w:pPr><w:outlineLvl w:val="{}"/></w:pPr>'.format
    base, mine = style("B", "b", outline(3)), style("S", "heading 1", '<w:basedOn w:val="B"/>')
    assert level_of(STYLED, base, mine) == 4
    assert level_of(STYLED + '<w:outlineLvl w:val="0"/>', base, mine) == 1
    assert level_of(STYLED + '<w:outlineLvl w:val="7"/>', base, mine) == 6
    assert level_of(STYLED + '<w:outlineLvl w:val="9"/>', base, mine) == 0, "nine is the body"
    assert level_of(STYLED + '<w:outlineLvl w:val="-1"/>', base, mine) == 0


def test_styles_that_are_based_on_each_other_come_to_an_end():
    circle = (style("S", "s", '<w:basedOn w:val="T"/>'), style("T", "t", '<w:basedOn w:val="S"/>'))
    assert level_of(STYLED, *circle) == 0


def numbering(*levels: tuple[int, str]) -> Element:
    formats = "".join(f'<w:lvl w:ilvl="{at}"><w:numFmt w:val="{form}"/></w:lvl>' for at, form in levels)
    return xml(
        f'<w:abstractNum w:abstractNumId="9">{formats}<w:other/></w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="9"/></w:num><w:num w:numId="2"/>'
        '<w:num w:numId="3"><w:abstractNumId w:val="404"/></w:num>'
    )


def item(level: object = 0, number: object = 1) -> Element:
    return paragraph(f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>')


def test_inner_numbers_begin_again_and_outer_ones_go_on():
    styles = Styles(None, numbering((0, "decimal"), (1, "lowerLetter"), (2, "bullet")))
    found = [styles.bullet(item(level)) for level in (0, 1, 1, 2, 0, 1)]
    assert found == ["1. ", "  1. ", "  2. ", "    - ", "2. ", "  1. "]


def test_what_has_no_bullet():
    styles = Styles(None, numbering((0, "none")))
    assert styles.bullet(paragraph("")) == ""
    assert styles.bullet(item()) == ""
    assert styles.bullet(item(0, 0)) == "", "numbering 0 takes a bullet off that the style has"


@pytest.mark.parametrize("number", [2, 3, 77, "x"])
def test_numberings_that_lead_nowhere_are_bullets(number: object) -> None:
    assert Styles(None, numbering((0, "decimal"))).bullet(item(0, number)) == "- "


@pytest.mark.parametrize(("level", "indent"), [("8", 8), ("99", 8), ("-1", 0), ("²", 0), ("1234567", 0), ("", 0)])
def test_levels_are_those_that_word_has(level: str, indent: int) -> None:
    assert Styles(None, None).bullet(item(level)) == "  " * indent + "- "


def test_a_bullet_may_come_from_the_style_and_its_level_from_the_paragraph():
    numbered = style("S", "s", '<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr>')
    styles = Styles(xml(numbered), numbering((0, "bullet"), (1, "decimal")))
    own = paragraph(STYLED + '<w:numPr><w:ilvl w:val="1"/></w:numPr>')
    assert [styles.bullet(own), styles.bullet(own)] == ["  1. ", "  2. "]
