"""Notebooks for tests: a home in a folder, doubles for models, small documents, second processes."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding

from rag.asking.answering import ask
from rag.asking.opening import Opened
from rag.citing.answer import Answer, Found
from rag.config import Config
from rag.notebook import Notebook, open_snapshot
from rag.sources.incoming import Incoming
from tests.doubles import CountingEmbedding, RaisingEmbedding, embedder_of
from tests.waiting import CEILING

ROOT = Path(__file__).resolve().parents[1]
CANARY = 8
"""Texts that one check of a model costs."""

_WORDS = (  # noqa: SIM905 - a list of sixty quoted words is unreadable
    "river stone bridge harbour lantern garden winter copper engine market window station railway letter music "
    "mountain valley forest ladder kitchen silver pepper orange castle planet pencil ticket camera butter candle "
    "cotton dragon feather glacier hammer island jungle kettle lemon marble needle ocean parrot quarry ribbon saddle "
    "tunnel violin walnut yellow anchor basket cherry desert eagle falcon ginger helmet ivory jacket"
).split()


def settings(home: Path, **changes: Any) -> Config:
    """Settings under which a double stands for a model on a server: chunks of at most 48 tokens, none repeated."""
    fields: dict[str, Any] = {
        "home": str(home),
        "embedder": "openai-compatible",
        "embed_model": "counting",
        "embed_base_url": "http://127.0.0.1:9/v1",
        "chunk_size": 48,
        "chunk_overlap": 0,
    }
    return Config(**(fields | changes))


def local_settings(home: Path, **changes: Any) -> Config:
    """Settings of the embedded model."""
    return Config(home=str(home), **changes)


def notebook(
    home: Path | Config,
    model: BaseEmbedding | None = None,
    *,
    slug: str = "main",
    llm: Any = None,
    **embedder: Any,
) -> Notebook:
    """A notebook whose embedding model is `model`, RaisingEmbedding where None, and whose language model is `llm`."""
    config = home if isinstance(home, Config) else settings(home)
    made = embedder_of(model if model is not None else RaisingEmbedding(model_name="raising"), **embedder)
    return Notebook(config, slug, make_embedder=lambda _: made, make_llm=lambda _: llm)


def file(name: str, text: str | bytes) -> Incoming:
    """An upload."""
    return Incoming(name, content=text if isinstance(text, bytes) else text.encode())


def lying(path: Path, text: str | bytes) -> Incoming:
    """A file on the disk, written now."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Incoming(path.name, path)


def paragraphs(count: int, seed: int = 0) -> list[str]:
    """Paragraphs of two sentences, each about as long as a chunk of `settings`, no two alike."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        first, second = (" ".join(chance.sample(_WORDS, 14)) for _ in range(2))
        made.append(f"Entry {seed}-{number} tells of {first}. It goes on to {second}.")
    return made


def text_of(count: int, seed: int = 0) -> str:
    """A text of so many paragraphs."""
    return "\n\n".join(paragraphs(count, seed)) + "\n"


def opened(book: Notebook) -> Opened:
    """The newest snapshot, open."""
    return open_snapshot(book)


def answered(book: Notebook, question: str, k: int = 8, *, cancelled: Callable[[], bool] = lambda: False) -> Answer:
    """The answer of the newest snapshot."""
    *pieces, answer = ask(open_snapshot(book), question, k, cancelled=cancelled)
    assert isinstance(answer, Answer)
    assert all(isinstance(piece, str) for piece in pieces)
    return answer


def hits(found: Found) -> list[list[Any]]:
    """Everything a search found, as JSON that keeps every digit."""
    return [
        [one.chunk_id, one.source, one.text, one.score, one.dense, one.lexical, one.start, one.end, list(one.also_in)]
        for one in found.passages
    ]


def names(found: Found) -> set[str]:
    """The sources of what was found."""
    return {one.source for one in found.passages} | {name for one in found.passages for name in one.also_in}


def total_chunks(model: CountingEmbedding) -> int:
    """Texts embedded for chunks so far: without those that only checked the model."""
    from rag.spaces.canary import CANARY_TEXTS

    return sum(1 for text in model.seen if text not in CANARY_TEXTS) - model.queries


def python(script: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    """Start a second process that runs `script` with `arguments` in `sys.argv[1:]`; warnings are errors there too."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script), *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def said(child: subprocess.Popen[str]) -> Any:
    """What a second process printed, as JSON."""
    out, err = child.communicate(timeout=CEILING)
    assert child.returncode == 0, err
    return json.loads(out)
