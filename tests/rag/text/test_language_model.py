"""The model as it is loaded here beside the one that py3langid loads itself."""

from __future__ import annotations

import io
import lzma
import zipfile
from pathlib import Path

import numpy as np
import pytest
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from rag.text.language_model import UnknownLayout, _loaded, load
from rag.text.languages import KNOWN
from tests.notebooks import ROOT, python, said

TEXTS = [
    *(
        path.read_text("utf-8")[start : start + 700]
        for path in sorted((ROOT / "docs").glob("*.md"))
        for start in (0, 999)
    ),
    "Der alte Hafen wurde von Fischern gebaut, und seine Brücke aus Stein trägt noch immer die Straße.",
    "El viejo puerto fue construido por pescadores, y su puente de piedra todavía lleva el camino.",
    "Старая гавань была построена рыбаками, и её каменный мост по-прежнему несёт дорогу вдоль берега.",
    "北京大学的图书馆收藏了许多古籍。",
    "港は漁師たちによって造られ、石橋は今も海沿いの道を支えている。",
    "Παλιό λιμάνι χτίστηκε από ψαράδες.",
    "for i in range(10):\n    x[i] = y[i] * 2\n",
    "12 | 7 | 9",
    "",
    "\ud800 a lone surrogate",
]


def test_every_figure_is_that_of_the_library_to_the_last_bit() -> None:
    theirs = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    theirs.set_languages([one for one in KNOWN if one in theirs.labels])
    ours = load(KNOWN)
    assert ours.labels == theirs.labels
    assert [ours.rank(text) for text in TEXTS] == [theirs.rank(text) for text in TEXTS]


def test_nothing_is_written_anywhere(tmp_path: Path) -> None:
    """Seen with its own loader: 68 MB in the temporary folder, in a file without a name."""
    script = """
import json, os, sys
from rag.text.languages import detect
opened = []
def hook(event, arguments):
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        opened.append(str(arguments[0]))
    elif event.startswith("tempfile."):
        opened.append(event)
sys.dont_write_bytecode = True
sys.addaudithook(hook)
language = detect("The old harbour was built by fishermen, and its stone bridge still carries the road.")
print(json.dumps([language, opened]))
"""
    assert said(python(script, TMPDIR=str(tmp_path))) == ["en", []]


def model_file(path: Path, **changes: object) -> Path:
    """A model of two languages in the library's layout."""
    arrays = {
        "ptc": np.zeros((3, 2), np.float16),
        "pc": np.zeros(2, np.float32),
        "classes": np.array(["de", "en"]),
        "nextmove": np.zeros(256, np.uint16),
        "nextmove_row": np.zeros(1, np.uint16),
        "out_feat": np.zeros(1, np.int32),
    }
    packed = io.BytesIO()
    np.savez(packed, **(arrays | changes))
    path.write_bytes(lzma.compress(packed.getvalue()))
    return path


def test_a_language_that_the_model_lacks_is_left_out(tmp_path: Path) -> None:
    assert _loaded(model_file(tmp_path / "m"), ["en", "xx"]).labels == ["en"]


@pytest.mark.parametrize(
    "changes", [{"nextmove": np.zeros(256, np.int64)}, {"nextmove": np.zeros((2, 256), np.uint16)}]
)
def test_what_is_laid_out_otherwise_is_not_guessed_at(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(UnknownLayout):
        _loaded(model_file(tmp_path / "m", **changes), ["en"])


def test_neither_is_what_is_compressed_or_named_otherwise(tmp_path: Path) -> None:
    for name, method in (("ptc.npy", zipfile.ZIP_DEFLATED), ("other.npy", zipfile.ZIP_STORED)):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", method) as archive:
            archive.writestr(name, b"x" * 100)
        (tmp_path / "m").write_bytes(lzma.compress(packed.getvalue()))
        with pytest.raises(UnknownLayout):
            _loaded(tmp_path / "m", ["en"])
