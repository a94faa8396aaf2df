"""Passages in their context: what adjoins is joined, what is beside is added where there is room, and places hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rag.asking.answering import ask
from rag.asking.neighbours import LONGEST_GAP, WIDENED, Neighbours, gap, page_at, shown, text_of
from rag.asking.prompting import prompt
from rag.citing.answer import Passage
from rag.citing.checking import cited
from rag.errors import ContextTooLong
from rag.models.windows import token_counter
from rag.sources.restriction import Restriction
from rag.tables.chunk_rows import ChunkRow
from rag.text.sentences import sentences
from tests.doubles import CountingEmbedding, ScriptedLLM
from tests.notebooks import answered, file, local_settings, notebook, opened, paragraphs, settings
from tests.notebooks import text_of as pages_of
from tests.rag.reading.builders import pdf

SENTENCES = (
    "The mill was built in 1741.",
    "It ground rye for four villages.",
    "Its wheel broke in the flood of 1888.",
    "The owner sold it to a painter.",
    "Today it is a museum of tools.",
)
SOURCE = " ".join(SENTENCES)


def chunk(ordinal: int, *, repeats: int = 0, source: str = "mill", **fields) -> ChunkRow:
    """Sentence `ordinal` of SOURCE; its text begins `repeats` sentences earlier."""
    start = SOURCE.index(SENTENCES[max(0, ordinal - repeats)])
    end = SOURCE.index(SENTENCES[ordinal]) + len(SENTENCES[ordinal])
    row = ChunkRow(f"{source}{ordinal}", source, ordinal, SOURCE[start:end], start=start, end=end)
    return replace(row, **fields)


def passage(n: int, row: ChunkRow, **fields) -> Passage:
    one = Passage(n, row.id, row.source_id, f"{row.source_id}.txt", row.text, 1 / n)
    place = {"page": row.page, "page_end": row.page_end, "start": row.start, "end": row.end, "heading": row.heading}
    return replace(one, **(place | fields))


def cost(one: Passage) -> int:
    return len(one.text)


def in_context(found, rows, room=10_000, widen=9) -> list[Passage]:
    return Neighbours(rows).in_context(found, cost, room, widen=widen)


def squeezed(text: str) -> str:
    return " ".join(text.split())


def test_a_passage_in_the_middle_gets_the_chunks_before_and_after() -> None:
    rows = [chunk(at) for at in range(5)]
    (one,) = in_context([passage(1, rows[2])], rows)
    assert squeezed(one.text) == " ".join(SENTENCES[1:4])
    assert (one.start, one.end) == (rows[1].start, rows[3].end)
    assert squeezed(SOURCE[one.start : one.end]) == squeezed(one.text)
    assert len(one.text) == one.end - one.start, "each character stands where its range says"
    assert (one.n, one.chunk_id, one.score, one.joined) == (1, "mill2", 1.0, ())


@pytest.mark.parametrize(("at", "first", "last"), [(0, 0, 1), (4, 3, 4)])
def test_the_first_and_the_last_chunk_have_one_neighbour(at: int, first: int, last: int) -> None:
    rows = [chunk(number) for number in range(5)]
    (one,) = in_context([passage(1, rows[at])], rows)
    assert squeezed(one.text) == " ".join(SENTENCES[first : last + 1])
    assert (one.start, one.end) == (rows[first].start, rows[last].end)


def test_a_source_of_one_chunk_stays_as_it_is() -> None:
    found = [passage(1, chunk(0)), passage(2, chunk(0, source="other"))]
    assert in_context(found, [chunk(0), chunk(0, source="other")]) == found


def test_found_chunks_that_adjoin_become_one_passage_of_the_better_rank() -> None:
    rows = [chunk(at) for at in range(5)]
    other = chunk(0, source="other")
    found = [passage(1, other), passage(2, rows[2], also_in=("z.txt",)), passage(3, rows[4]), passage(4, rows[3])]
    one, two = in_context(found, [*rows, other], widen=0)
    assert one == found[0]
    assert squeezed(two.text) == " ".join(SENTENCES[2:5])
    assert (two.n, two.chunk_id, two.joined, two.also_in) == (2, "mill2", ("mill3", "mill4"), ("z.txt",))
    assert (two.score, two.start, two.end) == (found[1].score, rows[2].start, rows[4].end)


def test_repeated_characters_are_told_once() -> None:
    rows = [chunk(at, repeats=1) for at in range(5)]
    (one,) = in_context([passage(1, rows[1]), passage(2, rows[2])], rows)
    assert one.text == " ".join(SENTENCES[0:4]) == SOURCE[one.start : one.end]
    assert one.text.count(SENTENCES[1]) == 1


def test_a_chunk_is_in_one_passage_only_the_better_one() -> None:
    rows = [chunk(at) for at in range(5)]
    one, two = in_context([passage(1, rows[3]), passage(2, rows[1])], rows)
    assert squeezed(one.text) == " ".join(SENTENCES[2:5])
    assert squeezed(two.text) == " ".join(SENTENCES[0:2])


def test_a_chunk_before_comes_only_from_under_the_same_headings() -> None:
    rows = [chunk(0, heading="Past"), *(chunk(at, heading="Decline") for at in (1, 2)), chunk(3, heading="Today")]
    (one,) = in_context([passage(1, rows[1])], rows)
    assert (one.heading, one.start) == ("Decline", rows[1].start)
    (one,) = in_context([passage(1, rows[2])], rows)
    assert (one.heading, one.start, one.end) == ("Decline", rows[1].start, rows[3].end)


@pytest.mark.parametrize(
    "beside",
    [
        chunk(2, source="other"),
        chunk(2, start=None, end=None),
        chunk(2, text="Something shorter."),
        replace(chunk(2), ordinal=3),
        chunk(2, start=chunk(2).start + LONGEST_GAP, end=chunk(2).end + LONGEST_GAP),
        chunk(2, start=chunk(2).start - 5, end=chunk(2).end - 5),
    ],
    ids=["another source", "no place", "another length", "not the next", "far behind", "repeats something else"],
)
def test_what_does_not_go_on_in_the_source_is_not_joined(beside: ChunkRow) -> None:
    row = chunk(1)
    found = [passage(1, row), passage(2, beside)]
    assert in_context(found, [row, beside]) == found
    assert in_context(found[:1], [row, beside]) == found[:1]


def test_a_citation_across_the_border_of_two_chunks_is_verified_with_its_range() -> None:
    rows = [chunk(at) for at in range(5)]
    claim = "The mill was built in 1741, and it ground rye for four villages [1]."
    assert [one.state for one in cited(claim, [passage(1, rows[1])])] == ["not found"]
    (citation,) = cited(claim, in_context([passage(1, rows[1])], rows))
    assert citation.state == "verified"
    assert SOURCE[citation.start : citation.end] == " ".join(SENTENCES[:2]) == squeezed(citation.quote)


def test_room_is_given_to_the_better_passage_first() -> None:
    rows = [chunk(at) for at in range(5)] + [chunk(at, source="other") for at in range(3)]
    found = [passage(1, rows[6]), passage(2, rows[2])]
    for room in range(sum(map(cost, found)), 260):
        sent = in_context(found, rows, room)
        assert sum(map(cost, sent)) <= room
        assert [one.chunk_id for one in sent] == ["other1", "mill2"]
    plain = sum(map(cost, found))
    assert in_context(found, rows, plain) == found
    only_first = in_context(found, rows, plain + 1 + len(SENTENCES[0]))
    assert (only_first[0].start, only_first[1]) == (0, found[1])


def test_only_the_best_passages_are_widened() -> None:
    rows = [chunk(at, source=name) for name in ("mill", "barn", "ford") for at in range(5)]
    found = [passage(n, row) for n, row in enumerate((rows[7], rows[2], rows[12]), 1)]
    one, *others = in_context(found, rows, widen=1)
    assert (one.chunk_id, squeezed(one.text)) == ("barn2", " ".join(SENTENCES[1:4]))
    assert others == found[1:]
    assert in_context(found, rows, widen=0) == found
    sent = prompt("When was it built?", found, ScriptedLLM(), Neighbours(rows)).passages
    assert [len(one.text) > len(two.text) for one, two in zip(sent, found, strict=True)] == [
        n <= WIDENED for n in (1, 2, 3)
    ]


@pytest.mark.parametrize("window", range(480, 1000, 40))
def test_nothing_is_left_out_of_the_prompt_because_of_widening(window: int) -> None:
    rows = [chunk(at, source=name) for name in ("mill", "barn", "ford") for at in range(5)]
    found = [passage(n, row) for n, row in enumerate((rows[2], rows[7], rows[8], rows[12]), 1)]
    # Fences are random, and so are their tokens: no two prompts have exactly the same room.
    plain, _ = sent_to(window - 48, found, None)
    ids, text = sent_to(window, found, Neighbours(rows))
    assert plain <= ids
    if len(ids) < 4:
        assert SENTENCES[1] not in text, "no neighbours while passages are left out"
    if window > 900:
        assert SENTENCES[1] in text


def sent_to(window: int, found: list[Passage], near: Neighbours | None) -> tuple[set[str], str]:
    """Ids of the chunks sent, those that neighbours alone are not among them, and the prompt."""
    try:
        sent = prompt("When was the mill built?", found, ScriptedLLM(window=window), near)
    except ContextTooLong:
        return set(), ""
    count, _ = token_counter("scripted")
    assert sum(count(message.content) for message in sent.messages) + sent.answer_tokens <= window
    ids = {chunk_id for one in sent.passages for chunk_id in (one.chunk_id, *one.joined)}
    assert ("did not fit" in " ".join(sent.notes)) == (len(ids) < len(found))
    return ids, str(sent.messages[1].content)


def test_what_is_shown_is_what_was_sent_and_whole_where_less_was() -> None:
    rows = [chunk(at) for at in range(5)]
    found = [passage(1, rows[1]), passage(2, rows[2]), passage(3, rows[4])]
    one, two = in_context(found, rows)
    assert shown(found, [one, two]) == [one, two]
    assert shown(found, [one]) == [one, found[2]]
    assert shown(found[:1], [replace(found[0], text="The", end=3)]) == found[:1]


@pytest.mark.parametrize("length", [0, 1, 2, 5])
def test_a_gap_is_white_space_of_its_length(length: int) -> None:
    assert len(gap(length)) == length
    assert not gap(length).strip()


def test_pages_are_those_of_the_position() -> None:
    first = chunk(0, page=1, page_end=1)
    both = chunk(1, page=1, page_end=2, metadata={"pages": [[1, 0], [2, chunk(1).start + 10]]})
    third = chunk(2, page=3, page_end=3)
    rows = [first, both, third]
    places = [first.start, both.start, both.start + 9, both.start + 10, third.start, third.end]
    assert [page_at(rows, at) for at in places] == [1, 1, 1, 2, 3, None]


def test_text_of_chunks_is_that_of_the_range() -> None:
    rows = [chunk(at, repeats=1) for at in range(5)]
    for start, end in ((0, 5), (20, 60), (70, 71), (100, 1000)):
        assert text_of(rows, start, end) == SOURCE[start:end]


@pytest.mark.parametrize("overlap", [0, 16])
def test_the_prompt_and_the_answer_hold_the_neighbours_with_right_places(tmp_path, overlap: int) -> None:
    text = pages_of(9, 1)
    config = settings(tmp_path, chunk_overlap=overlap)
    notebook(config, CountingEmbedding()).add([file("a.txt", text)])
    middle = paragraphs(9, 1)[4]
    (one,) = answered(notebook(config, CountingEmbedding(), llm=ScriptedLLM("So [1].")), middle, 1).passages
    begin, *_, end = [one.text[slice(*place)] for place in sentences(one.text)]
    llm = ScriptedLLM(f"{end} [1] {begin} [1]")
    book = notebook(config, CountingEmbedding(), llm=llm)
    answer = answered(book, middle, 1)
    (one,) = answer.passages
    found = opened(book).search(middle, 1).passages[0]
    assert (one.chunk_id, one.score, one.dense) == (found.chunk_id, found.score, found.dense)
    assert one.start < found.start < found.end < one.end
    assert one.text in llm.prompts[0]
    assert [citation.state for citation in answer.citations] == ["verified", "verified"]
    for citation, quote in zip(answer.citations, (end, begin), strict=True):
        assert text[citation.start : citation.end] == citation.quote == quote
        assert not found.start <= citation.start < citation.end <= found.end


def test_neighbours_meet_the_restriction_of_the_search(tmp_path) -> None:
    first, second, third = paragraphs(3, 3)
    config = local_settings(tmp_path, chunk_size=64, chunk_overlap=0)
    notebook(config, CountingEmbedding()).add([file("three.pdf", pdf(first, second, third)), file("a.txt", second)])
    llm = ScriptedLLM("So [1].")
    book = notebook(config, CountingEmbedding(), llm=llm)
    *_, answer = ask(opened(book), second, only=Restriction(("three.pdf",), pages=(2, 3)))
    assert squeezed(answer.passages[0].text) == f"{second} {third}"
    assert [one.source for one in answer.passages] == ["three.pdf"]
    assert "tells of" in llm.prompts[0]
    assert first not in squeezed(llm.prompts[0])
    assert answer.only == Restriction(("three.pdf",), pages=(2, 3))
    assert "Searched only three.pdf, on pages 2 to 3." in answer.notes


def test_a_citation_in_the_second_chunk_has_its_own_page(tmp_path) -> None:
    first, second, third = paragraphs(3, 3)
    config = local_settings(tmp_path, chunk_size=64, chunk_overlap=0)
    notebook(config, CountingEmbedding()).add([file("three.pdf", pdf(first, second, third))])
    llm = ScriptedLLM(f"{first.split('. ')[0]} [1]. {second.split('. ')[0]} [1]. {third.split('. ')[0]} [1].")
    answer = answered(notebook(config, CountingEmbedding(), llm=llm), second, 1)
    (one,) = answer.passages
    assert (one.page, one.page_end) == (1, 3)
    assert [(citation.state, citation.page) for citation in answer.citations] == [
        ("verified", 1),
        ("verified", 2),
        ("verified", 3),
    ]
