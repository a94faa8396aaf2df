"""What is read as a marker, and what each stands for."""

from __future__ import annotations

import pytest

from rag.citing.claims.markers import as_streamed, claims, markers, statements

KNOWN = (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("So [1].", [(1,)]),
        ("So [1, 2].", [(1, 2)]),
        ("So [1; 3].", [(1, 3)]),
        ("So [1][2].", [(1,), (2,)]),
        ("So [2-4].", [(2, 3, 4)]),
        ("So [1]-[3].", [(1, 2, 3)]),
        ("So [1]–[3].", [(1, 2, 3)]),
        ("So [3-999].", [(3, 4)]),
        ("So 【1】.", [(1,)]),
        ("So 【2†L1-L9】.", [(2,)]),
        ("So ［3］.", [(3,)]),
        ("So [^1] and [^2].", [(1,), (2,)]),
        ("So [^1, ^2].", [(1, 2)]),
        ("So [passage 2].", [(2,)]),
        ("So [Source 1, Source 2].", [(1, 2)]),
        ("So [[1]].", [(1,)]),
        ("So [1, 9].", [(1,)]),
        ("天空是蓝的[1]。", [(1,)]),
        ("So[1].", [(1,)]),
        ("So [0] [5] [99] [2021] [-1] [1.5] [a] [] (1).", []),
        ("So `a[1]` and `b`[2].", [(2,)]),
        ("```\nx = a[1]\n```\nSo [2].", [(2,)]),
        ("~~~\na[1]\n```\nb[2]\n~~~\n[3]", [(3,)]),
        ("```\nnever closed [1]", []),
        ("So a[1] = 2 and b[2].c and d[3][x].", []),
        ("So [1](https://a.example).", []),
        ("So [1].\n\n[^1]: a book\n[2]: another", [(1,)]),
        ("A model that cites nothing.", []),
    ],
)
def test_markers(text: str, numbers: list[tuple[int, ...]]) -> None:
    found = markers(text, KNOWN)
    assert [one.numbers for one in found] == numbers
    assert all(text[one.start] in "[［【" and text[one.end - 1] in "]］】" for one in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sky is blue [1]. Grass [2].", [("Sky is blue.", (1,)), ("Grass.", (2,))]),
        ("Sky is blue. [1] Grass. [2]", [("Sky is blue.", (1,)), ("Grass.", (2,))]),
        ("[1] Sky is blue.\n[2] Grass.", [("Sky is blue.", (1,)), ("Grass.", (2,))]),
        ("Mr. Li of St. Gallen left [1].", [("Mr. Li of St. Gallen left.", (1,))]),
        ("- one thing [1]\n- two things [2]", [("one thing", (1,)), ("two things", (2,))]),
        (
            "The sky is blue [1], while grass is green [2].",
            [("The sky is blue", (1,)), (", while grass is green.", (2,))],
        ),
        ("天空是蓝的[1]。草是绿的。[2]", [("天空是蓝的。", (1,)), ("草是绿的。", (2,))]),
        ("No marker. One [3].", [("One.", (3,))]),
    ],
)
def test_a_claim_is_the_sentence_of_its_marker(text: str, expected: list[tuple[str, tuple[int, ...]]]) -> None:
    assert [(one.text, one.numbers) for one in claims(text, KNOWN)] == expected


@pytest.mark.parametrize(
    ("text", "silent"),
    [
        ("The sky is blue [1]. Grass is green.", ["Grass is green."]),
        ("Yes. The sky is blue [1].", []),
        ("# Colours of things\n\nThe colours are these:\n\n- sky is blue [1]\n- grass is green", ["- grass is green"]),
        ("Run this [1].\n\n```\nmake the sky blue. Then stop it.\n```\n", []),
        ("Mr. Li of St. Gallen left the town.", ["Mr. Li of St. Gallen left the town."]),
        ("天空是蓝的[1]。草在春天是绿色的。", ["草在春天是绿色的。"]),
        ("The passages say nothing of it.", ["The passages say nothing of it."]),
        ("| Colour of it | Thing that has it |\n|---|---|\n| blue | the sky [1] |", []),
        ("", []),
        ("...", []),
        ("The sky is blue [9].", ["The sky is blue [9]."]),
    ],
)
def test_what_states_something_and_names_no_passage(text: str, silent: list[str]) -> None:
    assert [words for words, said in statements(text, KNOWN) if not said] == silent


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("So 【1】.", "So [1]."),
        ("So 【2†L1-L9】.", "So [2]."),
        ("So [^1] and [^2].", "So [1] and [2]."),
        ("So [passage 2].", "So [2]."),
        ("So [1]–[3].", "So [1][2][3]."),
        ("So ［3］.", "So [3]."),
        ("So [1, 2].", "So [1][2]."),
        ("So `a[1]`.", "So `a[1]`."),
        ("So [1](https://a.example).", "So [1](https://a.example)."),
        ("So [1-99].", "So [1-99]."),
        ("So [see below", "So [see below"),
        ("So [a] or [", "So [a] or "),
    ],
)
def test_an_answer_under_way_has_its_markers_in_one_notation(text: str, shown: str) -> None:
    assert as_streamed(text) == shown


@pytest.mark.parametrize(
    "marker", ["[1]", "[1, 2]", "【1】", "【2†L1-L9】", "[^1]", "[passage 2]", "[Source 1, Source 2]", "[[1]]", "［3］"]
)
def test_a_marker_is_never_shown_in_half(marker: str) -> None:
    for end in range(1, len(marker)):
        shown = as_streamed("The sky is blue " + marker[:end])
        # Of `[[1]]` the inner one is complete before the outer brackets are.
        assert shown == "The sky is blue " or (marker == "[[1]]" and shown == "The sky is blue [[1]")


@pytest.mark.parametrize(
    "text", ["[", "[1", "【1", "[passage ", "[1] ", "[^1", "†", "[passpasspasspasspasspasspasspasspass! "]
)
def test_an_answer_under_way_takes_linear_time(text: str) -> None:
    assert as_streamed(text * (100_000 // len(text))) is not None
