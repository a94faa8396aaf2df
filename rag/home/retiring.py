"""Which older snapshots stay, and which go."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from rag.checked import dump_checked
from rag.errors import AlreadyExists, Damaged, NotFound
from rag.home.place import Place
from rag.manifest import Manifest
from rag.storage import layout
from rag.storage.stamp import now


def keep(place: Place, number: int) -> None:
    """Exempt a snapshot from retiring.

    Raises:
        NotFound: there is none of that number.
    """
    place.snapshots.get(number)
    with contextlib.suppress(AlreadyExists):
        place.objects.create(layout.kept(place.slug, number), dump_checked({"snapshot": number, "created": now()}))


def unkeep(place: Place, number: int) -> None:
    """Undo `keep`.

    Raises:
        NotFound: there is none of that number, kept or not.
    """
    if number not in kept(place) and number not in place.snapshots.numbers():
        raise NotFound(f"There is no snapshot {number}.")
    place.objects.delete(layout.kept(place.slug, number))


def kept(place: Place) -> set[int]:
    """Numbers of the snapshots that are exempt from retiring."""
    names = place.objects.names(layout.kept(place.slug))
    stems = (name.rsplit("/", 1)[1].removesuffix(".json") for name in names)
    return {int(stem) for stem in stems if stem.isdigit()}


def to_retire(place: Place, *, count_kept: int, days: float, when: datetime | None = None) -> list[Manifest]:
    """Snapshots that the policy lets go: neither among the newest `count_kept`, nor younger than `days`, nor the newest
    of their recipe (switching back must stay free), nor kept, nor being read. Oldest first."""
    horizon = (when or datetime.now(UTC)) - timedelta(days=days)
    if not _any_created_before(place, horizon, count_kept):
        return []
    manifests = [found for found in place.snapshots.newest() if isinstance(found, Manifest)]
    protected = kept(place) | place.read_now()
    newest_of: dict[str, int] = {}
    for manifest in manifests:
        newest_of.setdefault(manifest.recipe_fp, manifest.snapshot)
    return [
        manifest
        for manifest in reversed(manifests[count_kept:])
        if manifest.snapshot not in protected
        and manifest.snapshot not in newest_of.values()
        and _created(manifest) < horizon
    ]


def _any_created_before(place: Place, horizon: datetime, count_kept: int) -> bool:
    """Whether any but the newest `count_kept` snapshots may be older than `horizon`. As a rule the oldest one tells: a
    build must not read a long history only to find that all of it stays."""
    for number in place.snapshots.numbers()[: -count_kept or None]:
        try:
            created = _created(place.snapshots.get(number))
        except (Damaged, NotFound):
            continue
        if created < horizon:
            return True
        if created <= datetime.now(UTC):  # else a clock was wrong, and the next one tells
            return False
    return False


def retire(place: Place, manifests: Sequence[Manifest], *, tell: Callable[[int], None] = lambda _: None) -> None:
    """Remove snapshots that `to_retire` named. Their files go with the next collection of garbage."""
    for manifest in manifests:
        place.objects.delete(place.snapshots.name(manifest.snapshot))
        tell(manifest.snapshot)


def _created(manifest: Manifest) -> datetime:
    try:
        return datetime.fromisoformat(manifest.created)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
