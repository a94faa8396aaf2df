from __future__ import annotations

import itertools
import random
import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.models.tokens import Cl100kTokenizer, MiniLmTokenizer
from rag.reading.places import Heading, Page, Reading
from rag.reading.splitting import Piece, split

LETTERS = st.text(st.sampled_from("ab.!? \n\n\té。」水\u00a0\u2028#"), max_size=300)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


def word_offsets(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"\S+", text)]


def pair_offsets(text: str) -> list[tuple[int, int]]:
    """As byte pairs do: a token may begin with the space before it, and long words are several."""
    return [match.span() for match in re.finditer(r"\s?\S{1,4}|\s+", text)]


def cut(text: str, size: int = 20, overlap: int = 0, **marks: tuple[Heading, ...] | tuple[Page, ...]) -> list[Piece]:
    return split(Reading(text, "text/plain", **marks), size=size, overlap=overlap, offsets=word_offsets)  # type: ignore[arg-type]


def headings_of(text: str) -> tuple[Heading, ...]:
    return tuple(
        Heading(len(match[1]), match.start(), match.end(), match[2])
        for match in re.finditer(r"^(#+) (.*)$", text, re.MULTILINE)
    )


def assert_sound(reading: Reading, pieces: Sequence[Piece], overlap: int) -> None:
    text = reading.text
    covered = bytearray(len(text))
    for ordinal, piece in enumerate(pieces):
        assert piece.ordinal == ordinal
        assert text[piece.start : piece.end] == piece.text
        assert piece.text == piece.text.strip()
        assert piece.text
        assert piece.embed_text.endswith(piece.text)
        covered[piece.start : piece.end] = b"\1" * (piece.end - piece.start)
    for before, after in itertools.pairwise(pieces):
        assert before.start < after.start
        assert before.end < after.end
        if after.start < before.end:
            assert overlap
            # What is repeated is of the same section.
            assert not [h for h in reading.headings if after.start < h.start < before.end]
    assert not "".join(char for char, done in zip(text, covered, strict=True) if not done).strip()


@given(LETTERS | ANY, st.integers(4, 40), st.data())
def test_pieces_are_the_text(text: str, size: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, (size - 1) // 2))
    offsets = data.draw(st.sampled_from([word_offsets, pair_offsets]))
    positions = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
    headings = tuple(
        Heading(data.draw(st.integers(1, 6)), start, min(start + 3, end), f"H{start}")
        for start, end in itertools.pairwise(positions)
    )
    reading = Reading(text, "text/plain", headings=headings)
    pieces = split(reading, size=size, overlap=overlap, offsets=offsets)
    assert_sound(reading, pieces, overlap)
    assert split(reading, size=size, overlap=overlap, offsets=offsets) == pieces
    if offsets is word_offsets:
        assert all(len(word_offsets(piece.text)) <= size for piece in pieces)
        assert all(len(piece.text) <= size * 12 + 11 for piece in pieces)


def prose(seed: int, paragraphs: int, heading_every: int = 0) -> list[str]:
    rng = random.Random(seed)
    words = [f"{rng.choice(['al', 'be', 'ga', 'de'])}{number}" for number in range(2000)]

    def sentence() -> str:
        return " ".join(rng.choice(words) for _ in range(rng.randint(4, 20))).capitalize() + "."

    found = [" ".join(sentence() for _ in range(rng.randint(1, 8))) for _ in range(paragraphs)]
    if heading_every:
        for at in range(0, paragraphs, heading_every):
            found[at] = f"{'#' * rng.randint(1, 3)} Heading {at}"
    return found


@pytest.mark.parametrize(("size", "overlap"), [(220, 32), (64, 10), (40, 19), (32, 0)])
@pytest.mark.parametrize("tokenizer", [MiniLmTokenizer(), Cl100kTokenizer()], ids=lambda one: one.name)
def test_chunks_of_prose_fit_by_the_real_tokenizers(
    tokenizer: MiniLmTokenizer | Cl100kTokenizer, size: int, overlap: int
) -> None:
    text = "\n\n".join(prose(1, 60, 9)) + "\n\nÄrger über 3,50 € – “quoted”, naïve; def f(x): return x**2\n" * 5
    reading = Reading(text, "text/plain", headings=headings_of(text))
    pieces = split(reading, size=size, overlap=overlap, offsets=tokenizer.count_offsets)
    assert_sound(reading, pieces, overlap)
    longest = max(tokenizer.count(piece.text) for piece in pieces)
    # A cut can turn ` word` (one byte pair) into `word` (two).
    assert longest <= size + (1 if tokenizer.name == "cl100k_base" else 0)
    assert longest > size // 2


def test_a_text_that_fits_is_one_piece() -> None:
    piece = Piece(0, "Only this.", 2, 12, None, None, (), "Only this.")
    assert cut("\n\nOnly this.\n ") == [piece]


def test_cuts_are_at_paragraphs_before_lines_before_sentences() -> None:
    paragraph = "One two three four. Five six seven eight."
    pieces = cut("\n\n".join([paragraph] * 4), size=16)
    assert {piece.text for piece in pieces} <= {paragraph, f"{paragraph}\n\n{paragraph}"}
    pieces = cut("\n".join([paragraph] * 4), size=8)
    assert [piece.text for piece in pieces] == [paragraph] * 4
    pieces = cut(" ".join([paragraph] * 3), size=5)
    assert {piece.text for piece in pieces} == {"One two three four.", "Five six seven eight."}


def test_a_heading_stays_with_what_follows_it() -> None:
    text = "\n\n".join(prose(3, 40, 5))
    for size in (40, 80, 220):
        reading = Reading(text, "text/plain", headings=headings_of(text))
        for piece in split(reading, size=size, overlap=0, offsets=word_offsets):
            assert not re.search(r"#+ Heading \d+$", piece.text), piece.text


def test_headings_above_go_to_the_model_and_not_into_the_text() -> None:
    body = "\n\n".join(prose(4, 12))
    text = f"# Book\n\n## First\n\n{body}\n\n## Second\n\n{body}\n\n# End\n\nShort."
    reading = Reading(text, "text/markdown", headings=headings_of(text))
    pieces = split(reading, size=100, overlap=0, offsets=word_offsets)
    for piece in pieces:
        above = [h for h in reading.headings if h.start <= piece.start]
        last = above[-1].title
        assert piece.headings[-1] == last
        assert piece.headings == {
            "Book": ("Book",), "First": ("Book", "First"), "Second": ("Book", "Second"), "End": ("End",)
        }[last]  # fmt: skip
        sent_above = [h.title for h in above if h.title in piece.headings and h.start < piece.start]
        expected = " › ".join(sent_above)
        assert piece.embed_text == (f"{expected}\n{piece.text}" if expected else piece.text)


def test_long_headings_are_sent_in_part() -> None:
    title = "x" * 500
    text = f"# {title}\n\n" + "\n\n".join(prose(5, 10))
    pieces = cut(text, 100, headings=(Heading(1, 0, len(title) + 2, title),))
    assert len(pieces) > 2
    assert all(len(piece.embed_text) <= len(piece.text) + 121 for piece in pieces)


def test_no_overlap_reaches_into_the_section_before() -> None:
    # A section too short to be a chunk of its own, and a long one behind it.
    for seed in range(40):
        rng = random.Random(seed)
        small = "\n\n".join(f"{word}." for word in ("alpha", "beta", "gamma")[: rng.randint(1, 3)])
        long = "\n\n".join(prose(seed, 12))
        text = f"# A\n\n{small}\n\n# B\n\n{' '.join(['short'] * rng.randint(1, 8))}.\n\n{long}"
        reading = Reading(text, "text/markdown", headings=headings_of(text))
        pieces = split(reading, size=60, overlap=25, offsets=word_offsets)
        assert_sound(reading, pieces, 25)
        assert all(piece.headings == ("B",) for piece in pieces if piece.start > text.index("# B"))


def test_the_overlap_is_whole_sentences_or_lines_within_its_limit() -> None:
    text = "\n\n".join(prose(6, 60))
    plain, pieces = cut(text, 60, 0), cut(text, 80, 20)
    starts = {match.end() for match in re.finditer(r"[.]\s+", text)} | {0}
    overlaps = 0
    for before, after in itertools.pairwise(pieces):
        assert after.start in starts
        repeated = text[after.start : before.end]
        assert len(repeated.split()) <= 20
        overlaps += bool(repeated)
    assert overlaps > len(pieces) // 2
    assert len(pieces) == len(plain)  # the size is of the chunk with its overlap


def test_pages_are_those_of_the_first_and_last_character() -> None:
    texts = ["\n\n".join(prose(seed, 3)) for seed in range(5)]
    pages, at = [], 0
    for number, text in enumerate(texts, 1):
        pages.append(Page(number, at, at + len(text) + 1))
        at += len(text) + 1
    reading = Reading("\n".join(texts), "application/pdf", pages=tuple(pages))
    pieces = split(reading, size=90, overlap=0, offsets=word_offsets)
    for piece in pieces:
        for position, found in ((piece.start, piece.page), (piece.end - 1, piece.page_end)):
            assert found == next(page.number for page in pages if page.start <= position < page.end)
    assert {piece.page for piece in pieces} == {1, 2, 3, 4, 5}
    assert cut("no pages")[0].page is None


def test_empty_sections_make_no_pieces() -> None:
    text = "# A\n\n# B\n\n## C\n\n# D\n\nBody of D.\n\n# E"
    reading = Reading(text, "text/markdown", headings=headings_of(text))
    assert_sound(reading, pieces := split(reading, size=4, overlap=0, offsets=word_offsets), 0)
    assert all(piece.text for piece in pieces)
    assert split(Reading(" \n\n\t ", "text/plain"), size=32, overlap=4, offsets=word_offsets) == []


def test_an_edit_changes_only_the_pieces_it_touches() -> None:
    paragraphs = prose(7, 300, 25)

    def texts(parts: Sequence[str]) -> set[str]:
        text = "\n\n".join(parts)
        reading = Reading(text, "text/markdown", headings=headings_of(text))
        return {piece.embed_text for piece in split(reading, size=220, overlap=32, offsets=word_offsets)}

    before = texts(paragraphs)
    assert len(before) > 60
    rng = random.Random(8)
    paid = []
    for number in range(60):
        edited = list(paragraphs)
        at = rng.choice([n for n, one in enumerate(paragraphs) if not one.startswith("#")])
        match number % 3:
            case 0:
                edited[at] = prose(1000 + number, 1)[0]
            case 1:
                edited.insert(at, prose(1000 + number, 1)[0])
            case 2:
                del edited[at]
        paid.append(len(texts(edited) - before))
    assert max(paid) <= 4
    assert sum(paid) / len(paid) <= 2.5


def test_equal_texts_under_one_heading_are_paid_for_once() -> None:
    block = "\n\n".join(prose(9, 30))
    once = {piece.embed_text for piece in cut(block, 60)}
    twice = {piece.embed_text for piece in cut(f"{block}\n\n{block}", 60)}
    assert len(twice - once) <= 3


@pytest.mark.parametrize(
    ("text", "at_least"),
    [
        ("x" * 5_000_000, 1000),
        ("the same line\n" * 50_000, 500),
        ("\n".join(f"line {number} of a long text" for number in range(50_000)), 1000),
        (". " * 200_000, 500),
        ("水。" * 200_000, 100),
        ("!" * 1_000_000 + " x", 100),
        (" " * 2_000_000 + "x", 1),
        ("x\n" + "\n " * 500_000 + "y", 1),
    ],
    ids=["one word", "equal lines", "lines", "dots", "cjk", "bangs", "spaces", "blank lines"],
)
def test_odd_texts_come_to_an_end(text: str, at_least: int) -> None:
    """Were the work to grow with the square of the length, it would not before the test is ended from outside."""
    pieces = cut(text, 220, 32)
    assert len(pieces) >= at_least
    assert max(len(piece.text) for piece in pieces) <= 220 * 12 + 11


def test_a_long_word_is_cut_and_nothing_of_it_lost() -> None:
    text = "before " + "x" * 100_000 + " after"
    pieces = cut(text, 220, 32)
    assert "".join(piece.text for piece in pieces).replace(" ", "") == text.replace(" ", "")


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_where_a_section_is_cut_does_not_depend_on_other_sections(seed: int) -> None:
    sections = [f"# S{number}\n\n" + "\n\n".join(prose(seed + number, 20)) for number in range(4)]

    def pieces_of(parts: Sequence[str]) -> set[str]:
        text = "\n\n".join(parts)
        reading = Reading(text, "text/markdown", headings=headings_of(text))
        return {piece.embed_text for piece in split(reading, size=120, overlap=20, offsets=word_offsets)}

    assert pieces_of(sections) == pieces_of(sections[:2]) | pieces_of(sections[2:])
