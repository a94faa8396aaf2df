"""Tables as text: a row is a line, the names of the columns are a heading."""

from __future__ import annotations

import pytest

from rag.reading import tabular as room
from rag.reading.kinds import CSV, TSV
from tests.rag.reading.reading_checks import checked, headings


def read(content):
    return checked(room.read(content, CSV))


def read_tsv(content):
    return checked(room.read(content, TSV))


def test_a_row_is_a_line_under_the_names():
    reading = read(b'name,note\nAda,"first, and\nsecond"\nBob,\n=1+1,x,more\n')
    assert reading.text == "name | note\n\nAda | first, and second\nBob | \n=1+1 | x | more"
    assert headings(reading) == [(1, "name | note")]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators(separator):
    rows = [["a", "b"], ["1,5", "x"], ["2,5", "y"]]
    content = "\r\n".join(separator.join(f'"{cell}"' for cell in row) for row in rows)
    assert read(content.encode()).text == "a | b\n\n1,5 | x\n2,5 | y"


def test_title_and_missing_header():
    assert read_tsv(b"Sales\t\nyear\tsum\n2020\t7\n").text == "Sales\n\nyear | sum\n\n2020 | 7"
    assert read(b"1,2\n3,4\n").text == "1 | 2\n3 | 4"


def test_unclosed_quote_loses_nothing():
    reading = read(b'a,b,c\n1,2\n3,4,5,6\n"never closed, x\nnext,line\n')
    assert all(word in reading.text for word in ("never closed", "next | line", "3 | 4 | 5 | 6"))
    assert any("never closed" in note for note in reading.notes)


@pytest.mark.parametrize("first", ["1", "-3.5", "20%", '"1.234,5"'])
def test_a_row_with_a_number_names_no_columns(first):
    reading = read(f"{first},x\n2,y\n".encode())
    assert headings(reading) == []
    assert reading.text == first.strip('"') + " | x\n2 | y"


def test_one_row_is_a_row_and_no_heading():
    assert headings(read(b"name,note\n")) == []


def test_several_lines_of_title_stay_lines_of_their_own():
    reading = read(b"Report\n,\nof 2024,\nyear,sum\n2024,7\n")
    assert reading.text == "Report\n\nof 2024\n\nyear | sum\n\n2024 | 7"


def test_a_list_of_single_cells_has_no_separator():
    assert read(b"name\nAda\nBob\n").text == "name\n\nAda\nBob"
    assert read_tsv(b"a b\nc d\n").text == "a b\n\nc d"


def test_the_separator_that_cuts_evenly_wins_over_the_usual_one():
    assert read(b"a;b\n1,5;x,y\n2;z\n").text == "a | b\n\n1,5 | x,y\n2 | z"
    assert read_tsv(b"a,b\n1,2\n").text == "a | b\n\n1 | 2"


def test_empty_rows_are_left_out_and_white_space_in_cells_is_one_space():
    assert read(b'a,b\n,\n\n"x\n  y",  z \n').text == "a | b\n\nx y | z"


def test_cells_are_as_long_as_a_document_may_be():
    long = "x" * 200_000  # more than the csv module takes of itself
    assert long in read(f"a,b\n{long},1\n".encode()).text
