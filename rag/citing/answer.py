"""What is found and what is answered: passages, citations into them, answers. Values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from rag.manifest import Receipt, VerdictName
from rag.sources.restriction import Restriction

State = Literal["verified", "elsewhere", "not found"]


@dataclass(frozen=True)
class Passage:
    """A chunk found for a question, in a language model's answer with those beside it. `n` is its rank, from 1.

    `start` and `end` are the character range (end exclusive) in the text of the source, `page` the page it begins on,
    None where the format has no pages. `score` is the fused score, 0 to 1; `dense` the cosine, None without a vector or
    where the model does not know the language; `lexical` the BM25 score, None where no word was found. `also_in` names
    other sources that hold the same text, or almost the same.

    With chunks beside it (`rag.asking.neighbours`), text, range, pages and heading are those of the whole; `chunk_id`,
    `n` and the scores are those of the best chunk found in it, and `joined` are the ids of the others found, whose
    ranks no passage has. White space between two chunks is not kept and stands as line breaks, as many characters as it
    has.
    """

    n: int
    chunk_id: str
    source_id: str
    source: str
    text: str
    score: float
    page: int | None = None
    page_end: int | None = None
    start: int | None = None
    end: int | None = None
    heading: str = ""
    dense: float | None = None
    lexical: float | None = None
    also_in: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()


@dataclass(frozen=True)
class Citation:
    """A claim of the answer tied to a place. `n` is the number of its passage.

    `quote` is the cited text, character by character as in the source (but for the white space where two chunks of a
    passage meet); `start` and `end` are its character range in the source, `page` the page it begins on, and `chunk_id`
    that of its passage. In state `not found` there is no such place: `quote` is the claim, the rest None.
    """

    n: int
    source: str
    quote: str
    state: State
    page: int | None = None
    start: int | None = None
    end: int | None = None
    chunk_id: str = ""


@dataclass(frozen=True)
class Found:
    """What a search came to: passages in order of score, from one snapshot. `notes` are sentences for the user."""

    passages: tuple[Passage, ...]
    snapshot: int
    verdict: VerdictName
    receipt: Receipt
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """An answer with its citations and where it came from.

    `kind`: `extractive` (sentences of the sources), `generated` (a language model's words), `nothing relevant`
    (searched, and no passage is close enough), `failed` (the language model failed: `text` says how; the passages are
    there all the same), `stopped` (by the user; what had come is kept).
    In `text`, `[n]` marks a citation of passage n. `only` is what the search was restricted to, `searched` what was
    searched for in place of a question that leans on the one above; empty where it is the question itself.
    """

    question: str
    text: str
    kind: Literal["extractive", "generated", "nothing relevant", "failed", "stopped"]
    citations: tuple[Citation, ...]
    passages: tuple[Passage, ...]
    snapshot: int
    verdict: VerdictName
    recipe_fp: str
    space: str
    model: str
    receipt: Receipt
    notes: tuple[str, ...] = ()
    asked: str = ""
    first_token_seconds: float | None = field(default=None)
    only: Restriction | None = None
    searched: str = ""
