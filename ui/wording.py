"""Words, numbers and colours of the screen, in one place. No streamlit here: plain values in, plain text out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from rag.manifest import Receipt, VerdictName

NAME = "Ragbook"


@dataclass(frozen=True)
class Look:
    """How a verdict looks: one colour and one icon per verdict, everywhere."""

    color: str
    icon: str


LOOKS: dict[VerdictName, Look] = {
    VerdictName.EMPTY: Look("gray", "inventory_2"),
    VerdictName.NEW: Look("blue", "fiber_new"),
    VerdictName.HIT: Look("green", "bolt"),
    VerdictName.STALE: Look("orange", "history"),
    VerdictName.OTHER_RECIPE: Look("violet", "swap_horiz"),
    VerdictName.RESUMABLE: Look("blue", "resume"),
    VerdictName.DAMAGED: Look("red", "heart_broken"),
    VerdictName.REFUSED: Look("red", "block"),
    VerdictName.BUSY: Look("blue", "hourglass_top"),
    VerdictName.SOURCE_ERROR: Look("orange", "unknown_document"),
    VerdictName.NEWER_FORMAT: Look("red", "update"),
    VerdictName.UNAVAILABLE: Look("red", "cloud_off"),
    VerdictName.BUILT: Look("blue", "construction"),
    VerdictName.UPDATED: Look("violet", "edit_note"),
    VerdictName.REBUILT: Look("orange", "refresh"),
    VerdictName.RESUMED: Look("blue", "resume"),
    VerdictName.RECOVERED: Look("orange", "healing"),
    VerdictName.SWITCHED: Look("violet", "swap_horiz"),
    VerdictName.ROLLED_BACK: Look("orange", "undo"),
    VerdictName.UNCHANGED: Look("green", "check"),
    VerdictName.CONFLICT: Look("orange", "call_split"),
    VerdictName.CANCELLED: Look("gray", "cancel"),
    VerdictName.FAILED: Look("red", "error"),
}

SOURCE_LOOKS: dict[str, str] = {
    "new": "blue",
    "changed": "violet",
    "reused": "green",
    "renamed": "orange",
    "failed": "red",
    "waiting": "gray",
}
"""Colour of each state of a source, in the order of the filters."""

BUILD_ACTIONS: dict[VerdictName, str] = {
    VerdictName.NEW: "Build the index",
    VerdictName.STALE: "Update the index",
    VerdictName.OTHER_RECIPE: "Build with these settings",
    VerdictName.RESUMABLE: "Continue the build",
    VerdictName.DAMAGED: "Repair",
}
"""Verdicts that a build answers, and what its button says."""

SWITCH = "Switch to these settings"


def number(value: int) -> str:
    """`1284` → `1,284`."""
    return f"{value:,}"


def count(value: int, one: str, many: str = "") -> str:
    """`1,284 chunks`, `1 chunk`, `no chunks`."""
    noun = one if value == 1 else (many or f"{one}s")
    return f"{number(value) if value else 'no'} {noun}"


def duration(seconds: float) -> str:
    """`9 ms`, `0.41 s`, `41.8 s`, `3 min 5 s`, `1 h 4 min`."""
    if seconds < 0.0005:
        return "under 1 ms"
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def remaining(seconds: float) -> str:
    """What is left of a job: `under 1 s left`, `38 s left`, `3 min left`."""
    if seconds < 1:
        return "under 1 s left"
    return f"{seconds:.0f} s left" if seconds < 90 else f"{seconds / 60:.0f} min left"


def size(value: int) -> str:
    """`512 B`, `48.2 KB`, `21.4 MB`."""
    amount = float(value)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 999.5 or unit == "GB":
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 99.95 else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError("the loop returns")


def money(cost: float | None) -> str:
    """`$0`, `$0.000003`, `$0.0021`, `$1.25`, or that the price is not known."""
    if cost is None:
        return "price not known"
    if cost == 0:
        return "$0"
    if cost >= 0.1:
        return f"${cost:,.2f}"
    return "$" + (f"{cost:.4f}" if cost >= 0.001 else f"{cost:.6f}" if cost >= 0.000001 else f"{cost:.0e}")


def moment(iso: str, zone: tzinfo | None = None, now: datetime | None = None) -> str:
    """`Today 09:40`, `Yesterday 18:03`, `12 Mar 2026 18:03`, in the reader's time zone."""
    try:
        then = datetime.fromisoformat(iso).astimezone(zone)
    except ValueError:
        return iso
    today = (now or datetime.now(zone)).astimezone(zone).date()
    if then.date() == today:
        return f"Today {then:%H:%M}"
    if then.date() == today - timedelta(days=1):
        return f"Yesterday {then:%H:%M}"
    return f"{then.day} {then:%b %Y %H:%M}"


def percent(part: int, whole: int) -> str:
    """`99.9%`; never rounded up to a whole that is not one."""
    if not whole:
        return "0%"
    share = 100 * part / whole
    return f"{min(share, 99.9):.1f}%" if 99 < share < 100 else f"{share:.0f}%"


def receipt(paid: Receipt) -> str:
    """`1 chunk embedded, 1,283 reused · 0.41 s · $0.000003`."""
    parts = [f"{count(paid.texts, 'text')} embedded, {number(paid.saved_texts)} reused", duration(paid.seconds)]
    if paid.tokens:
        parts.append(count(paid.tokens, "token"))
    return " · ".join([*parts, money(paid.cost_usd)])


def fingerprint(value: str | None) -> str:
    """The first twelve digits in groups of four: enough to compare by eye."""
    return " ".join(value[start : start + 4] for start in range(0, min(len(value), 12), 4)) if value else "none"


def pages(first: int | None, last: int | None) -> str:
    """`page 4`, `pages 4 to 5`, or nothing for formats without pages."""
    if first is None:
        return ""
    return f"page {first}" if last in (None, first) else f"pages {first} to {last}"
