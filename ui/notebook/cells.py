"""One question with its answer: citation chips, passage cards, and the line that says what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from rag.citing.answer import Answer, Citation, Passage
from rag.citing.checking import marked
from ui import session, wording
from ui.frame import Page, boundary
from ui.notebook.drawer import cited_ranges, place, source_drawer
from ui.notebook.inspector import inspect_button
from ui.untrusted import Chip, answer_html, escaped, excerpt
from ui.widgets import badge_html, note

if TYPE_CHECKING:
    from rag import Cell
    from rag.sources.restriction import Restriction

OPEN = 5
"""That many of the newest cells are unfolded at first: folded ones cost next to nothing to draw."""

_KINDS = {
    "extractive": "Sentences of the sources, word for word: no language model is set.",
    "nothing relevant": "Searched, and no passage is close enough to the question.",
    "failed": "The language model failed. The passages below were found all the same.",
    "stopped": "Stopped by you. What had come until then is kept.",
}


def draw_cells(page: Page, cells: list[Cell]) -> None:
    """All cells, oldest first; the newest are open."""
    for number, cell in enumerate(cells, 1):
        st.session_state.setdefault(f"open_{cell.id}", number > len(cells) - OPEN)
        st.fragment(_cell, key=f"cell_{cell.id}")(page, number, cell)


def question_html(number: int, question: str) -> str:
    """The heading of a cell."""
    return f'<h2 class="question"><span class="n">{number}</span>{escaped(question)}</h2>'


@dataclass(frozen=True)
class Asked:
    """A question on its way, of what was chosen to search in when it was asked; the cell `replaces` goes once the new
    answer is kept."""

    question: str
    only: Restriction | None = None
    replaces: str | None = None


def request(asked: Asked) -> None:
    """Ask a question on the next run of the page."""
    st.session_state["asked"] = asked


def _again(cell: Cell) -> None:
    """Ask the question of a cell again, of what it was asked of, whatever the dialog says now."""
    request(Asked(cell.answer.question, cell.answer.only, cell.id))


def _cell(page: Page, number: int, cell: Cell) -> None:
    answer = cell.answer
    with boundary(f"cell_{cell.id}"), st.container(border=True, key=f"card_cell_{cell.id}", gap="small"):
        if _head(page, number, cell):
            _body(page, cell, answer)


def _head(page: Page, number: int, cell: Cell) -> bool:
    key = f"open_{cell.id}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", wrap=False):
        st.html(question_html(number, cell.answer.question), width="stretch")
        with st.container(horizontal=True, gap="xxsmall", width="content", wrap=False):
            if st.button(
                "",
                key=f"again_{cell.id}",
                icon=":material/replay:",
                type="tertiary",
                help="Ask again on the current index",
            ):
                _again(cell)
                st.rerun()
            if st.button("", key=f"drop_{cell.id}", icon=":material/delete:", type="tertiary", help="Delete this cell"):
                page.notebook.drop_cell(cell.id)
                st.session_state["dropped"] = cell
                st.rerun()
            is_open = bool(st.session_state[key])
            icon = "expand_less" if is_open else "expand_more"
            if st.button(
                "",
                key=f"fold_{cell.id}",
                icon=f":material/{icon}:",
                type="tertiary",
                help="Fold" if is_open else "Unfold",
            ):
                st.session_state[key] = not is_open
                st.rerun(scope="fragment")
    return is_open


def _body(page: Page, cell: Cell, answer: Answer) -> None:
    if answer.text.strip():
        st.html(answer_html(*_chipped(cell, answer)))
    for line in _remarks(answer):
        st.html(f'<p class="small">{line}</p>')
    current = page.status.verdict.snapshot
    if current is not None and answer.snapshot != current:
        html = f"Answered on snapshot {answer.snapshot}. The current index is snapshot {current}."
        with note(html, "orange", f"older_{cell.id}"):
            if st.button("Ask again", key=f"refresh_{cell.id}", icon=":material/replay:"):
                _again(cell)
                st.rerun()
    _passages(page, cell, answer)
    inspect_button(page.notebook, cell)
    st.html(f'<p class="small" data-hook="receipt">{footer_html(page, answer)}</p>')


def _passages(page: Page, cell: Cell, answer: Answer) -> None:
    cited = {citation.n for citation in answer.citations if citation.state != "not found"}
    first = [passage for passage in answer.passages if passage.n in cited]
    if not first and answer.kind in ("failed", "stopped"):
        first = list(answer.passages[:2])
    rest = [passage for passage in answer.passages if passage not in first]
    if first:
        _grid(page, cell, answer, first)
    if rest:
        label = f"{wording.count(len(rest), 'more passage')} found" if first else "Nearest passages"
        more = st.expander(label, key=f"more_{cell.id}", type="compact", on_change="rerun")
        if more.open:
            with more:
                _grid(page, cell, answer, rest)


def _grid(page: Page, cell: Cell, answer: Answer, passages: list[Passage]) -> None:
    with st.grid(2, min_column_width=300, gap="small"):
        for passage in passages:
            with st.container(border=True, key=f"card_passage_{cell.id}_{passage.n}", gap="xsmall", height="stretch"):
                _passage(page, cell, answer, passage)


def _passage(page: Page, cell: Cell, answer: Answer, passage: Passage) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", wrap=False):
        st.html(
            f'<p class="psg-head" id="{_anchor(cell, passage.n)}"><span class="cite">{passage.n}</span> '
            f'<b>{escaped(passage.source)}</b><span class="place">{escaped(place(passage))}</span></p>',
            width="stretch",
        )
        if st.button(
            "Open",
            key=f"source_{cell.id}_{passage.n}",
            type="tertiary",
            icon=":material/open_in_full:",
            help="Show it in its source",
        ):
            source_drawer(page.notebook, answer, passage)
    st.html(f'<blockquote class="psg">{excerpt(passage.text, cited_ranges(answer, passage))}</blockquote>')


def _chipped(cell: Cell, answer: Answer) -> tuple[str, dict[int, Chip]]:
    """The text of an answer with a number of its own for each marker, and the chip of each: one claim may be verified
    and the next one of the same passage not."""
    found = marked(answer)
    free = (n for n in range(500, 1000) if str(n) not in answer.text)
    chips: dict[int, Chip] = {}
    parts, at = [], 0
    for marker, citations in found:
        parts.append(answer.text[at : marker.start])
        at = marker.end
        for number in marker.numbers:
            own = next((one for one in citations if one.n == number), None)
            n = next(free, None)
            if n is None:
                return answer.text, _chips(cell, answer)
            chips[n] = _chip(cell, answer, number, own)
            parts.append(f"[{n}]")
    if not found:
        return answer.text, _chips(cell, answer)
    return "".join([*parts, answer.text[at:]]), chips


def _chip(cell: Cell, answer: Answer, number: int, citation: Citation | None) -> Chip:
    passage = next(one for one in answer.passages if one.n == number)
    title, target = " · ".join(part for part in (passage.source, place(passage)) if part), passage
    if citation is None:
        return Chip(f"#{_anchor(cell, number)}", title, label=str(number))
    if citation.state == "not found":
        title = f"Not found in the sources. Named: {title}"
    elif citation.state == "elsewhere":
        target = next((one for one in answer.passages if one.chunk_id == citation.chunk_id), passage)
        title = f"Found in passage {target.n}, {target.source}: “{citation.quote[:200]}”"
    else:
        title = f"{title} · “{citation.quote[:200]}”"
    return Chip(f"#{_anchor(cell, target.n)}", title, citation.state, str(number))


def _chips(cell: Cell, answer: Answer) -> dict[int, Chip]:
    """What `[n]` points to: the passage card below, with the quote as tooltip."""
    chips: dict[int, Chip] = {}
    for passage in answer.passages:
        citations = [citation for citation in answer.citations if citation.n == passage.n]
        title = " · ".join(part for part in (passage.source, place(passage), _quote(citations)) if part)
        chips[passage.n] = Chip(f"#{_anchor(cell, passage.n)}", title, _state(citations))
    return chips


def _state(citations: list[Citation]) -> str:
    states = {citation.state for citation in citations}
    return next((state for state in ("verified", "elsewhere", "not found") if state in states), "verified")


def _quote(citations: list[Citation]) -> str:
    quotes = [citation.quote for citation in citations if citation.state == "verified"]
    return f"“{quotes[0][:200]}”" if quotes else ""


def _anchor(cell: Cell, n: int) -> str:
    return f"passage-{escaped(cell.id)}-{n}"


def _remarks(answer: Answer) -> Iterator[str]:
    if answer.kind in _KINDS:
        tone = ' class="bad"' if answer.kind == "failed" else ""
        yield f'<span data-kind="{escaped(answer.kind)}"{tone}>{escaped(_KINDS[answer.kind])}</span>'
    missing = sum(citation.state == "not found" for citation in answer.citations)
    if missing:
        words = f"{wording.count(missing, 'claim')} of this answer could not be found in the sources."
        yield f'<span class="bad">{words}</span>'
    moved = sum(citation.state == "elsewhere" for citation in answer.citations)
    if moved:
        yield f"{wording.count(moved, 'claim')} found in another passage than the one it names."
    yield from (escaped(line) for line in answer.notes)


def footer_html(page: Page, answer: Answer) -> str:
    """What an answer was given on and what it cost: one line."""
    load = session.load_of(page.notebook, answer.snapshot)
    paid = answer.receipt
    parts = [
        f"loaded in {wording.duration(load[1])}" if load else "",
        "<b>0</b> embedding calls to open",
        f"{wording.number(paid.calls)} {'call' if paid.calls == 1 else 'calls'} for the question",
        f"first word after {wording.duration(answer.first_token_seconds)}" if answer.first_token_seconds else "",
        wording.count(paid.tokens, "token") if paid.tokens else "",
        wording.money(paid.cost_usd),
        escaped(answer.model) if answer.model != "none" else "",
        wording.moment(answer.asked, session.zone()) if answer.asked else "",
    ]
    return f"{badge_html(answer.verdict, f'snapshot {answer.snapshot}')} {' · '.join(part for part in parts if part)}"
