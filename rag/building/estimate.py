"""What a build would pay for, before anything is paid: texts, tokens and cost, right to the token afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from rag.building.chunking import came_back, original_of, read_all
from rag.building.ground import find_ground
from rag.building.paying import MakeEmbedder
from rag.building.plan import plan
from rag.building.registering import register
from rag.building.rehearsal import rehearsed, stand_in
from rag.building.results import Read, results, source_counts, standing
from rag.config import Config
from rag.errors import BadKey, ModelMissing, ReadError
from rag.fingerprint import vector_key
from rag.home.place import Place
from rag.outcome import SourceCounts
from rag.sources.incoming import Incoming, name_in_batch, origin_of
from rag.sources.names import safe_name
from rag.sources.rows import Given
from rag.spaces.canary import CANARY_TEXTS
from rag.spaces.saved import draft
from rag.spaces.space import Space
from rag.storage.digests import measured
from rag.tables.vectors import VectorCache
from rag.text.counting import count

_AT_ONCE = 4096
"""Vectors looked at in one go: bounds memory."""


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
    """What building would pay for if these files were added too. Keeps nothing, registers nothing, calls nothing: all
    that an addition and a build do before they pay is done to a stand-in of the notebook.

    Raises:
        Damaged, NewerFormat, StoreError: as the build would.
    """
    with rehearsed(place) as stand, ExitStack() as stack:
        given, refused = _given(incoming, stand, stack)
        if incoming:
            register(stand, given)
        ground = find_ground(stand)
        space = stand.spaces.wanted(config)
        base = ground.base(config, space)
        built = base.rows if base else []
        wanted = standing(stand.registry.rows(ground.state.registry), built)
        todo = plan(wanted, built, again=lambda row: came_back(stand, row))
        reads = list(read_all(todo.read, lambda row: original_of(stand, row), config))
        missing = _missing(stand, space, reads)
    chunks = sum(row.chunks for row in results(wanted, todo, reads, 0))
    # As the build does it: a space that was never met is met as soon as there is anything to build.
    called = bool(missing) if space else bool(ground.head) or any(read.pieces for read in reads)
    canary = len(CANARY_TEXTS) if _checked(space, config, called) else 0
    tokens, cost = _price(config, make_embedder, [*missing, *(CANARY_TEXTS if canary else ())])
    failures = [*refused, *((read.row.name, read.failure) for read in reads if read.failure)]
    return Estimate(
        sources=replace(source_counts(wanted, todo, reads), failed=len(failures)),
        chunks=chunks,
        texts=len(missing),
        reused=chunks - len(missing),
        canary_texts=canary,
        tokens=tokens,
        cost_usd=cost,
        failures=tuple(failures),
    )


def _given(incoming: Sequence[Incoming], stand: Place, stack: ExitStack) -> tuple[list[Given], list[tuple[str, str]]]:
    """The files as the registry would see them, and those that cannot be looked at. Their bytes are among the originals
    of the stand-in."""
    given: dict[str, Given] = {}
    refused: list[tuple[str, str]] = []
    folder: Path | None = None
    for number, one in enumerate(incoming):
        name = safe_name(one.name)
        path = one.path
        if path is None:
            folder = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ragbook-")))
            path = folder / str(number)
            path.write_bytes(one.content or b"")
        try:
            digest, size = measured(path)
        except ReadError as error:
            refused.append((name, str(error)))
            continue
        except OSError as error:
            refused.append((name, f"It cannot be opened: {error.strerror or error}."))
            continue
        stand_in(path.absolute(), stand.originals.path(digest))
        origin = origin_of(one)
        name = name_in_batch(name, digest, origin, given)
        given[name] = Given(name, digest, size, origin)
    return list(given.values()), refused


def _missing(place: Place, space: Space | None, reads: Iterable[Read]) -> list[str]:
    """Texts without a vector that passes its check, each once."""
    texts = dict.fromkeys(piece.embed_text for read in reads for piece in read.pieces)
    folder = place.cache_folder(space.fingerprint) if space else None
    if space is None or folder is None or not texts or not folder.exists():
        return list(texts)
    cache = VectorCache(folder, space.dimensions)
    keys = {vector_key(space.fingerprint, "text", text): text for text in texts}
    asked = list(keys)
    had: set[bytes] = set()
    for start in range(0, len(asked), _AT_ONCE):
        had |= cache.find(asked[start : start + _AT_ONCE]).keys()
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
        from rag.models.endpoint import embedding_endpoint
        from rag.models.tokens import count_openai

        tokens = sum(count_openai(texts))
        price = embedding_endpoint(replace(config, api_key=None)).embedding_price
        return tokens, None if price is None else tokens * price / 1e6
    except ModelMissing:  # nor does counting need the model, and a local one costs nothing
        from rag.models.tokens import counter_for

        return sum(counter_for(config)(texts)), 0.0
    tokens = sum(embedder.count_tokens(texts))
    return tokens, embedder.cost(tokens)
