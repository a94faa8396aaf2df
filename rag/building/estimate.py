"""What a build would pay for, before anything is paid: texts, tokens and cost, right to the token afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path

from rag.building.chunking import Text, original_of, read_each
from rag.building.ground import find, stand
from rag.building.paying import MakeEmbedder
from rag.building.registering import register
from rag.building.rehearsal import rehearsed, stand_in
from rag.building.results import Read, results, source_counts
from rag.config import Config
from rag.errors import BadKey, ModelMissing, ReadError
from rag.fingerprint import vector_key
from rag.home.place import Place
from rag.outcome import SourceCounts
from rag.reading.splitting import Piece
from rag.sources.incoming import Incoming, name_in_batch, origin_of
from rag.sources.names import safe_name
from rag.sources.rows import Given
from rag.spaces.canary import CANARY_TEXTS
from rag.spaces.saved import draft
from rag.spaces.space import Space
from rag.storage.digests import measured
from rag.tables.healing import HealingCache
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
    with rehearsed(place) as copy, ExitStack() as stack:
        given, refused = _given(incoming, copy, stack)
        if incoming:
            register(copy, given)
        ground = stand(find(copy), config, copy.spaces.wanted(config))
        bill = _Bill(config, make_embedder)
        reads: list[Read] = []
        pieces = _pieces(read_each(ground.todo.read, lambda row: original_of(copy, row), config), reads)
        for texts in _lacking(copy, ground.space, pieces):
            bill.add(texts)
    chunks = sum(row.chunks for row in results(ground.wanted, ground.todo, reads, 0))
    lacking = bill.texts
    # As the build does it: a space that was never met is met as soon as there is anything to build.
    called = bool(lacking) if ground.space else bool(ground.head) or any(read.chunks for read in reads)
    canary = len(CANARY_TEXTS) if _checked(ground.space, config, called) else 0
    bill.add(CANARY_TEXTS if canary else ())
    failures = [*refused, *((read.row.name, read.failure) for read in reads if read.failure)]
    return Estimate(
        sources=replace(source_counts(ground.wanted, ground.todo, reads), failed=len(failures)),
        chunks=chunks,
        texts=lacking,
        reused=chunks - lacking,
        canary_texts=canary,
        tokens=bill.tokens,
        cost_usd=bill.cost_usd,
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


def _pieces(texts: Iterable[Text], reads: list[Read]) -> Iterator[Piece]:
    """The chunks of all sources; what was read is noted in `reads`."""
    for text in texts:
        chunks = 0
        for piece in text.pieces:
            chunks += 1
            yield piece
        reads.append(Read(text.row, chunks, text.media_type, text.failure))


def _lacking(place: Place, space: Space | None, pieces: Iterator[Piece]) -> Iterator[list[str]]:
    """Texts without a vector that passes its check, each once, some at a time."""
    folder = place.cache_folder(space.fingerprint) if space else None
    cache = HealingCache(folder, space.dimensions) if space and folder and folder.exists() else None
    seen: set[bytes] = set()
    while some := list(islice(pieces, _AT_ONCE)):
        texts = {vector_key(space.fingerprint if space else "", "text", one.embed_text): one.embed_text for one in some}
        fresh = [key for key in texts if key not in seen]
        seen.update(fresh)
        had = cache.find(fresh).keys() if cache else set()
        yield [texts[key] for key in fresh if key not in had]


def _checked(space: Space | None, config: Config, paying: bool) -> bool:
    """Whether the canary would be embedded: for a space not met before, and whenever a model is called whose weights
    are not known by digest."""
    return paying and (space is None or not draft(config)["revision"])


class _Bill:
    """Counts texts and their tokens as they come. What counts them is made when there is a text to count."""

    def __init__(self, config: Config, make_embedder: MakeEmbedder) -> None:
        self._config = config
        self._make = make_embedder
        self.texts = 0
        self.tokens = 0

    def add(self, texts: Sequence[str]) -> None:
        """Count some more."""
        if texts:
            self.texts += len(texts)
            self.tokens += self._meter[0](texts)

    @property
    def cost_usd(self) -> float | None:
        """US dollars for all of them; None where the price is not known."""
        return self._meter[1](self.tokens) if self.texts else 0.0

    @cached_property
    def _meter(self) -> tuple[Callable[[Sequence[str]], int], Callable[[int], float | None]]:
        """Tokens of texts, and the price of tokens."""
        try:
            embedder = self._make(self._config)
        except BadKey:
            # Counting needs no key, only the call does.
            from rag.models.endpoint import embedding_endpoint
            from rag.models.tokens import count_openai

            price = embedding_endpoint(replace(self._config, api_key=None)).embedding_price
            return lambda texts: sum(
                count_openai(texts)
            ), lambda tokens: None if price is None else tokens * price / 1e6
        except ModelMissing:  # nor does counting need the model, and a local one costs nothing
            from rag.models.tokens import counter_for

            counter = counter_for(self._config)
            return lambda texts: sum(counter(texts)), lambda _: 0.0
        return lambda texts: sum(embedder.count_tokens(texts)), embedder.cost
