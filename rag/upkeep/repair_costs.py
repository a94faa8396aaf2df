"""What a repair would do and cost, said before it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rag.config import Config
from rag.errors import NotFound, StoreError
from rag.fingerprint import vector_key
from rag.home.pinned import PinnedFiles
from rag.home.place import Place
from rag.home.wanted import find_wanted
from rag.manifest import Manifest
from rag.models.endpoint import embedding_endpoint
from rag.progress import IsCancelled, never
from rag.reading.splitting import Piece
from rag.sources.rows import SourceRow
from rag.spaces.space import Space
from rag.storage import layout
from rag.text.counting import count
from rag.upkeep.findings import Examination
from rag.upkeep.inspections import cached_keys
from rag.upkeep.salvage import indexed_vectors, read_again

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SAMPLE = 8
"""Texts of the index that a live model is compared by."""

REBUILT = ("manifest-", "file-", "state-", "registry-", "table-", "rows-", "vectors-", "sources-")
"""Beginnings of the codes of findings that a build repairs."""


WRONG_TABLE = ("rows-wrong", "vectors-wrong", "vectors-foreign", "sources-wrong")
"""Codes of findings about a chunk table whose bytes are those that were written, and whose content is wrong."""


@dataclass(frozen=True)
class RepairPlan:
    """What repairing would do. `texts` of the index are in no intact copy and would be paid for again; `cost_usd` is
    None where the price is unknown. `check_texts` are embedded to see that the model is the one of the index."""

    steps: tuple[str, ...]
    texts: int = 0
    tokens: int = 0
    cost_usd: float | None = 0.0
    check_texts: int = 0

    @property
    def sentence(self) -> str:
        """What it costs, for asking before it is done."""
        if not self.steps:
            return "There is nothing to repair."
        if not self.texts:
            paid = f"{count(self.check_texts, 'text')} to check the model" if self.check_texts else "Nothing"
            return f"{paid} will be embedded: everything else is in the vector cache or the index."
        cost = "at an unknown price" if self.cost_usd is None else f"for about ${self.cost_usd:,.4f}"
        return (
            f"{count(self.texts, 'text')} ({self.tokens:,} tokens) are in no intact copy and will be paid for, {cost}."
        )


def repair_plan(place: Place, config: Config, found: Examination, *, cancelled: IsCancelled = never) -> RepairPlan:
    """What `repair` would do about `found`, and what of it costs. Changes nothing, calls no model.

    Where the cost matters, the sources are read again: seconds for a large notebook.
    """
    steps = [f"{finding.sentence} {finding.repair}" for finding in found.findings if finding.code != "build-running"]
    checks = 2 * SAMPLE if needs(found, "space-") and config.embedder != "local" else 0
    if not needs(found, *REBUILT):
        return RepairPlan(tuple(steps), check_texts=checks)
    wrong = {name for finding in found.findings if finding.code in WRONG_TABLE for name in finding.files}
    table = layout.in_notebook(place.slug, "")
    intact = [one for one in intact_snapshots(place) if table + one.tables["chunks"].path not in wrong]
    head = intact[0] if intact else None
    try:
        wanted = find_wanted(place, place.states.newest(), head)
        rows = wanted.rows if wanted else tuple(place.registry.rows(place.states.newest().registry))
    except StoreError as error:
        return RepairPlan((*steps, str(error)), check_texts=checks)
    space = place.spaces.wanted(config) or (Space(**head.recipe["embedder"]) if head else None)
    read = list(read_again(place, config, rows, cancelled=cancelled))
    texts = {piece.embed_text for _, pieces in read for piece in pieces}
    if space is not None:
        have = cached_keys(place.cache_folder(space.fingerprint), space.dimensions)
        texts = {text for text in texts if vector_key(space.fingerprint, "text", text) not in have}
        if texts and needs(found, "cache-"):
            texts -= vectors_in_index(place, config, intact, read, space.fingerprint).keys()
    tokens, cost = _price(config, sorted(texts)) if texts else (0, 0.0)
    return RepairPlan(tuple(steps), len(texts), tokens, cost, checks)


def intact_snapshots(place: Place) -> list[Manifest]:
    """Snapshots all of whose files have their SHA-256, newest first. Reads all of them."""
    pinned = PinnedFiles(place, None)
    return [one for one in place.snapshots.newest() if isinstance(one, Manifest) and pinned.first(one) is None]


def vectors_in_index(
    place: Place,
    config: Config,
    manifests: Sequence[Manifest],
    read: Sequence[tuple[SourceRow, list[Piece]]],
    space_fp: str,
) -> dict[str, npt.NDArray[np.float32]]:
    """Texts as sent to the model, with their vectors in the chunk tables of those snapshots that are of the space."""
    found: dict[str, npt.NDArray[np.float32]] = {}
    for manifest in manifests:
        if manifest.space_fp != space_fp:
            continue
        splitter = manifest.recipe["splitter"]
        sized = replace(config, chunk_size=splitter["size"], chunk_overlap=splitter["overlap"])
        try:
            found |= indexed_vectors(place, sized, manifest, read)
        except (StoreError, NotFound):
            continue  # examined already, and told
    return found


def needs(found: Examination, *prefixes: str) -> bool:
    """Whether there is damage whose code begins like that, or of the cache."""
    return any(
        finding.code.startswith(prefixes) and (finding.severity == "damage" or finding.code == "cache-damaged")
        for finding in found.findings
    )


def _price(config: Config, texts: Sequence[str]) -> tuple[int, float | None]:
    """Tokens of texts and what embedding them costs in US dollars, None where the price is unknown."""
    from rag.models.tokens import counter_for

    tokens = sum(counter_for(config)(texts))
    if config.embedder == "local":
        return tokens, 0.0
    price = embedding_endpoint(config).embedding_price
    return tokens, None if price is None else tokens * price / 1e6
