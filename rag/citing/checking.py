"""Passages, the citations that point into them, and the check that they do."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.citing.answer import Answer, Citation, Passage, State
from rag.citing.claims.alignment import align
from rag.citing.claims.attempt import Aligned
from rag.citing.claims.lead_ins import without_lead_in
from rag.citing.claims.markers import Claim, Marker, claims, sentence_claims, statements
from rag.citing.claims.terms import terms

_ENDS = frozenset(".!?…。！？\n")
_FENCE = re.compile(r"^[ ]{0,3}(?:```|~~~)", re.MULTILINE)
_CODE_IN_LINE = re.compile(r"`[^`\n]{1,500}`")


def cited(text: str, passages: Sequence[Passage]) -> tuple[Citation, ...]:
    """The citations in an answer, in order: each marker tied to the place that its claim rests on.

    A citation is *verified* when the words, numbers, names and negations of its claim are in one place of the passage
    it names, *elsewhere* when they are in another passage, and *not found* when no passage supports it. `quote` is that
    place, from the first to the last aligned word. Numbers of passages that do not exist are left out, and so are lines
    that only name a source. `rag.citing.claims` says what a marker is (`markers`), and what must be in
    the place (`alignment`).
    """
    checker = CitationStream(passages)
    checker.feed(text)
    return checker.finish()


def marked(answer: Answer) -> list[tuple[Marker, tuple[Citation, ...]]]:
    """The markers in the text of an answer, each with its citations. Empty for an answer whose citations are not those
    of its markers one by one, such as one kept by an earlier version."""
    known = {passage.n: passage for passage in answer.passages}
    left = list(reversed(answer.citations))
    found: list[tuple[Marker, tuple[Citation, ...]]] = []
    for claim in claims(answer.text, known):
        own: dict[int, Citation] = {}
        for number in claim.numbers:
            if _names_its_source(claim.text, known[number]):
                continue
            if not left or left[-1].n != number:
                return []
            own[number] = left.pop()
        found += [(one, tuple(own[number] for number in one.numbers if number in own)) for one in claim.markers]
    return [] if left else found


def unchecked(text: str, passages: Sequence[Passage]) -> int:
    """How many sentences of an answer name none of its passages, so that nothing was checked for them. Headings, code,
    lead-ins that end in a colon and sentences of one or two words do not count."""
    known = {passage.n: passage for passage in passages}
    return sum(not said for _, said in statements(text, known))


class CitationStream:
    """Checks an answer while it is being written: a sentence is checked once what follows it cannot change it.

    However the text is cut into pieces, the citations are those of `cited` on the whole.
    """

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = tuple(passages)
        self._known = {passage.n: passage for passage in passages}
        self._pending = ""
        self._mid_line = False
        self._tried = 0
        self._found: list[Citation] = []

    @property
    def citations(self) -> tuple[Citation, ...]:
        """What is settled so far."""
        return tuple(self._found)

    def feed(self, piece: str) -> None:
        """Take the next piece of the answer."""
        self._pending += piece
        # A text without any end of a sentence must not be searched anew for every piece of it.
        if self._known and any(char in _ENDS for char in piece) and len(self._pending) > self._tried * 9 // 8:
            self._settle()

    def finish(self) -> tuple[Citation, ...]:
        """All citations, once the answer is complete."""
        for claim in claims(self._pending, self._known, mid_line=self._mid_line):
            self._check(claim)
        self._pending, self._tried = "", 0
        return self.citations

    def _settle(self) -> None:
        held = _open_code(self._pending)
        found = [one for one in sentence_claims(self._pending, self._known, mid_line=self._mid_line) if one[1] <= held]
        done = 0
        for _, end, said in found[:-2]:
            for claim in said:
                self._check(claim)
            done = end
        if done:
            self._mid_line = self._pending[done - 1] != "\n"
            self._pending = self._pending[done:]
        self._tried = len(self._pending)

    def _check(self, claim: Claim) -> None:
        for number in claim.numbers:
            passage = self._known[number]
            if not _names_its_source(claim.text, passage):
                self._found.append(_located(claim.text, passage, self._passages))


def _open_code(text: str) -> int:
    """Where code begins that may still go on: nothing behind it is settled."""
    line = text.rfind("\n") + 1
    at = line + len(_CODE_IN_LINE.sub(lambda code: "x" * len(code[0]), text[line:]).split("`")[0])
    fences = [match.start() for match in _FENCE.finditer(text)]
    return min([at, *fences[-1:]])


def _names_its_source(claim: str, passage: Passage) -> bool:
    """Whether a claim is a line of a list of sources, such as `[1] report.pdf, page 3`."""
    said = {key for term in terms(claim) if term.kind != "light" for key in term.keys[:1]}
    place = f"{passage.source} {passage.heading} page pages p Seite S. pp {passage.page or ''} {passage.page_end or ''}"
    return bool(said) and said <= {key for term in terms(place) for key in term.keys}


def _located(claim: str, passage: Passage, passages: Sequence[Passage]) -> Citation:
    said = without_lead_in(claim)
    if place := align(said, passage.text):
        return _citation(passage, place, "verified", passage.n)
    for other in passages:
        if other.n != passage.n and (place := align(said, other.text)):
            return _citation(other, place, "elsewhere", passage.n)
    return Citation(passage.n, passage.source, claim, "not found")


def _citation(passage: Passage, place: Aligned, state: State, n: int) -> Citation:
    begin = passage.start
    return Citation(
        n=n,
        source=passage.source,
        quote=passage.text[place.start : place.end],
        state=state,
        page=passage.page,
        start=None if begin is None else begin + place.start,
        end=None if begin is None else begin + place.end,
        chunk_id=passage.chunk_id,
    )
