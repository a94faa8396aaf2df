"""`quality`: what is found on collections with judged questions, and what a question costs.

All contestants have the same chunks and the same vectors of the embedded model; a document ranks as its best chunk.
BM25 alone has whole documents, which is how its published figures were made.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ir_measures
import numpy as np

from bench import hybrid
from bench.figures import Report
from bench.judged import Collection, find, read
from bench.meter import cpu
from rag.settings import LOCAL_MODEL

DEPTH = 100
"""Documents of a run that count."""

Hits = Sequence[tuple[str, float]]
"""Documents with their scores, best first."""
Ask = Callable[[int], Hits]
"""Answers the question of that number."""

GAINS = {"cranfield": 1.10, "cisi": 1.10}
"""How many times BM25's nDCG@10 is wanted; once elsewhere."""

_LONGEST = 1000
"""Characters that tell questions apart; Ragbook cuts very long ones."""

_STEMMERS = {
    "ar": "arabic",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "hi": "hindi",
    "ro": "romanian",
    "ru": "russian",
    "tr": "turkish",
}
_STOPS = ("en", "de", "es", "ru", "tr")
"""Lists that bm25s has."""


def measure(work: Path, extent: str, data: Path, kept: Path | None) -> Report:
    """Run every contestant over every collection below `data`; `quick` leaves the two large ones out."""
    report = Report(
        "quality",
        "nDCG@10, recall@10 and CPU ms per question, its vector not counted",
        ["collection", "chunks", "contestant", "nDCG@10", "R@10", "CPU ms"],
    )
    there, missing = find(data)
    for sentence in missing:
        print(sentence)
    if not there:
        raise SystemExit(f"There are no collections below {data}. Name their folder with --data.")
    for name, folder in there:
        if extent == "quick" and name in ("cacm", "npl"):
            continue
        collection = read(name, folder, kept or work / "vectors")
        figures: dict[str, tuple[float, float, float]] = {}
        for title, ask in _contestants(collection, work):
            figures[title] = _figures(collection, ask)
            quality, recall, spent = figures[title]
            size = f"{len(collection.chunks):,}"
            report.rows.append([name, size, title, f"{quality:.4f}", f"{recall:.4f}", f"{spent:.2f}"])
        report.raw[name] = figures
        print(f"  {name}: done", file=sys.stderr, flush=True)
        ours = figures["Ragbook"][0]
        others = {title: one[0] for title, one in figures.items() if title != "Ragbook"}
        goal = GAINS.get(name, 1.0)
        _reached(report, f"{name}: nDCG@10 over BM25", ours, others["BM25"], goal)
        best = max(others, key=lambda title: others[title])
        _reached(report, f"{name}: nDCG@10 over the best other, {best}", ours, others[best], 1.0)
    report.further.append(hybrid.measure(work, extent))
    return report


def _reached(report: Report, what: str, ours: float, theirs: float, least: float) -> None:
    report.reaches(what, round(ours / theirs, 3), f"times ({ours:.4f} / {theirs:.4f})", least=least)


def _figures(collection: Collection, ask: Ask) -> tuple[float, float, float]:
    """nDCG@10, recall@10, CPU milliseconds per question. The first question is asked twice and counted once."""
    ask(0)
    run, started = [], cpu()
    for number, (key, _) in enumerate(collection.questions):
        run += [ir_measures.ScoredDoc(key, document, score) for document, score in ask(number)]
    spent = (cpu() - started) / len(collection.questions) * 1000
    judged = [ir_measures.Qrel(*one) for one in collection.judged]
    found = ir_measures.calc_aggregate([ir_measures.nDCG @ 10, ir_measures.R @ 10], judged, run)
    return found[ir_measures.nDCG @ 10], found[ir_measures.R @ 10], spent


def _contestants(collection: Collection, work: Path) -> Iterator[tuple[str, Ask]]:
    language = collection.name.removeprefix("xquad-") if collection.name.startswith("xquad-") else "en"
    documents = [key for key, text in collection.documents if text]
    yield "BM25", _bm25([text for _, text in collection.documents if text], documents, collection, language, 0.9, 0.4)
    yield "dense alone", lambda number: _best(collection, collection.vectors @ collection.asked[number])
    words, whole = _ragbook(collection, work)
    yield "Ragbook, words alone", words
    yield "Ragbook", whole
    yield from _llama_index(collection)


def _bm25(texts: list[str], owners: list[str], collection: Collection, language: str, k1: float, b: float) -> Ask:
    import bm25s
    import Stemmer

    stemmer = Stemmer.Stemmer(_STEMMERS[language]) if language in _STEMMERS else None
    stops: Any = language if language in _STOPS else []

    def tokens(some: list[str]) -> list[list[str]]:
        made: list[list[str]] = bm25s.tokenize(
            some, stopwords=stops, stemmer=stemmer, return_ids=False, show_progress=False
        )
        return made

    index = bm25s.BM25(k1=k1, b=b)
    index.index(tokens(texts), show_progress=False)

    def ask(number: int) -> Hits:
        known = [word for word in tokens([collection.questions[number][1]])[0] if word in index.vocab_dict]
        scores = index.get_scores(known) if known else np.zeros(len(texts), dtype=np.float32)
        order = np.argsort(-scores, kind="stable")[: 3 * DEPTH]
        return _documents((owners[at], float(scores[at])) for at in order if scores[at] > 0)

    return ask


def _ragbook(collection: Collection, work: Path) -> tuple[Ask, Ask]:
    """Full text alone and everything, over a table written as builds write it."""
    from rag.asking.retrieval import Searcher
    from rag.building.chunking import GROUP
    from rag.tables.chunk_rows import ChunkRow
    from rag.tables.chunk_table import ChunkTable
    from rag.text.languages import detect_each

    table = ChunkTable.create(work / collection.name, "chunks", collection.vectors.shape[1], "bench")
    sources: dict[str, list[int]] = {}
    for number, owner in enumerate(collection.owners):
        sources.setdefault(owner, []).append(number)
    rows = []
    for owner, numbers in sources.items():
        languages = detect_each([collection.chunks[number] for number in numbers])
        rows += [
            ChunkRow(
                f"{number:06}",
                owner,
                ordinal,
                collection.chunks[number],
                vector=collection.vectors[number],
                language=language,
            )
            for ordinal, (number, language) in enumerate(zip(numbers, languages, strict=True))
        ]
    for at in range(0, len(rows), GROUP):
        group = rows[at : at + GROUP]
        table.upsert(group)
    table.rebuild_text_index()
    reader = table.reader()
    asked = {text: collection.asked[number] for number, (_, text) in enumerate(collection.questions)}
    searcher = Searcher(reader, _Given(asked), {}, 1)  # type: ignore[arg-type]

    def words(number: int) -> Hits:
        hits = reader.matching(collection.questions[number][1], 3 * DEPTH)
        owners = reader.source_ids()
        return _documents((owners[row], score) for row, score in hits)

    def whole(number: int) -> Hits:
        found = searcher.search(collection.questions[number][1], DEPTH)
        return _documents((one.source_id, one.score) for one in found.passages)

    return words, whole


class _Given:
    """Vectors of questions that are known already, of the embedded model."""

    space = SimpleNamespace(provider="local", model=LOCAL_MODEL)
    canary_texts = 0

    def __init__(self, vectors: dict[str, Any]) -> None:
        self._vectors = {" ".join(text.split())[:_LONGEST]: vector for text, vector in vectors.items()}

    def vector(self, text: str) -> tuple[Any, str]:
        return self._vectors[text[:_LONGEST]], ""

    def usage(self) -> Any:
        from rag.models.embedder import Usage

        return Usage()


def _llama_index(collection: Collection) -> Iterator[tuple[str, Ask]]:
    """Stock llama-index over the same chunks and vectors: its vector index; and its fusion of that with BM25, whose
    retriever is bm25s as `llama-index-retrievers-bm25` sets it up (that package wants an older Snowball than ours)."""
    from llama_index.core import QueryBundle, VectorStoreIndex
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.embeddings import MockEmbedding
    from llama_index.core.llms import MockLLM
    from llama_index.core.retrievers import QueryFusionRetriever
    from llama_index.core.schema import NodeWithScore, TextNode

    nodes = [
        TextNode(id_=f"{number:06}", text=text, metadata={"document": owner}, embedding=vector.tolist())
        for number, (text, owner, vector) in enumerate(
            zip(collection.chunks, collection.owners, collection.vectors, strict=True)
        )
    ]
    vectors = {text: collection.asked[number].tolist() for number, (_, text) in enumerate(collection.questions)}

    class Given(MockEmbedding):
        def _get_query_embedding(self, query: str) -> list[float]:
            return list(vectors[query])

    model = Given(embed_dim=collection.vectors.shape[1])
    dense = VectorStoreIndex(nodes, embed_model=model).as_retriever(similarity_top_k=DEPTH)

    def documents(found: list[NodeWithScore]) -> Hits:
        return _documents((one.node.metadata["document"], one.score or 0.0) for one in found)

    yield "llama-index", lambda number: documents(dense.retrieve(collection.questions[number][1]))
    by_words = _bm25(collection.chunks, [f"{n:06}" for n in range(len(nodes))], collection, "en", 1.5, 0.75)
    numbers = {text: number for number, (_, text) in enumerate(collection.questions)}

    class Words(BaseRetriever):
        def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
            hits = by_words(numbers[query_bundle.query_str])[:DEPTH]
            return [NodeWithScore(node=nodes[int(name)], score=score) for name, score in hits]

    fusion = QueryFusionRetriever(
        [dense, Words()],
        llm=MockLLM(),
        num_queries=1,
        use_async=False,
        similarity_top_k=DEPTH,
        mode="reciprocal_rerank",  # type: ignore[arg-type]
    )
    yield "llama-index, fused with BM25", lambda number: documents(fusion.retrieve(collection.questions[number][1]))


def _best(collection: Collection, scores: Any) -> Hits:
    order = np.argsort(-scores, kind="stable")[: 3 * DEPTH]
    return _documents((collection.owners[at], float(scores[at])) for at in order)


def _documents(hits: Iterator[tuple[str, float]]) -> Hits:
    """Each document once, with the score of its best chunk."""
    best: dict[str, float] = {}
    for document, score in hits:
        best.setdefault(document, score)
        if len(best) == DEPTH:
            break
    return list(best.items())
