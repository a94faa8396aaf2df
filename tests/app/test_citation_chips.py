"""Each marker of an answer says how its own claim was checked."""

from __future__ import annotations

import re
from dataclasses import replace

from rag.citing.checking import cited
from rag.citing.claims.markers import as_streamed
from rag.home.cells import Cell
from tests.rag.citing.test_checking import ALL
from tests.rag.home.test_cells import ANSWER
from ui.notebook.cells import _chipped
from ui.untrusted import answer_html


def shown(text: str) -> list[tuple[str, str, str]]:
    answer = replace(ANSWER, text=text, passages=ALL, citations=cited(text, ALL))
    html = answer_html(*_chipped(Cell("c1", "2026-01-01", answer), answer))
    found = re.findall(r'class="cite ([\w-]+)" href="([^"]+)" target="_self" title="[^"]*">(\d+)</a>', html)
    return [(state, href, label) for state, href, label in found]


def test_a_chip_has_the_state_of_its_claim() -> None:
    assert shown("The sky is blue [1]. Pigs fly [1]. Green grass grows [1, 2].") == [
        ("verified", "#passage-c1-1", "1"),
        ("not-found", "#passage-c1-1", "1"),
        ("elsewhere", "#passage-c1-2", "1"),
        ("verified", "#passage-c1-2", "2"),
    ]


def test_other_brackets_stay_as_they_are() -> None:
    text = "The sky is blue 【1】. Take `a[1]` or [9].\n\n```\nb[2]\n```"
    answer = replace(ANSWER, text=text, passages=ALL, citations=cited(text, ALL))
    html = answer_html(*_chipped(Cell("c1", "2026-01-01", answer), answer))
    assert html.count("<a ") == 1
    assert all(part in html for part in ("<code>a[1]</code>", "[9]", "b[2]"))


def test_markers_of_every_notation_are_chips_while_the_answer_streams() -> None:
    html = answer_html(as_streamed("The sky is blue 【1】 and green [^2], `a[1]` too 【"))
    assert html.count('<span class="cite">') == 2
    assert "【" not in html
    assert "<code>a[1]</code>" in html
