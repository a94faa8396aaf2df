"""Files made to break readers. Each is read or refused with a sentence, soon, and the next source is read as ever."""

from __future__ import annotations

import contextlib
import csv
import json
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.errors import DamagedSource, EmptySource, ReadError, SourceTooLarge
from tests.rag.reading.builders import archive, docx, flate_bomb, paragraph, pdf
from tests.rag.reading.reading_checks import check

SHARED = Path(__file__).parents[3] / ".." / "shared" / "data"


def refused(read, name, content, error, words="."):
    with pytest.raises(error, match=words) as caught:
        read(name, content)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert name not in sentence
    assert "Traceback" not in sentence


def test_pdf_that_unpacks_to_a_gigabyte(read):
    reading = read("a.pdf", flate_bomb(1024))
    assert reading.text == "before the bomb"
    assert any("page 2 of 2" in note for note in reading.notes)


def test_pdf_cut_anywhere_or_with_wrong_bytes(read):
    whole = pdf("One line.", "Another line.")
    noise = random.Random(1)
    for cut in range(10, len(whole), 97):
        with contextlib.suppress(ReadError):
            assert read("a.pdf", whole[:cut]).notes
    for _ in range(40):
        wrong = bytearray(whole)
        wrong[noise.randrange(9, len(whole))] = noise.randrange(256)
        with contextlib.suppress(ReadError):
            read("a.pdf", bytes(wrong))


def test_docx_bombs_and_entities(read):
    refused(read, "a.docx", docx(paragraph("A" * (201 << 20))), SourceTooLarge, "unpacked")
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
    refused(read, "a.docx", docx(paragraph("&c;"), prolog=laughs), DamagedSource, "entities")
    outside = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    refused(read, "a.docx", docx(paragraph("&a;"), prolog=outside), DamagedSource, "entities")


def test_docx_cut_or_without_a_document(read):
    refused(read, "a.docx", docx(paragraph("x"))[:200], DamagedSource, "cut off")
    refused(read, "a.docx", archive({"xl/workbook.xml": "<x/>"}), DamagedSource, "no Word document")
    refused(read, "a.docx", archive({"word/document.xml": "<x>"}), DamagedSource)


def test_depth(read):
    assert read("a.html", b"<div>" * 50_000 + b"deep" + b"</div>" * 50_000).text == "deep"
    assert read("a.html", b"<table><tr><td>" * 20_000 + b"deep").text == "deep"
    assert read("a.md", b">" * 100_000 + b" deep").text.endswith("deep")
    assert read("a.docx", docx("<w:p>" * 20_000 + "<w:r><w:t>deep</w:t></w:r>" + "</w:p>" * 20_000)).text == "deep"
    refused(read, "a.json", b"[" * 200_000, DamagedSource, "deep")
    refused(read, "a.ipynb", b"[" * 200_000, DamagedSource)


def test_length(read):
    assert len(read("a.txt", b"x" * 5_000_000).text) == 5_000_000
    assert len(read("a.md", b"[a](" * 200_000).text) == 800_000
    refused(read, "a.txt", b"word " * 5_000_000, SourceTooLarge, "20 million")
    refused(read, "a.json", json.dumps({"k" * 5000: [1] * 100_000}).encode(), SourceTooLarge, "20 million")


def test_noise(read):
    noise = random.Random(2).randbytes(200_000)
    refused(read, "a.txt", noise, DamagedSource)
    refused(read, "a.txt", b"\xff\xfe" + noise, DamagedSource)
    refused(read, "a.txt", b"\0" * 5000, DamagedSource)
    refused(read, "a.html", b"words first, " * 6000 + noise, DamagedSource)


def test_markup_that_is_no_markup(read):
    assert "shown" in read("a.html", b"<![foo bar><p>shown<![CDATA[x]]><!DOCTYPE [ <!ELEMENT").text
    assert read("a.html", b"<p>a<h2>b<td>c</table></ul></pre></h1>").text
    refused(read, "a.html", b"<div hidden>" * 1000 + b"x", EmptySource)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["a.txt", "a.html", "a.md", "a.csv", "a.json", "a.jsonl", "a.ipynb", "a.pdf", "a.docx"]),
    content=st.one_of(st.binary(max_size=400), st.text(max_size=200).map(lambda t: t.encode("utf-8", "surrogatepass"))),
)
def test_any_bytes_are_read_or_refused(read, name, content):
    with contextlib.suppress(ReadError):
        read(name, content)


def test_hostile_files_beside_the_project(readers):
    manifest = SHARED / "hostile" / "manifest.tsv"
    lines = manifest.read_text().splitlines() if manifest.exists() else []
    for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
        path = SHARED / "hostile" / "files" / row["file"]
        if not path.is_file():
            continue
        must_fail = row["expected"].startswith("clear error") and "(or" not in row["expected"]
        must_work = row["expected"].startswith("indexed") and "error" not in row["expected"]
        with contextlib.nullcontext() if must_work else contextlib.suppress(ReadError):
            reading = readers.read(json.loads(row["upload_name"]), path)
            check(reading)
            assert not must_fail, row["id"]
            assert "BAD-" not in reading.text
            assert "root:x:0" not in reading.text
            if row["file"].endswith(path.name) and row["sentinel"].count("SENT") == 1 and "v1" not in row["file"]:
                assert row["sentinel"].split()[0] in reading.text, row["id"]
