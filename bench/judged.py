"""Collections with judged questions: documents cut into chunks as Ragbook cuts them, with the vectors of the embedded
model, made once for all contestants."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

CLASSIC = ("cranfield", "cisi", "cacm", "npl")
LANGUAGES = ("en", "de", "es", "ru", "zh", "ar", "th", "vi", "tr", "hi", "el", "ro")


@dataclass(frozen=True)
class Collection:
    """Chunks with the document each is of, questions, and judgements (question, document, relevance).

    `vectors` are float32 (chunks, 384), `asked` float32 (questions, 384), all L2-normalised."""

    name: str
    documents: list[tuple[str, str]]
    questions: list[tuple[str, str]]
    judged: list[tuple[str, str, int]]
    owners: list[str]
    chunks: list[str]
    vectors: npt.NDArray[np.float32]
    asked: npt.NDArray[np.float32]


def find(data: Path) -> tuple[list[tuple[str, Path]], list[str]]:
    """Names and folders of the collections below `data`, and sentences about those that are missing."""
    wanted = [(name, data / "ir" / name, "corpus.jsonl") for name in CLASSIC]
    wanted += [(f"xquad-{one}", data / "qa" / "xquad" / one, "questions.jsonl") for one in LANGUAGES]
    there = [(name, folder) for name, folder, file in wanted if (folder / file).is_file()]
    missing = [f"{name} is missing: there is no {folder / file}." for name, folder, file in wanted]
    return there, [one for one in missing if one.split(" ", 1)[0] not in dict(there)]


def read(name: str, folder: Path, kept: Path) -> Collection:
    """One collection. Its vectors are taken from the folder `kept`, or computed and kept there."""
    from rag.config import Config
    from rag.models.local import LocalEmbedding
    from rag.models.tokens import tokenizer_for
    from rag.reading.places import Reading
    from rag.reading.splitting import split

    documents, questions, judged = _passages(folder) if name.startswith("xquad-") else _classic(folder)
    config = Config()
    offsets = tokenizer_for(config).count_offsets
    owners, chunks = [], []
    for key, text in documents:
        if text:
            pieces = split(
                Reading(text, "text/plain"), size=config.chunk_size, overlap=config.chunk_overlap, offsets=offsets
            )
            owners += [key] * len(pieces)
            chunks += [piece.text for piece in pieces]
    texts = [*chunks, *(text for _, text in questions)]
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
    path = kept / f"{name}-{digest}.npy"
    if not path.is_file():
        kept.mkdir(parents=True, exist_ok=True)
        np.save(path, np.asarray(LocalEmbedding().load().embed(texts), dtype=np.float32))
    matrix = np.load(path)
    return Collection(name, documents, questions, judged, owners, chunks, matrix[: len(chunks)], matrix[len(chunks) :])


def questions_of(
    name: str, folder: Path
) -> tuple[list[tuple[str, str]], list[tuple[str, str]], list[tuple[str, str, int]], dict[str, str]]:
    """Documents, questions and judgements of one collection; and of which larger text a question is, where there is
    one."""
    if not name.startswith("xquad-"):
        return *_classic(folder), {}
    return *_passages(folder), {one["id"]: one["evidence_doc"] for one in _lines(folder / "questions.jsonl")}


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def _classic(folder: Path) -> tuple[list[tuple[str, str]], list[tuple[str, str]], list[tuple[str, str, int]]]:
    documents = [(one["id"], f"{one['title']}\n\n{one['text']}".strip()) for one in _lines(folder / "corpus.jsonl")]
    rows = [line.split("\t") for line in (folder / "qrels.tsv").read_text("utf-8").splitlines()[1:]]
    judged = [(question, document, int(relevance)) for question, document, relevance in rows]
    relevant = {question for question, _, relevance in judged if relevance > 0}
    questions = [(one["id"], one["text"]) for one in _lines(folder / "queries.jsonl") if one["id"] in relevant]
    return documents, questions, [one for one in judged if one[0] in relevant]


def _passages(folder: Path) -> tuple[list[tuple[str, str]], list[tuple[str, str]], list[tuple[str, str, int]]]:
    """Each paragraph is a document; the one that a question was written for is its relevant one."""
    asked = _lines(folder / "questions.jsonl")
    numbers = {text: str(number) for number, text in enumerate(dict.fromkeys(one["evidence_text"] for one in asked))}
    documents = [(number, text) for text, number in numbers.items()]
    judged = [(one["id"], numbers[one["evidence_text"]], 1) for one in asked]
    return documents, [(one["id"], one["question"]) for one in asked], judged
