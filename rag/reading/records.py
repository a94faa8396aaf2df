"""JSON and JSON Lines: one line "path: value" per leaf, a blank line between top-level records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rag.errors import DamagedSource
from rag.reading.cleaning import Composer, check_length
from rag.reading.encoding import decode
from rag.reading.kinds import JSONL
from rag.reading.places import Reading


class Members(list[tuple[str, Any]]):
    """A JSON object as its (key, value) pairs in order, repeated keys included."""


def read(raw: bytes, media_type: str) -> Reading:
    """The leaves with their paths, numbers as written. Raises DamagedSource, EmptySource, SourceTooLarge."""
    text, note = decode(raw)
    composer = Composer()
    composer.note(note)
    if media_type == JSONL:
        _add_lines(composer, text)
    else:
        try:
            _add_value(composer, parse(text))
        except json.JSONDecodeError as error:
            # A .json file of one object per line is common; anything else that is broken is broken.
            if not error.msg.startswith("Extra data"):
                raise DamagedSource(_broken(error)) from error
            _add_lines(composer, text)
    return composer.reading(media_type)


def parse(text: str) -> Any:
    """JSON with numbers kept as their source text and objects as Members.

    Raises json.JSONDecodeError, and DamagedSource when it nests too deeply.
    """
    try:
        return json.loads(
            text.lstrip("\ufeff"), parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=Members
        )
    except RecursionError as error:
        raise DamagedSource("This JSON nests its values too deeply to be read.") from error


def _broken(error: json.JSONDecodeError) -> str:
    return f"This JSON is damaged at line {error.lineno}, column {error.colno}: {error.msg}. It may be cut off."


def _add_lines(composer: Composer, text: str) -> None:
    bad: list[int] = []
    first_error: json.JSONDecodeError | None = None
    good = 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            composer.add("\n".join(_leaves(parse(line))))
            good += 1
        except json.JSONDecodeError as error:
            first_error = first_error or error
            bad.append(number)
            composer.add(line)
    if first_error and not good:
        raise DamagedSource(_broken(first_error))
    if bad:
        some = ", ".join(map(str, bad[:5])) + (" …" if len(bad) > 5 else "")
        composer.note(f"Not valid JSON, kept as plain text: line {some}.")


def _add_value(composer: Composer, value: Any) -> None:
    """Top-level records as blocks: the items of a list, or of a lone list inside an object; else the whole."""
    if isinstance(value, Members) or not isinstance(value, list):
        composer.add("\n".join(_leaves(value)))
        return
    for index, item in enumerate(value):
        composer.add("\n".join(_leaves(item, f"[{index}]")))


def _leaves(value: Any, path: str = "") -> Iterator[str]:
    """Lines for all leaves in order of the source. A stack, because JSON nests deeper than Python calls."""
    stack: list[tuple[str, Any]] = [(path, value)]
    length = 0
    while stack:
        path, value = stack.pop()
        if isinstance(value, Members):
            stack.extend((f"{path}.{key}" if path else key, item) for key, item in reversed(value))
        elif isinstance(value, list):
            stack.extend((f"{path}[{index}]", value[index]) for index in reversed(range(len(value))))
        else:
            word = value if isinstance(value, str) else {True: "true", False: "false", None: "null"}[value]
            line = f"{path}: {word}" if path else word
            length += len(line) + 1
            check_length(length)  # long paths over many leaves grow: stop before the memory does
            yield line
