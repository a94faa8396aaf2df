"""What an archive holds: its members by name, and its list of contents. Standard library only.

Names are matched against what Ragbook writes, never cleaned: whatever is not on the list is refused, so a path that
leads out of the folder has no way to be right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rag.checked import dump_checked, load_checked
from rag.errors import Damaged, NewerFormat
from rag.manifest import Manifest
from rag.storage import layout

TAGS = "notebook/tags/00000001.json"
"""The member with the tags of the sources; it is there where some have any."""

ARCHIVE_FORMAT = 1
"""Number of the archive's format, apart from that of the storage inside."""

CONTENTS = "ragbook.json"
"""The member that lists the others."""

_HEX16, _HEX64 = "[0-9a-f]{16}", "[0-9a-f]{64}"
_PLAIN = r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}"
_TABLE_FILE = rf"(?:data|_versions|_deletions|_indices/[0-9a-f-]{{36}})/{_PLAIN}"
_INDEX = rf"index/{_HEX16}(?:-[0-9]{{1,3}})?/chunks\.lance"
_NAMES = re.compile(
    rf"originals/[0-9a-f]{{2}}/{_HEX64}"
    rf"|spaces/{_HEX16}/(?:space\.json|vectors\.bin)"
    r"|notebook/manifests/[0-9]{8}\.json"
    r"|notebook/cells/[0-9a-f]{32}\.json"
    r"|notebook/tags/00000001\.json"
    rf"|notebook/(?:sources\.lance|{_INDEX})/{_TABLE_FILE}"
)


@dataclass(frozen=True)
class Member:
    """One member: name, bytes, SHA-256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Contents:
    """An archive's list of contents. `slug` and `title` are the notebook's, `members` all members but this one."""

    slug: str
    title: str
    snapshot: int
    created: str
    members: tuple[Member, ...]

    def to_json(self) -> bytes:
        """With a checksum, as every JSON object of the storage format."""
        return dump_checked({"archive": ARCHIVE_FORMAT, **asdict(self)})


def parse_contents(content: bytes) -> Contents:
    """The inverse of `Contents.to_json`.

    Raises:
        Damaged: it fails its checksum, or a field is missing or of the wrong kind.
        NewerFormat: a newer Ragbook wrote it.
    """
    body = load_checked(content, CONTENTS)
    number = body.get("archive")
    if isinstance(number, int) and number > ARCHIVE_FORMAT:
        raise NewerFormat(
            f"The archive has format {number}, and this Ragbook knows formats up to {ARCHIVE_FORMAT}. "
            "Import it with a newer Ragbook; nothing was changed."
        )
    try:
        members = tuple(_member(one) for one in body["members"])
        found = Contents(
            _kind(body["slug"], str),
            _kind(body["title"], str),
            _kind(body["snapshot"], int),
            _kind(body["created"], str),
            members,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise Damaged(f"{CONTENTS} of the archive fails its check: {error!r} while reading its fields.") from error
    if number != ARCHIVE_FORMAT:
        raise Damaged(f"{CONTENTS} of the archive fails its check: it does not say which format it has.")
    if len({member.name for member in members}) != len(members):
        raise Damaged(f"{CONTENTS} of the archive fails its check: it lists a member twice.")
    return found


def known_name(name: str) -> bool:
    """Whether Ragbook writes members of that name."""
    return name == CONTENTS or _NAMES.fullmatch(name) is not None


def original_name(digest: str) -> str:
    """The member with an original."""
    return layout.original(digest)


def manifest_name(snapshot: int) -> str:
    """The member with the manifest."""
    return f"notebook/manifests/{snapshot:08d}.json"


def table_members(manifest: Manifest) -> dict[str, tuple[int, str]]:
    """The members with the pinned tables: name → (bytes, SHA-256), as the manifest says."""
    return {
        f"notebook/{table.path}/{file.path}": (file.size, file.sha256)
        for table in manifest.tables.values()
        for file in table.files
    }


def _member(body: Mapping[str, Any]) -> Member:
    return Member(_kind(body["name"], str), _kind(body["size"], int), _kind(body["sha256"], str))


def _kind(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{value!r:.80} is no {kind.__name__}")
    return value
