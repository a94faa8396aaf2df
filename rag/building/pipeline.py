"""From what is wanted to a new snapshot, in three steps with values between them: `Ground`, what there is and what is
to be done; `Written`, a table that has it; `Published`, the snapshot.

The order is the promise. Vectors are in the cache, durable, before they are used. Chunk and source rows are durable
before the manifest that pins them exists. Creating the manifest is the one commit: a crash before it leaves the old
snapshot, after it the new one is complete. Nothing is removed before its replacement is in place.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import replace

from rag.building.attempt import Attempt
from rag.building.chunking import original_of, read_each, spooled
from rag.building.ground import Ground, find, stand
from rag.building.paying import MakeEmbedder, Payments
from rag.building.plan import Plan
from rag.building.publishing import publish
from rag.building.results import Read, as_it_was, nothing_built, results, unchanged
from rag.building.spool import Spool
from rag.building.writing import needed, write
from rag.config import Config
from rag.errors import Conflict, ModelError, SpaceRefused
from rag.home.place import Place
from rag.home.state import only_after
from rag.home.verdicts import REFUSED_CHANGE, REFUSED_STEP
from rag.manifest import Manifest, Verdict, VerdictName
from rag.outcome import Outcome, SourceCounts
from rag.progress import UNWATCHED, Stage, Watch
from rag.spaces.recipe import recipe_fingerprint, wanted_recipe
from rag.text.counting import count
from rag.text.languages import held

_OF_ANOTHER = (
    "The model that answers now is not the one of this notebook's vectors; it has a saved space of its own, which this "
    "notebook was never built in. Build again to build it there beside the old one."
)


def build(place: Place, config: Config, make_embedder: MakeEmbedder, watch: Watch = UNWATCHED) -> Outcome:
    """Bring the index to what the registry and the settings ask for, and publish it as the next snapshot.

    Raises:
        NotFound: there is no such notebook.
        Busy: another process is building, still after `watch.wait_seconds`.
        Cancelled: `watch.cancelled()` came true; what was paid for is in the vector cache.
        SpaceRefused: the live model is not the one of the saved vectors.
        ModelError, StoreError: the newest snapshot stays as it was.
    """
    place.must_exist()
    with place.held(watch):
        return build_held(place, config, make_embedder, watch)


@held()  # the model of languages goes with the build
def build_held(
    place: Place,
    config: Config,
    make_embedder: MakeEmbedder,
    watch: Watch = UNWATCHED,
    kept: frozenset[str] = frozenset(),
) -> Outcome:
    """`build`, for a caller that holds the lease. `kept` as in `Attempt`."""
    payments = Payments(place, config, make_embedder)
    for attempt in range(8):
        try:
            return _attempted(place, config, payments, watch, kept)
        except Conflict:
            # Somebody writes or publishes without our lease. Plan again on the new head: what we paid for is in the
            # cache. Not at once, or two who do the same would meet again and again.
            time.sleep(random.uniform(0, 0.1 * 2**attempt))  # noqa: S311 - no secret
    raise Conflict("Other processes keep publishing snapshots of this notebook. Try again when they have finished.")


def _attempted(place: Place, config: Config, payments: Payments, watch: Watch, kept: frozenset[str]) -> Outcome:
    resumed = place.journal.read() is not None
    # The number first: whoever publishes after this look takes it, and we lose the race instead of skipping theirs.
    payments.snapshot = number = place.snapshots.next_number()
    attempt = Attempt(place, config, payments, watch, number, resumed, kept)
    return _brought_up(attempt, stand(find(place), config, place.spaces.wanted(config)))


def _brought_up(attempt: Attempt, ground: Ground) -> Outcome:
    if ground.empty:
        return nothing_built("This notebook has no sources yet, so nothing was built.", attempt.started)
    if ground.complete:
        return _complete(attempt, ground)
    place = attempt.place
    with Spool(place.folder) as spool:
        reads = _read(attempt, ground.todo, spool)
        if ground.space is None and ground.head is None and not any(read.chunks for read in reads):
            return _unreadable(attempt, ground, reads)
        need = needed(place, reads, spool, ground.space) if ground.space else None
        if need is None or need.lacking:
            live = attempt.payments.admit()
            if live != ground.space:
                other = stand(ground.found, attempt.config, live, ground.passed_over)
                if other.base:
                    return _brought_up(attempt, other)  # another variant than was planned for
                if ground.base:
                    raise SpaceRefused(f"{_OF_ANOTHER} Or set the model back. Nothing was mixed or paid for.")
                need = needed(place, reads, spool, live)
        assert need is not None
        recipe = wanted_recipe(attempt.config, need.space)
        place.spaces.note_recipe(need.space, recipe)  # before a text is paid for: a purge must find it
        with ground.table(need.space, recipe_fingerprint(recipe)) as table:
            written = write(attempt, ground, table, reads, spool, need)
            return publish(attempt, written).outcome


def _read(attempt: Attempt, todo: Plan, spool: Spool) -> list[Read]:
    """Read and split what is to be read; the chunks wait in `spool`."""
    reads: list[Read] = []
    total = len(todo.read)
    with attempt.timed("read"):
        if total:
            attempt.tell(Stage.READ, 0, total, todo.read[0].name)
        for text in read_each(todo.read, lambda row: original_of(attempt.place, row, attempt.kept), attempt.config):
            reads.append(read := spooled(text, spool))
            outcome = read.failure or f"{count(read.chunks, 'chunk')} read"
            attempt.tell(Stage.READ, len(reads), total, read.row.name, outcome, failed=bool(read.failure))
            attempt.stop_if_cancelled()
            if len(reads) < total:
                attempt.tell(Stage.READ, len(reads), total, todo.read[len(reads)].name)
    return reads


def _complete(attempt: Attempt, ground: Ground) -> Outcome:
    """There is nothing to do. And yet there may be no answers: a refused model may have been set back since."""
    assert ground.base is not None
    assert ground.space is not None
    head, place = ground.base.manifest, attempt.place
    place.journal.clear()
    if not place.spaces.refusal(ground.space):
        return unchanged(head, attempt.receipt(head.counts.chunks))
    try:
        live = attempt.payments.admit()
    except (SpaceRefused, ModelError) as error:
        return _not_answering(attempt, head, VerdictName.REFUSED, str(error), REFUSED_STEP)
    if live == ground.space:
        return unchanged(head, attempt.receipt(head.counts.chunks))
    other = stand(ground.found, attempt.config, live, ground.passed_over)
    if other.base:
        return _brought_up(attempt, other)
    return _not_answering(attempt, head, VerdictName.OTHER_RECIPE, _OF_ANOTHER, "Set the model back.")


def _not_answering(attempt: Attempt, head: Manifest, name: VerdictName, problem: str, step: str) -> Outcome:
    """The index is what is wanted, and the model that was refused is not back: what looking says too."""
    sentence = f"Snapshot {head.snapshot} is complete, and the model for questions was refused. {problem}"
    receipt = attempt.receipt(head.counts.chunks)
    return as_it_was(head, Verdict(name, sentence, step, head.snapshot, (REFUSED_CHANGE,), receipt))


def _unreadable(attempt: Attempt, ground: Ground, reads: Sequence[Read]) -> Outcome:
    """None of the sources can be read, and no model was ever asked: the reasons are noted, and nothing is built."""
    place, found = attempt.place, ground.found
    rows = results(ground.wanted, ground.todo, reads, 0)
    version = place.registry.write(rows, found.registry_version)
    place.states.change(only_after(found.state, lambda state: replace(state, registry=version)))
    outcome = nothing_built("None of the sources can be read, so nothing was built.", attempt.started)
    failed = [row for row in rows if row.state == "failed"]
    return replace(
        outcome,
        sources=SourceCounts(failed=len(failed)),
        failures=tuple((row.name, row.reason) for row in failed),
    )
