"""What each format becomes."""

from __future__ import annotations

import pytest

from rag.errors import DamagedSource, EmptySource, EncryptedSource, NoTextLayer
from tests.rag.reading.builders import docx, encrypted_pdf, notebook, paragraph, pdf, pdf_from, pdf_objects, table


def headings(reading):
    for heading in reading.headings:
        assert heading.title in reading.text[heading.start : heading.end]
    return [(heading.level, heading.title) for heading in reading.headings]


class TestPdf:
    def test_pages_keep_their_numbers_and_places(self, read):
        reading = read("a.pdf", pdf("First page.", "", "Third page."))
        assert [(p.number, reading.text[p.start : p.end]) for p in reading.pages] == [
            (1, "First page."),
            (3, "Third page."),
        ]
        assert reading.text == "First page.\n\nThird page."
        assert reading.media_type == "application/pdf"
        assert any("No text on page 2 of 3" in note for note in reading.notes)

    def test_without_text_layer_it_says_to_run_ocr(self, read):
        with pytest.raises(NoTextLayer, match="its 2 pages look scanned"):
            read("a.pdf", pdf("", ""))

    def test_no_pages(self, read):
        with pytest.raises(EmptySource, match="no pages"):
            read("a.pdf", pdf())

    def test_aes_with_an_empty_password_opens(self, read):
        assert read("a.pdf", encrypted_pdf("", "Locked but open.")).text == "Locked but open."

    def test_a_password_is_asked_for(self, read):
        with pytest.raises(EncryptedSource, match="password"):
            read("a.pdf", encrypted_pdf("secret", "Locked."))

    def test_scripts_are_not_text(self, read):
        objects = pdf_objects(["Visible."])
        objects[1] = b"<< /Type /Catalog /Pages 2 0 R /OpenAction << /S /JavaScript /JS (app.alert(1)) >> >>"
        assert read("a.pdf", pdf_from(objects)).text == "Visible."

    def test_a_page_tree_that_contains_itself(self, read):
        objects = {1: b"<< /Type /Catalog /Pages 2 0 R >>", 2: b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>"}
        with pytest.raises(DamagedSource):
            read("a.pdf", pdf_from(objects))


class TestDocx:
    def test_paragraphs_and_tables_in_order(self, read):
        body = paragraph("Before.") + table([["a", "b"], ["", "c &amp; d"]]) + paragraph("After.")
        assert read("a.docx", docx(body)).text == "Before.\n\na | b\n | c &amp; d\n\nAfter.".replace("&amp;", "&")

    def test_headings_by_style_name_outline_and_inheritance(self, read):
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
        reading = read("a.docx", docx(body, {"word/styles.xml": styles}))
        assert headings(reading) == [(2, "Two"), (3, "Three"), (1, "One")]

    def test_lists_are_numbered_as_word_does(self, read):
        numbering = (
            '<w:abstractNum w:abstractNumId="7"><w:lvl w:ilvl="0"><w:numFmt w:val="decimal"/></w:lvl>'
            '<w:lvl w:ilvl="1"><w:numFmt w:val="bullet"/></w:lvl></w:abstractNum>'
            '<w:num w:numId="3"><w:abstractNumId w:val="7"/></w:num>'
        )
        item = '<w:numPr><w:ilvl w:val="{}"/><w:numId w:val="3"/></w:numPr>'.format
        body = paragraph("a", item(0)) + paragraph("b", item(1)) + paragraph("c", item(0))
        assert read("a.docx", docx(body, {"word/numbering.xml": numbering})).text == "1. a\n  - b\n2. c"

    def test_deleted_and_hidden_text_is_left_out_and_inserted_text_kept(self, read):
        body = (
            "<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:ins><w:r><w:t>new</w:t></w:r></w:ins>"
            "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r><w:r><w:tab/><w:t>end</w:t></w:r></w:p>"
        )
        assert read("a.docx", docx(body)).text == "new\tend"

    def test_footnotes_come_at_the_end(self, read):
        parts = {"word/footnotes.xml": f'<w:footnote w:id="1">{paragraph("See below.")}</w:footnote>'}
        assert read("a.docx", docx(paragraph("Text."), parts)).text == "Text.\n\nFootnote: See below."

    def test_nested_table_stays_in_its_cell(self, read):
        assert read("a.docx", docx(table([["a", table([["x", "y"]])]]))).text == "a | x y"

    def test_old_word_and_other_archives_are_named(self, read):
        with pytest.raises(DamagedSource, match="old kind"):
            read("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600)
        with pytest.raises(EncryptedSource):
            read("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"))


class TestHtml:
    def test_blocks_headings_lists_and_tables(self, read):
        page = b"""<html><head><title>The title</title></head><body><h1>Top <em>one</em></h1>
        <p>First
        paragraph.<p>Second.<br>Line.<ul><li>a<li>b<ol><li>c</ol></ul>
        <table><tr><th>x<th>y<tr><td>1<td><p>2</p></table><h2>Next</h2><pre>  keep\n    this</pre></body>"""
        reading = read("a.html", page)
        assert reading.text == (
            "The title\n\nTop one\n\nFirst paragraph.\n\nSecond.\nLine.\n\n- a\n- b\n  1. c\n\n"
            "x | y\n1 | 2\n\nNext\n\n  keep\n    this"
        )
        assert headings(reading) == [(1, "Top one"), (2, "Next")]

    def test_only_what_is_seen(self, read):
        page = (
            b"<p>seen</p><script>no</script><style>no</style><noscript>no</noscript><!-- no --><template>no</template>"
            b"<iframe>no</iframe><svg><text>no</text></svg><p hidden>no</p><div style='display: none'><div>no</div>no"
            b"</div><img src=x onerror='no'><a href='javascript:no'>link</a><![if no]>"
        )
        reading = read("a.html", page)
        assert reading.text == "seen\n\nlink"
        assert any("hides" in note for note in reading.notes)

    def test_layout_tables_are_no_rows(self, read):
        assert read("a.html", b"<table><tr><td><h1>T</h1><p>a</p><p>b</p></td><td>c</td></table>").text == (
            "T\n\na\n\nb\n\nc"
        )

    @pytest.mark.parametrize(
        "page",
        [
            '<meta charset="iso-8859-1"><p>Größe “q”'.encode("cp1252"),
            '<meta http-equiv="Content-Type" content="text/html; charset=windows-1252"><p>Größe “q”'.encode("cp1252"),
            "<p>Größe “q”".encode(),
            '<meta charset="latin1"><p>Größe “q”'.encode(),
            "\ufeff<p>Größe “q”".encode("utf-16-le"),
        ],
    )
    def test_encodings(self, read, page):
        assert read("a.html", page).text == "Größe “q”"


class TestMarkdown:
    def test_headings_not_in_code(self, read):
        text = "---\ntitle: t\n---\n\n# One\n\nText.\n\n```\n# no\n```\n\nTwo *b*\n---\n\n    # no\n\n### Three #\n"
        reading = read("a.md", text.encode())
        assert headings_of(reading) == [(1, "One", "# One"), (2, "Two b", "Two *b*"), (3, "Three", "### Three #")]
        assert reading.text == text.strip()

    def test_markup_stays_text(self, read):
        text = "[a](javascript:alert(1)) <b>bold</b> `<i>`\n\n<script>alert(3)</script>\n\n[f]: javascript:alert(4)"
        assert read("a.md", text.encode()).text == text

    def test_embedded_pictures_are_left_out(self, read):
        reading = read("a.md", b"before ![p](data:image/png;base64," + b"QUJD" * 5000 + b") after")
        assert reading.text == "before ![p](data:\u2026) after"
        assert any("Pictures" in note for note in reading.notes)


def headings_of(reading):
    return [(h.level, h.title, reading.text[h.start : h.end]) for h in reading.headings]


class TestTables:
    def test_a_row_is_a_line_under_the_names(self, read):
        reading = read("a.csv", b'name,note\nAda,"first, and\nsecond"\nBob,\n=1+1,x,more\n')
        assert reading.text == "name | note\n\nAda | first, and second\nBob | \n=1+1 | x | more"
        assert headings(reading) == [(1, "name | note")]

    @pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
    def test_separators(self, read, separator):
        rows = [["a", "b"], ["1,5", "x"], ["2,5", "y"]]
        content = "\r\n".join(separator.join(f'"{cell}"' for cell in row) for row in rows)
        assert read("a.csv", content.encode()).text == "a | b\n\n1,5 | x\n2,5 | y"

    def test_title_and_missing_header(self, read):
        assert read("a.tsv", b"Sales\t\nyear\tsum\n2020\t7\n").text == "Sales\n\nyear | sum\n\n2020 | 7"
        assert read("a.csv", b"1,2\n3,4\n").text == "1 | 2\n3 | 4"

    def test_unclosed_quote_loses_nothing(self, read):
        reading = read("a.csv", b'a,b,c\n1,2\n3,4,5,6\n"never closed, x\nnext,line\n')
        assert all(word in reading.text for word in ("never closed", "next | line", "3 | 4 | 5 | 6"))
        assert any("never closed" in note for note in reading.notes)


class TestRecords:
    def test_leaves_with_paths(self, read):
        text = read("a.json", b'{"a": {"b": [{"c": 1.50}, 1e400, null]}, "d": "x", "d": true}').text
        assert text == "a.b[0].c: 1.50\na.b[1]: 1e400\na.b[2]: null\nd: x\nd: true"

    def test_records_are_blocks(self, read):
        assert read("a.json", b'[{"n": 1, "m": 2}, {"n": 3}]').text == "[0].n: 1\n[0].m: 2\n\n[1].n: 3"
        assert read("a.jsonl", b'{"n": 1}\n\n{"n": 3}\n').text == "n: 1\n\nn: 3"
        assert read("a.json", b'{"n": 1}\n{"n": 3}\n').text == "n: 1\n\nn: 3"

    def test_broken_lines_are_kept_and_named(self, read):
        reading = read("a.jsonl", b'{"n": 1}\nnonsense\n')
        assert reading.text == "n: 1\n\nnonsense"
        assert any("line 2" in note for note in reading.notes)

    def test_cut_off(self, read):
        with pytest.raises(DamagedSource, match="line 1"):
            read("a.json", b'{"n": [1, 2')

    def test_lone_surrogates(self, read):
        assert read("a.json", rb'"x \ud83d y \ud83d\ude00"').text == "x \ufffd y 😀"


class TestNotebook:
    def test_sources_without_outputs(self, read):
        cells = (
            {"cell_type": "markdown", "source": ["# Title\n", "text ![p](data:image/png;base64,AA)"]},
            {"cell_type": "code", "source": "x = 1\n# no heading", "outputs": [{"text": ["OUTPUT"]}]},
            {"cell_type": "markdown", "source": ""},
            {"cell_type": "markdown", "source": ["## Second"]},
        )
        reading = read("a.ipynb", notebook(*cells))
        assert reading.text == "# Title\ntext ![p](data:image/png;base64,AA)\n\nx = 1\n# no heading\n\n## Second"
        assert headings(reading) == [(1, "Title"), (2, "Second")]

    @pytest.mark.parametrize("content", [b'{"cells": [', b"[1]", b'{"a": 1}'])
    def test_malformed(self, read, content):
        with pytest.raises(DamagedSource):
            read("a.ipynb", content)


class TestPlain:
    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            ("Größe".encode("utf-8-sig"), "Größe"),
            ("Größe".encode("utf-16"), "Größe"),
            ("Größe".encode("utf-32"), "Größe"),
            ("Ein Text ohne Marke".encode("utf-16-le"), "Ein Text ohne Marke"),
            ("Die Größe ist schön.".encode("latin-1"), "Die Größe ist schön."),
            ("Это русский текст, погода хорошая. ".encode("cp1251") * 5, "Это русский текст"),
            ("これは日本語のテキストです。".encode("shift_jis") * 5, "これは日本語のテキストです。"),
            ("これは日本語".encode("iso2022_jp"), "これは日本語"),
            (b"a\r\nb\rc\x0bd\x0ce\xc2\x85f\xe2\x80\xa8g", "a\nb\nc\nd\ne\nf\ng"),
            (b"a\n\n \n\n\n\nb", "a\n\n\nb"),
            (b"so\xc2\xadft \x00 here and there are words", "soft  here and there are words"),
        ],
    )
    def test_encodings_and_cleaning(self, read, content, expected):
        assert read("a.txt", content).text.startswith(expected)

    def test_broken_bytes_are_replaced_and_told(self, read):
        reading = read("a.txt", "Grüße aus Köln und München. ".encode() * 5 + b"\xff\xfe end")
        assert reading.text.endswith("\ufffd\ufffd end")
        assert any("2 places" in note for note in reading.notes)

    @pytest.mark.parametrize("content", [b" \n\t", "\u00a0\u3000\n".encode(), "\ufeff\u200b".encode()])
    def test_nothing_but_white_space(self, read, content):
        with pytest.raises(EmptySource):
            read("a.txt", content)

    @pytest.mark.parametrize("name", ["a.py", "Makefile", "a.rst", "a.xml", "../../etc/passwd", "a.unknown"])
    def test_any_text_is_text(self, read, name):
        assert read(name, b"key: <value>").text == "key: <value>"
