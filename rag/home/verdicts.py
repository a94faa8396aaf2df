"""What an opening finds, in words. Zero model calls; imports neither lancedb nor llama-index.

The verdict is a function of the newest valid manifest, the wanted recipe, the state and the files on the disk.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rag.changes import Change, Code, change
from rag.checked import FORMAT
from rag.config import Config
from rag.errors import ConfigError, Damaged, NewerFormat, NotFound, StoreError
from rag.home.journal import Interrupted
from rag.home.noticed import still_bad
from rag.home.pinned import PinnedFiles
from rag.home.place import Place
from rag.home.state import State, behind
from rag.manifest import Counts, Failure, Manifest, Receipt, Verdict, VerdictName
from rag.spaces.recipe import recipe_changes, recipe_fingerprint, wanted_recipe
from rag.storage import layout
from rag.text.counting import count
from rag.wording import changes as words

REFUSED_STEP = "Set the model back, or build a new index for the one that answers now (build --new-space)."
REFUSED_CHANGE = change(Code.OTHER_MODEL)


@dataclass(frozen=True)
class Status:
    """A verdict with what it was computed from.

    `recipe` is the wanted one; its fingerprint is None while nothing was ever embedded with these settings. `head` is
    the newest intact snapshot, the one that answers. `counts`, `size_bytes` and `failed` (name, reason) are those of
    `head`. `registered` sources are wanted. `seconds` is how long looking took.
    """

    verdict: Verdict
    recipe: Mapping[str, Any]
    recipe_fp: str | None
    space_fp: str | None
    head: Manifest | None
    counts: Counts | None
    failed: tuple[tuple[str, str], ...]
    size_bytes: int
    registered: int
    seconds: float


def look(place: Place, config: Config, *, hashing: bool = False) -> Status:
    """The verdict on a notebook.

    Files are looked at by size, and by SHA-256 where an opening in this process found one wrong. With `hashing`, as
    much of them is hashed as opening would hash: at most 32 MiB of a snapshot.

    Raises:
        ConfigError: settings that cannot be. Everything that can be wrong with the home is a verdict.
    """
    started = time.monotonic()
    try:
        place.reach()
        return _look(place, config, started, hashing)
    except NewerFormat as error:
        why = change(Code.NEWER_FORMAT, known=FORMAT)
        return _bare(VerdictName.NEWER_FORMAT, str(error), "Open it with a newer Ragbook.", why, started)
    except ConfigError:
        raise
    except StoreError as error:
        why = change(Code.OUT_OF_REACH)
        return _bare(VerdictName.UNAVAILABLE, str(error), "Check the home folder, then try again.", why, started)


def _look(place: Place, config: Config, started: float, hashing: bool) -> Status:
    space = place.spaces.wanted(config)
    recipe = wanted_recipe(config, space)
    recipe_fp = recipe_fingerprint(recipe) if space else None
    head, problems, recipes = _history(place, hashing)
    # After the history: a snapshot comes later than the state it was built from, so this one is no older than the head.
    state = place.states.newest()
    unsure = _space_problem(place, head) if head else []
    wishes = list(state.damaged)
    if not wishes and behind(state, head):
        wishes.append(f"The newest state in {layout.states(place.slug)} is missing: the newest snapshot tells of it.")
    holder = place.builder()
    found = _Findings(
        state=state,
        head=head,
        problems=(*problems, *unsure, *wishes),
        passed_over=bool(problems),
        unsure=bool(unsure),
        changes=recipe_changes(head.recipe, recipe) if head else (),
        same_recipe=head is not None and head.recipe_fp == recipe_fp,
        saved_elsewhere=recipes.get(recipe_fp or ""),
        holder=holder,
        interrupted=None if holder else place.journal.read(),
        refusal=place.spaces.refusal(space) if space else "",
    )
    verdict = _verdict(found)
    return Status(
        verdict=verdict,
        recipe=recipe,
        recipe_fp=recipe_fp,
        space_fp=space.fingerprint if space else None,
        head=head,
        counts=head.counts if head else None,
        failed=tuple((one.name, one.reason) for one in head.failures) if head else (),
        size_bytes=head.size if head else 0,
        registered=state.sources,
        seconds=time.monotonic() - started,
    )


def _history(place: Place, hashing: bool) -> tuple[Manifest | None, list[str], dict[str, int]]:
    """The newest intact snapshot, what is wrong with newer ones, and the newest snapshot of each recipe."""
    head: Manifest | None = None
    problems: list[str] = []
    recipes: dict[str, int] = {}
    pinned = PinnedFiles(place)
    for found in place.snapshots.newest():
        if isinstance(found, Damaged):
            if head is None:
                problems.append(str(found))
            continue
        if head is None:
            problem = place.missing_file(found) or still_bad(place, found)
            if hashing and not problem:
                problem = pinned.first(found)
            if problem:
                problems.append(problem)
                continue
            head = found
        recipes.setdefault(found.recipe_fp, found.snapshot)
    return head, problems, recipes


def _space_problem(place: Place, head: Manifest) -> list[str]:
    """What is wrong with the description of the snapshot's space, without which no model can be checked against it."""
    try:
        place.spaces.check_saved(head.space_fp)
    except (Damaged, NotFound) as error:
        return [str(error)]
    return []


@dataclass(frozen=True)
class _Findings:
    state: State
    head: Manifest | None
    problems: Sequence[str]
    passed_over: bool
    unsure: bool
    changes: tuple[Change, ...]
    same_recipe: bool
    saved_elsewhere: int | None
    holder: str | None
    interrupted: Interrupted | None
    refusal: str = ""


def _verdict(found: _Findings) -> Verdict:
    head, state = found.head, found.state
    if found.holder:
        answering = f" Snapshot {head.snapshot} keeps answering." if head else ""
        sentence = f"{found.holder} is building.{answering}"
        return _name(VerdictName.BUSY, head, sentence, "Follow its progress.", _wanted_changes(found))
    if found.problems:
        return _damaged(found)
    if head is None and not state.sources:
        return _name(VerdictName.EMPTY, None, "This notebook has no sources yet.", "Add files, or the sample library.")
    if found.refusal:
        return _name(
            VerdictName.REFUSED,
            head,
            found.refusal,
            REFUSED_STEP,
            (REFUSED_CHANGE,),
        )
    if found.interrupted and not (found.same_recipe and head and head.sources_fp == state.sources_fp):
        paid = f"{found.interrupted.paid:,} of {count(found.interrupted.total, 'text')}"
        return _name(
            VerdictName.RESUMABLE,
            head,
            f"A build was interrupted: {paid} are paid for and kept.",
            "Continue the build; nothing is paid for twice.",
            _wanted_changes(found),
        )
    if head is None:
        sources = count(state.sources, "source")
        return _name(
            VerdictName.NEW, None, f"{sources} added, and no index built yet.", "Build the index.", state.pending
        )
    if not found.same_recipe:
        return _other_recipe(found, head)
    if head.sources_fp != state.sources_fp:
        return _name(
            VerdictName.STALE,
            head,
            f"The sources changed since snapshot {head.snapshot}, which keeps answering.",
            "Update the index; only changed text is embedded.",
            state.pending,
        )
    return _current(head)


def _wanted_changes(found: _Findings) -> tuple[Change, ...]:
    """What differs between the newest snapshot and what is wanted: settings, then sources."""
    current = found.head is not None and found.head.sources_fp == found.state.sources_fp
    return (*found.changes, *(() if current else found.state.pending))


def _current(head: Manifest) -> Verdict:
    counts = head.counts
    kept = [failure.name for failure in head.failures if failure.kept]
    if kept:
        return _name(
            VerdictName.SOURCE_ERROR,
            head,
            f"Snapshot {head.snapshot} answers from the former content of {count(len(kept), 'source')} that could not "
            f"be read again: {', '.join(kept[:3])}.",
            "Add a readable copy, or remove it.",
            _unread([failure for failure in head.failures if failure.kept]),
        )
    unread = f" {count(counts.failed, 'file')} could not be read." if counts.failed else ""
    if not counts.chunks:
        return _name(
            VerdictName.EMPTY,
            head,
            f"This notebook has no readable sources.{unread}",
            "Add files, or the sample library.",
            _unread(head.failures),
        )
    verdict = _name(
        VerdictName.HIT,
        head,
        f"Opened snapshot {head.snapshot} from disk: {count(counts.chunks, 'chunk')} from "
        f"{count(counts.sources, 'source')}. Nothing was embedded.{unread}",
        "Ask.",
    )
    return replace(verdict, receipt=Receipt(saved_texts=counts.chunks), where="disk")


def _unread(failures: Sequence[Failure]) -> tuple[Change, ...]:
    return tuple(change(Code.STILL_UNREADABLE, source=one.name, sentence=one.reason) for one in failures)


def _other_recipe(found: _Findings, head: Manifest) -> Verdict:
    named = "; ".join(words.sentence(one) for one in found.changes[:3])
    if found.saved_elsewhere:
        step = f"Switch: snapshot {found.saved_elsewhere} was built with these settings, so nothing is paid for twice."
    else:
        step = "Build beside it, or set the settings back."
    return _name(
        VerdictName.OTHER_RECIPE,
        head,
        f"Snapshot {head.snapshot} was built with other settings ({named}). It keeps answering in its own space; "
        "nothing is mixed.",
        step,
        found.changes,
    )


def _damaged(found: _Findings) -> Verdict:
    head = found.head
    step = "Build again: it repairs from the vector cache and the originals, and pays only for what no copy holds."
    if head is None:
        fallback = "No intact snapshot is left."
    elif found.passed_over:
        fallback = f"Snapshot {head.snapshot} answers instead."
    elif found.unsure:
        fallback = f"Snapshot {head.snapshot} answers, by words only where its model cannot be checked without it."
        step = "Run `python -m rag doctor --repair`."
    else:
        fallback = f"Snapshot {head.snapshot} answers as before."
        step = "Build again: what was wanted is taken from the newest snapshot."
    return _name(
        VerdictName.DAMAGED,
        head,
        f"{found.problems[0]} {fallback} The originals were not touched.",
        step,
        tuple(change(Code.DAMAGE, sentence=problem) for problem in found.problems[:50]),
    )


def _name(
    name: VerdictName, head: Manifest | None, sentence: str, step: str, changes: Sequence[Change] = ()
) -> Verdict:
    return Verdict(name, sentence, step, head.snapshot if head else None, tuple(changes))


def _bare(name: VerdictName, sentence: str, step: str, why: Change, started: float) -> Status:
    verdict = Verdict(name, sentence, step, changes=(why,))
    return Status(verdict, {}, None, None, None, None, (), 0, 0, time.monotonic() - started)
