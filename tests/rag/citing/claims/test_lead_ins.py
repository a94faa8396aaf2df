"""What leads into a claim."""

from __future__ import annotations

import pytest

from rag.citing.claims.lead_ins import without_lead_in


@pytest.mark.parametrize(
    ("claim", "left"),
    [
        ("According to the manual, owls hunt.", "owls hunt."),
        ("According to passage 2, owls hunt.", "owls hunt."),
        ("Yes, owls hunt.", "owls hunt."),
        ("In short, according to the user guide, owls hunt.", "owls hunt."),
        ("The document states that owls hunt.", "owls hunt."),
        ("Laut dem Handbuch jagen Eulen.", "jagen Eulen."),
        ("Kurz gesagt: Eulen jagen.", "Eulen jagen."),
        ("Selon le texte, le hibou chasse.", "le hibou chasse."),
        ("According to Ann Lee, owls hunt.", "According to Ann Lee, owls hunt."),
        ("No owl hunts.", "No owl hunts."),
        ("Yes, ", "Yes, "),
    ],
)
def test_only_what_says_nothing_is_taken_off(claim: str, left: str) -> None:
    assert without_lead_in(claim) == left
