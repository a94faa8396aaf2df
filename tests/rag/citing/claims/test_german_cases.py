"""Subject and object in German."""

from __future__ import annotations

import pytest

from rag.citing.claims.alignment import align
from rag.citing.claims.german_cases import part
from rag.citing.claims.indexing import indexed


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ("Den größten Teil liefert die Anlage", "Die Anlage liefert den größten Teil."),
        ("Die Anlage liefert den größten Teil", "Den größten Teil liefert die Anlage."),
        ("2,4 Millionen Mark kostete der Wiederaufbau", "Der Wiederaufbau kostete 2,4 Millionen Mark."),
        ("Die Fresken malte Caspar Wenig", "Caspar Wenig malte die Fresken."),
    ],
)
def test_the_object_may_stand_first(claim: str, text: str) -> None:
    assert align(claim, text) is not None


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ("Den Hund beißt der Mann", "Der Hund beißt den Mann."),
        ("Der Mann beißt den Hund", "Der Hund beißt den Mann."),
        ("Georg Stadler übernahm die Molkerei", "Später übernahm die Molkerei den Betrieb von Georg Stadler."),
        ("Die Pest wurde von Ratten auf Flöhe verbreitet", "Die Pest wurde von Flöhen auf Ratten verbreitet."),
    ],
)
def test_but_the_parts_stay(claim: str, text: str) -> None:
    assert align(claim, text) is None


def test_articles_tell_the_part() -> None:
    text = indexed("Der alte Hund beißt den jungen Mann der Stadt.")
    nouns = [at for at, term in enumerate(text.content) if term.capital]
    assert [part(text, at, 0) for at in nouns] == ["subject", "object", ""]
