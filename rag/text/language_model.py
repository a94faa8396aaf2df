"""py3langid's model, loaded without its temporary file, for a few of its languages.

Its own loader unpacks 68 MB into the temporary folder of every process, and keeps the table of all languages beside the
one of those that are asked for. Here the file is unpacked as it is read, and the wanted columns alone stay. What
computes with it is its own code, so that the same text gives the same figures to the last bit.
"""

from __future__ import annotations

import lzma
from array import array
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

_LOCAL_HEADER, _SIGNATURE = 30, b"PK\x03\x04"
_TYPECODES = {2: "H", 4: "I"}
_BLOCK = 1 << 20


class UnknownLayout(Exception):
    """The installed py3langid keeps its model in another way than this module knows."""


def load(languages: Collection[str]) -> Any:
    """py3langid's `LanguageIdentifier`, to choose among `languages` (ISO 639-1; what it does not know is left out) and
    to give shares instead of scores.

    A version of py3langid that keeps its model in another way loads it itself, temporary file and all.
    """
    from py3langid.langid import MODEL_DIR, MODEL_FILE, LanguageIdentifier

    try:
        return _loaded(MODEL_DIR / MODEL_FILE, languages)
    except UnknownLayout:
        identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
        identifier.set_languages([one for one in languages if one in identifier.labels])
        return identifier


def _loaded(path: Path, languages: Collection[str]) -> Any:
    """Raises UnknownLayout."""
    from py3langid.langid import LanguageIdentifier

    with lzma.open(path) as file:
        every = _array(file, "ptc")
        pc = _array(file, "pc")
        classes = _array(file, "classes").tolist()
        wanted = set(languages)
        columns = [at for at, one in enumerate(classes) if one in wanted]
        # As `set_languages` selects them: another order in memory would be added up in another order.
        ptc = every[:, columns]
        del every  # 28 MB, before the next 39
        moves, rows = _counted(file, "nextmove"), _counted(file, "nextmove_row")
        features = _array(file, "out_feat").tolist()
    names = [classes[at] for at in columns]
    return LanguageIdentifier(ptc, pc[columns], names, moves, features, norm_probs=True, tk_row=rows)


def _array(file: IO[bytes], name: str) -> npt.NDArray[Any]:
    _enter(file, name)
    found: npt.NDArray[Any] = np.lib.format.read_array(file)
    return found


def _counted(file: IO[bytes], name: str) -> array[int]:
    """An array of whole numbers as Python's own kind of array, which is read an item at a time in half the time."""
    _enter(file, name)
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise UnknownLayout(f"version {version} of arrays")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if len(shape) != 1 or dtype.kind != "u" or not dtype.isnative or dtype.itemsize not in _TYPECODES:
        raise UnknownLayout(f"{name} is {dtype} of {shape}")
    found = array(_TYPECODES[dtype.itemsize], [0]) * shape[0]
    view = memoryview(found).cast("B")
    for start in range(0, len(view), _BLOCK):  # in blocks, or all of it would be in memory twice
        block = file.read(min(_BLOCK, len(view) - start))
        view[start : start + len(block)] = block
    return found


def _enter(file: IO[bytes], name: str) -> None:
    """Step over the header of the next member, which must be that array, not compressed."""
    header = file.read(_LOCAL_HEADER)
    compressed = header[8:10] != b"\0\0"
    length, extra = int.from_bytes(header[26:28], "little"), int.from_bytes(header[28:30], "little")
    found = file.read(length)
    file.read(extra)
    if header[:4] != _SIGNATURE or compressed or found != f"{name}.npy".encode():
        raise UnknownLayout(f"{found!r} where {name} was expected")
