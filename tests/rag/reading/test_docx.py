"""Word documents: what stands on the page, in its order."""

from __future__ import annotations

import pytest

from rag.errors import DamagedSource, EmptySource, EncryptedSource
from rag.reading import docx as room
from rag.reading.kinds import DOCX
from tests.rag.reading.builders import archive, docx, paragraph, table
from tests.rag.reading.reading_checks import checked, headings


def read(content):
    return checked(room.read(content, DOCX))


def run(text, properties=""):
    return f"<w:r>{properties}<w:t>{text}</w:t></w:r>"


def test_paragraphs_and_tables_in_order():
    body = paragraph("Before.") + table([["a", "b"], ["", "c &amp; d"]]) + paragraph("After.")
    assert read(docx(body)).text == "Before.\n\na | b\n | c &amp; d\n\nAfter.".replace("&amp;", "&")


def test_headings_by_style_name_outline_and_inheritance():
    styles = (
        '<w:style w:styleId="Ueberschrift"><w:name w:val="heading 2"/></w:style>'
        '<w:style w:styleId="Base"><w:name w:val="b"/><w:pPr><w:outlineLvl w:val="2"/></w:pPr></w:style>'
        '<w:style w:styleId="Mine"><w:name w:val="m"/><w:basedOn w:val="Base"/></w:style>'
    )
    body = (
        paragraph("Two", '<w:pStyle w:val="Ueberschrift"/>')
        + paragraph("Three", '<w:pStyle w:val="Mine"/>')
        + paragraph("One", '<w:outlineLvl w:val="0"/>')
        + paragraph("Body.")
    )
    reading = read(docx(body, {"word/styles.xml": styles}))
    assert headings(reading) == [(2, "Two"), (3, "Three"), (1, "One")]


def test_lists_are_numbered_as_word_does():
    numbering = (
        '<w:abstractNum w:abstractNumId="7"><w:lvl w:ilvl="0"><w:numFmt w:val="decimal"/></w:lvl>'
        '<w:lvl w:ilvl="1"><w:numFmt w:val="bullet"/></w:lvl></w:abstractNum>'
        '<w:num w:numId="3"><w:abstractNumId w:val="7"/></w:num>'
    )
    item = '<w:numPr><w:ilvl w:val="{}"/><w:numId w:val="3"/></w:numPr>'.format
    body = paragraph("a", item(0)) + paragraph("b", item(1)) + paragraph("c", item(0))
    assert read(docx(body, {"word/numbering.xml": numbering})).text == "1. a\n  - b\n2. c"


def test_deleted_and_hidden_text_is_left_out_and_inserted_text_kept():
    body = (
        "<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:ins><w:r><w:t>new</w:t></w:r></w:ins>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r><w:r><w:tab/><w:t>end</w:t></w:r></w:p>"
    )
    assert read(docx(body)).text == "new\tend"


def test_footnotes_come_at_the_end():
    parts = {"word/footnotes.xml": f'<w:footnote w:id="1">{paragraph("See below.")}</w:footnote>'}
    assert read(docx(paragraph("Text."), parts)).text == "Text.\n\nFootnote: See below."


def test_nested_table_stays_in_its_cell():
    assert read(docx(table([["a", table([["x", "y"]])]]))).text == "a | x y"


def test_old_word_and_other_archives_are_named():
    with pytest.raises(DamagedSource, match="old kind"):
        read(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600)
    with pytest.raises(EncryptedSource):
        read(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"))


def test_what_hides_a_run_and_what_only_seems_to():
    hidden = "".join(
        run(text, f"<w:rPr>{vanish}</w:rPr>")
        for text, vanish in (
            ("a", "<w:vanish/>"),
            ("b", '<w:vanish w:val="true"/>'),
            ("c", '<w:vanish w:val="0"/>'),
            ("d", '<w:vanish w:val="off"/>'),
            ("e", "<w:b/>"),
        )
    )
    assert read(docx(f"<w:p>{hidden}</w:p>")).text == "cde"


def test_breaks_and_hyphens_are_characters():
    body = (
        "<w:p><w:r><w:t>one</w:t><w:br/><w:t>two</w:t><w:cr/><w:t>x</w:t><w:noBreakHyphen/><w:t>ray</w:t></w:r></w:p>"
    )
    assert read(docx(body)).text == "one\ntwo\nx-ray"


def test_a_text_box_comes_after_its_paragraph_and_once():
    box = "<w:txbxContent>{}</w:txbxContent>".format
    inner = paragraph("Inside.") + f"<w:p>{run('Deep')}<w:r>{box(paragraph('Deepest.'))}</w:r></w:p>"
    body = (
        f"<w:p>{run('Around.')}<w:r><w:AlternateContent><w:Choice>{box(inner)}</w:Choice>"
        f"<w:Fallback>{box(paragraph('Inside.'))}</w:Fallback></w:AlternateContent></w:r></w:p>{paragraph('After.')}"
    )
    assert read(docx(body)).text == "Around.\n\nInside.\n\nDeep\n\nDeepest.\n\nAfter."


def test_rows_and_cells_are_found_in_what_wraps_them():
    cell = f"<w:tc>{paragraph('{}')}</w:tc>".format
    wrapped = f"<w:sdt><w:sdtContent><w:tr>{cell('a')}<w:ins>{cell('b')}</w:ins></w:tr></w:sdtContent></w:sdt>"
    body = f"<w:tbl>{wrapped}<w:tr><w:del>{cell('gone')}</w:del>{cell('c')}</w:tr><w:tr>{cell('')}</w:tr></w:tbl>"
    assert read(docx(body)).text == "a | b\nc"


def test_a_list_stays_together_and_a_table_ends_it():
    item = '<w:numPr><w:numId w:val="1"/></w:numPr>'
    body = paragraph("Text.") + paragraph("a", item) + paragraph("b", item) + table([["x"]]) + paragraph("c", item)
    assert read(docx(body)).text == "Text.\n\n- a\n- b\n\nx\n\n- c"


def test_every_kind_of_note_is_named_and_lines_that_only_separate_are_none():
    line = f'<w:footnote w:type="separator">{paragraph("____")}</w:footnote>'
    parts = {
        "word/footnotes.xml": f"{line}<w:footnote>{paragraph('Low.')}</w:footnote>",
        "word/endnotes.xml": f"<w:endnote>{paragraph('Last.')}{paragraph('More.')}</w:endnote>",
        "word/comments.xml": f"<w:comment>{paragraph('Why?')}</w:comment><w:comment>{paragraph(' ')}</w:comment>",
    }
    assert (
        read(docx(paragraph("Text."), parts)).text == "Text.\n\nFootnote: Low.\n\nEndnote: Last. More.\n\nComment: Why?"
    )


def test_the_document_is_where_the_archive_says():
    body = f'<w:document xmlns:w="w"><w:body>{paragraph("Elsewhere.")}</w:body></w:document>'
    relations = (
        '<r><x Type="http://x/styles" Target="s.xml"/><x Type="http://x/officeDocument" Target="{}"/></r>'.format
    )
    named = archive({"_rels/.rels": relations("/word/document2.xml"), "word/document2.xml": body})
    assert read(named).text == "Elsewhere."
    # A target that leads out of the archive, or to nothing, is not followed.
    for target in ("../../etc/passwd", "word/none.xml", "word/media.bin"):
        usual = archive({"_rels/.rels": relations(target), "word/document.xml": body, "word/media.bin": b"x"})
        assert read(usual).text == "Elsewhere."


def test_parts_lie_beside_the_document():
    styles = '<s xmlns:w="w"><w:style w:styleId="A"><w:name w:val="heading 1"/></w:style></s>'
    top = paragraph("Top", '<w:pStyle w:val="A"/>')
    body = f'<d xmlns:w="w">{top}{paragraph("Text.")}</d>'
    relations = '<r><x Type="http://x/officeDocument" Target="word2/document.xml"/></r>'
    made = archive({"_rels/.rels": relations, "word2/document.xml": body, "word2/styles.xml": styles})
    assert headings(read(made)) == [(1, "Top")]


def test_an_archive_with_a_password_asks_for_a_copy_without():
    raw = bytearray(docx(paragraph("x")))
    raw[raw.index(b"PK\1\2") + 8] |= 1  # the flag of an encrypted member
    with pytest.raises(EncryptedSource, match="needs a password"):
        read(bytes(raw))


def test_a_document_of_nothing_is_empty():
    with pytest.raises(EmptySource):
        read(docx(paragraph(" ") + table([["", " "]])))
