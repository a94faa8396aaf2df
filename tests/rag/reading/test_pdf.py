"""PDF: pages with their numbers and places; what is cut off, locked, scanned or broken is said."""

from __future__ import annotations

import pytest

from rag.errors import DamagedSource, EmptySource, EncryptedSource, NoTextLayer, SourceTooLarge
from rag.reading import pdf as room
from rag.reading.kinds import PDF
from tests.rag.reading.builders import encrypted_pdf, pdf, pdf_from, pdf_objects, stream
from tests.rag.reading.reading_checks import checked

BROKEN = stream(b"x", b"/Filter /Nonsense")
"""The content of a page that nothing can unpack."""


def read(content):
    return checked(room.read(content, PDF))


def test_pages_keep_their_numbers_and_places():
    reading = read(pdf("First page.", "", "Third page."))
    assert [(p.number, reading.text[p.start : p.end]) for p in reading.pages] == [
        (1, "First page."),
        (3, "Third page."),
    ]
    assert reading.text == "First page.\n\nThird page."
    assert reading.media_type == "application/pdf"
    assert any("No text on page 2 of 3" in note for note in reading.notes)


def test_without_text_layer_it_says_to_run_ocr():
    with pytest.raises(NoTextLayer, match="its 2 pages look scanned"):
        read(pdf("", ""))


def test_no_pages():
    with pytest.raises(EmptySource, match="no pages"):
        read(pdf())


def test_aes_with_an_empty_password_opens():
    assert read(encrypted_pdf("", "Locked but open.")).text == "Locked but open."


def test_a_password_is_asked_for():
    with pytest.raises(EncryptedSource, match="password"):
        read(encrypted_pdf("secret", "Locked."))


def test_scripts_are_not_text():
    objects = pdf_objects(["Visible."])
    objects[1] = b"<< /Type /Catalog /Pages 2 0 R /OpenAction << /S /JavaScript /JS (app.alert(1)) >> >>"
    assert read(pdf_from(objects)).text == "Visible."


def test_a_page_tree_that_contains_itself():
    objects = {1: b"<< /Type /Catalog /Pages 2 0 R >>", 2: b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>"}
    with pytest.raises(DamagedSource):
        read(pdf_from(objects))


def test_one_page_without_text_is_told_as_one():
    with pytest.raises(NoTextLayer, match="its only page looks scanned"):
        read(pdf(""))


def test_many_blank_pages_are_listed_in_part():
    reading = read(pdf(*[""] * 12, "The last."))
    assert [(page.number, reading.text) for page in reading.pages] == [(13, "The last.")]
    (note,) = reading.notes
    assert "pages 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 … of 13" in note


def test_a_lost_end_is_told():
    """Of a document that was changed, the change."""
    reading = read(pdf("First.", "Second.") + b"4 0 obj\n<< /Type /Page " + b"% and more of it\n" * 200)
    assert reading.text == "First.\n\nSecond."
    (note,) = reading.notes
    assert "cut off" in note


@pytest.mark.parametrize("content", [b"%PDF-1.7\n", pdf("A page.")[:60], b"%PDF-1.7\n" + bytes(3000)])
def test_cut_off_before_any_page(content):
    with pytest.raises(DamagedSource, match="cut off"):
        read(content)


def test_a_page_that_cannot_be_read_is_left_out_and_named():
    objects = pdf_objects(["Before.", "x", "After."])
    objects[7] = BROKEN
    reading = read(pdf_from(objects))
    assert [page.number for page in reading.pages] == [1, 3]
    assert reading.text == "Before.\n\nAfter."
    (note,) = reading.notes
    assert note.startswith("Damaged, left out: page 2 of 3")


def test_where_no_page_can_be_read_the_document_is_damaged():
    objects = pdf_objects(["x", "y"])
    objects[5] = objects[7] = BROKEN
    with pytest.raises(DamagedSource, match="No page of this PDF could be read"):
        read(pdf_from(objects))


def test_encryption_that_nobody_knows_is_refused():
    objects = pdf_objects(["Locked."])
    objects[6] = b"<< /Filter /Nobody /V 9 >>"
    with pytest.raises(EncryptedSource, match="encrypted in a way we cannot open"):
        read(pdf_from(objects, b"/Encrypt 6 0 R /ID [<00><00>]"))


def test_more_pages_than_anybody_reads_are_refused():
    objects = pdf_objects(["x"])
    many = 120
    # Kids of kids: few objects, many pages.
    objects[2] = b"<< /Type /Pages /Kids [%b] /Count 1 >>" % b" ".join(b"%d 0 R" % n for n in range(10, 10 + 170))
    for number in range(10, 10 + 170):
        kids = b" ".join(b"%d 0 R" % page for page in range(1000 + many * number, 1000 + many * (number + 1)))
        objects[number] = b"<< /Type /Pages /Parent 2 0 R /Kids [%b] /Count %d >>" % (kids, many)
        for page in range(1000 + many * number, 1000 + many * (number + 1)):
            objects[page] = b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 9 9] >>" % number
    assert 170 * many > room.PAGE_LIMIT
    with pytest.raises(SourceTooLarge, match="more than 20000 pages"):
        read(pdf_from(objects))
