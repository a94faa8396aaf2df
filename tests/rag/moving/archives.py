"""Archives taken apart and put together again, rightly and wrongly."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rag.checked import dump_checked, load_checked
from rag.moving.contents import CONTENTS

Members = dict[str, bytes]


def taken_apart(file: Path) -> Members:
    """Name to bytes of every member."""
    with zipfile.ZipFile(file) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def put_together(members: Members, file: Path, compression: int = zipfile.ZIP_STORED) -> Path:
    """A zip of those members, as they are."""
    with zipfile.ZipFile(file, "w", compression) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return file


def sealed(members: Members, **fields: Any) -> Members:
    """The members with a list of contents that fits them, as somebody who means harm would make it."""
    body = load_checked(members[CONTENTS], CONTENTS) | fields
    body["members"] = [
        {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in sorted(members.items())
        if name != CONTENTS
    ]
    return members | {CONTENTS: dump_checked(body)}


def edited(members: Members, ending: str, change: Callable[[dict[str, Any]], object]) -> Members:
    """The members with `change` done to the JSON of the one whose name ends so, checksum and contents made to fit."""
    name = next(name for name in members if name.endswith(ending))
    body = json.loads(members[name])
    body.pop("checksum", None)
    change(body)
    return sealed(members | {name: dump_checked(body)})


def everything_below(folder: Path) -> dict[str, bytes | None]:
    """Every file with its bytes, and every folder, however hidden."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}
