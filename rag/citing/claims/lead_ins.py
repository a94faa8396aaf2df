"""What leads into a claim and is no part of it: `According to the manual,`, `Yes,`, `In short,`."""

from __future__ import annotations

import re

_WRITINGS = (
    r"(?:passage|document|text|source|excerpt|manual|file|article|documentation|handbook|guide|report|section|page|"
    r"readme|faq|release notes?|context|provided text)s?"
)
_SCHRIFTEN = (
    r"(?:text|dokument|quelle|abschnitt|handbuch|artikel|dokumentation|anleitung|bericht|auszug|datei|seite|kapitel)"
)
_SAYS = r"(?:states?|says?|mentions?|notes?|explains?|describes?|shows?|indicates?|specif(?:y|ies)|adds?)"
_LEAD_IN = re.compile(
    rf"(?:according to (?:the |this )?(?:[\w-]+ )?{_WRITINGS}(?: \d{{1,3}})?,?\s"
    rf"|as (?:the |this )?(?:[\w-]+ )?{_WRITINGS}(?: \d{{1,3}})? {_SAYS},\s"
    rf"|(?:the |this )?(?:[\w-]+ )?{_WRITINGS}(?: \d{{1,3}})? (?:also )?{_SAYS} (?:that )?"
    rf"|(?:it )?{_SAYS} that |it is (?:also )?(?:stated|noted|mentioned) that "
    r"|(?:yes|no|in short|in summary|in other words|overall|specifically|in particular|additionally|in addition|"
    r"furthermore|moreover|finally|for example|for instance|in fact|as a result|to summari[sz]e|briefly)[,:]\s"
    r"|note that |(?:ja|nein|kurz gesagt|kurzum|zusammengefasst|zusammenfassend|außerdem|zudem|genauer gesagt)[,:]\s"
    rf"|(?:laut|gemäß|nach) (?:dem |der |diesem |dieser )?{_SCHRIFTEN},?\s"
    rf"|(?:dem|der) {_SCHRIFTEN} zufolge,?\s"
    r"|selon (?:le |la )?(?:texte|document|source|passage|manuel),?\s"
    r"|según (?:el |la )?(?:texto|documento|fuente|pasaje|manual),?\s)",
    re.IGNORECASE,
)
_MOST = 3


def without_lead_in(claim: str) -> str:
    """The claim without what leads into it, in English, German, French and Spanish."""
    for _ in range(_MOST):
        match = _LEAD_IN.match(claim)
        if match is None or match.end() == len(claim):
            break
        claim = claim[match.end() :]
    return claim
