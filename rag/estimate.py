"""What a build would pay for, before anything is paid: texts, tokens and cost, right to the token afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rag import planner
from rag.chunking import read_all
from rag.config import Config
from rag.errors import BadKey, ReadError
from rag.fingerprint import vector_key
from rag.ground import find_ground
from rag.names import safe_name
from rag.originals import measured
from rag.outcome import SourceCounts, count
from rag.paying import MakeEmbedder
from rag.place import Place
from rag.planner import Given, SourceRow
from rag.results import Read, source_counts, standing
from rag.snapshots import now
from rag.spaces import CANARY_TEXTS, Space, draft
from rag.vectors import VectorCache

if TYPE_CHECKING:
    from rag.notebook import Incoming


@dataclass(frozen=True)
class Estimate:
    """What a build would come to. `texts` have no vector yet; `canary_texts` would be embedded to see that the model is
    the one it says; `tokens` and `cost_usd` (None: price unknown) are of both together."""

    sources: SourceCounts
    chunks: int
    texts: int
    reused: int
    canary_texts: int
    tokens: int
    cost_usd: float | None
    failures: tuple[tuple[str, str], ...]

    @property
    def sentence(self) -> str:
        """The estimate in words."""
        if not self.texts:
            return f"Nothing would be paid for: {count(self.chunks, 'chunk')}, all with a vector already."
        cost = "at an unknown price" if self.cost_usd is None else f"about ${self.cost_usd:,.6f}"
        if self.cost_usd == 0.0:
            cost = "free of charge"
        return (
            f"{count(self.texts, 'text')} would be embedded ({self.tokens:,} tokens, {cost}); "
            f"{count(self.reused, 'chunk')} would be reused."
        )


def estimate(place: Place, config: Config, make_embedder: MakeEmbedder, incoming: Sequence[Incoming] = ()) -> Estimate:
    """What building would pay for if these files were added too. Keeps nothing, registers nothing, calls nothing."""
    ground = find_ground(place)
    with ExitStack() as stack:
        given, paths, refused = _given(incoming, stack)
        rows = place.registry.rows(ground.registry_version)
        wanted = planner.register(rows, given, when=now()).rows
        space = place.spaces.wanted(config)
        base = ground.base(config, space)
        built = base.rows if base else []
        wanted = tuple(standing(wanted, built))
        todo = planner.plan(wanted, built)

        def path_of(row: SourceRow) -> Path:
            path = paths.get(row.digest) or place.originals.path(row.digest)
            if not path.is_file():
                raise ReadError("The original is missing from the home. Add the file again.")
            return path

        reads = list(read_all(todo.read, path_of, config))
    kept = sum(row.chunks for row in todo.keep) + sum(old.chunks for old, _ in todo.renamed)
    chunks = kept + sum(len(read.pieces) for read in reads)
    missing = _missing(place, space, reads)
    canary = len(CANARY_TEXTS) if _checked(space, config, bool(missing)) else 0
    tokens, cost = _price(config, make_embedder, [*missing, *(CANARY_TEXTS if canary else ())])
    failures = [*refused, *((read.row.name, read.failure) for read in reads if read.failure)]
    return Estimate(
        sources=replace(source_counts(list(wanted), todo, reads), failed=len(failures)),
        chunks=chunks,
        texts=len(missing),
        reused=chunks - len(missing),
        canary_texts=canary,
        tokens=tokens,
        cost_usd=cost,
        failures=tuple(failures),
    )


def _given(
    incoming: Sequence[Incoming], stack: ExitStack
) -> tuple[list[Given], dict[str, Path], list[tuple[str, str]]]:
    """The files as the registry would see them, where their bytes lie, and those that cannot be looked at."""
    given: list[Given] = []
    paths: dict[str, Path] = {}
    refused: list[tuple[str, str]] = []
    folder: Path | None = None
    for one in incoming:
        name = safe_name(one.name)
        path = one.path
        if path is None:
            folder = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ragbook-")))
            path = folder / str(len(paths))
            path.write_bytes(one.content or b"")
        try:
            digest, size = measured(path)
        except ReadError as error:
            refused.append((name, str(error)))
            continue
        except OSError as error:
            refused.append((name, f"It cannot be opened: {error.strerror or error}."))
            continue
        paths[digest] = path
        origin = str(one.path.absolute()) if one.path is not None and not one.uploaded else ""
        given.append(Given(name, digest, size, origin))
    return given, paths, refused


def _missing(place: Place, space: Space | None, reads: Iterable[Read]) -> list[str]:
    """Texts without a vector, each once."""
    texts = dict.fromkeys(piece.embed_text for read in reads for piece in read.pieces)
    if space is None:
        return list(texts)
    folder = place.objects.root / place.spaces.folder(space.fingerprint)
    keys = {vector_key(space.fingerprint, "text", text): text for text in texts}
    had = VectorCache(folder, space.dimensions).having(keys) if keys and folder.exists() else set()
    return [text for key, text in keys.items() if key not in had]


def _checked(space: Space | None, config: Config, paying: bool) -> bool:
    """Whether the canary would be embedded: for a space not met before, and whenever a model is called whose weights
    are not known by digest."""
    return paying and (space is None or not draft(config)["revision"])


def _price(config: Config, make_embedder: MakeEmbedder, texts: Sequence[str]) -> tuple[int, float | None]:
    if not texts:
        return 0, 0.0
    try:
        embedder = make_embedder(config)
    except BadKey:
        # Counting needs no key, only the call does.
        from rag.embedding.prices import embedding_price
        from rag.embedding.tokens import count_openai

        tokens = sum(count_openai(texts))
        price = embedding_price(config.embed_model)
        return tokens, None if price is None else tokens * price / 1e6
    tokens = sum(embedder.count_tokens(texts))
    return tokens, embedder.cost(tokens)
