"""Words that say the same in manuals and reference texts: verbs and adjectives that a paraphrase puts for each other
without a thought. No thesaurus: each group is small, general, and names no thing."""

from __future__ import annotations

from rag.citing.claims.lexicon import ROOTS

_ENGLISH = """
begin start commence; end finish conclude; show display; allow permit; big large; film
movie; buy purchase acquire; need require; remove delete erase; get receive obtain; choose select pick; change modify
alter; answer respond reply; skip omit; exclude omit; ship vessel; country nation; world planet globe; fast quick
rapid; contain include comprise encompass; locate situate; latest newest; error mistake; yearly annual annually;
additional extra further; die death; build construct erect; found establish; create make; occur happen;
help assist aid; try attempt; next following; globally worldwide; consist compose; hold have; spring springtime;
 store save; remain stay; last take; launch release; stop halt cease; repair fix; whole entire; main primary
principal; significant important; produce manufacture; forbid prohibit ban; folder directory; verify check; ensure
guarantee; provide offer supply; send transmit; live reside dwell; own possess; defeat beat; rebuild reconstruct;
close shut; depart leave; arrive reach; merge combine; divide split; carry transport convey; replace supersede; gather
collect; small little; enormous huge vast; old ancient; famous renowned; modern contemporary; similar alike; difficult
hard; easy simple; wrong incorrect; enough sufficient; increase rise grow; decrease decline drop; describe explain;
previously formerly before; usually normally typically generally; often frequently; daily day; weekly week; monthly
month; advance ahead earlier; longer anymore; reject refuse; purge clear; insert add; author writer; appear emerge;
wait pause; publish release; invent devise; obligatory mandatory compulsory; attract draw; cheap inexpensive;
expensive costly; speed pace; almost nearly; younger under
"""
_GERMAN = """
beginnen starten anfangen; verwenden benutzen nutzen gebrauchen einsetzen; bauen errichten erbauen; erhalten bekommen;
zeigen anzeigen darstellen; erlauben gestatten zulassen; kaufen erwerben; loschen entfernen beseitigen; herstellen
produzieren erzeugen fertigen; liegen befinden; andern verandern; wahlen auswahlen; brauchen benotigen erfordern;
umfassen enthalten beinhalten; veroffentlichen publizieren herausgeben bekanntgeben; leben wohnen; sinken fallen;
steigen wachsen zunehmen; enden aufhoren; entwickeln entwerfen; versuchen probieren; prufen kontrollieren; nennen
bezeichnen; verbieten untersagen; ersetzen austauschen
"""
_GERMAN_AS_THEY_ARE = """
montag montags; dienstag dienstags; mittwoch mittwochs; donnerstag donnerstags; freitag freitags; samstag samstags
sonnabend sonnabends; sonntag sonntags; morgen morgens; abend abends; nacht nachts;
kostenlos gratis kostenfrei unentgeltlich; schnell rasch; wichtig bedeutend; taglich tag; jahrlich jahr; wochentlich
woche; stets immer; zulassig erlaubt gestattet; ungefahr etwa rund; gesamt ganz; eingesetzt verwendet benutzt genutzt;
angefangen begonnen; zugelassen erlaubt; hergestellt produziert; ausgewahlt gewahlt; herausgegeben veroffentlicht
"""


def _inflected(base: str) -> set[str]:
    short = base[:-1]
    found = {base, *(base + end for end in ("s", "es", "ed", "d", "ing", "er", "est", "ly"))}
    found |= {base + base[-1] + end for end in ("ed", "ing", "er", "est")}
    if base[-1] == "e":
        found |= {short + "ing", short + "ed", short + "est"}
    if base[-1] == "y":
        found |= {short + "ied", short + "ies", short + "ier"}
    return found | {form for form, root in ROOTS.items() if root == base}


def _conjugated(base: str) -> set[str]:
    stem = base.removesuffix("n").removesuffix("e")
    found = {base, *(stem + end for end in ("e", "t", "et", "te", "ten", "ete", "eten", "en", "est", "st"))}
    found |= {f"ge{stem}t", f"ge{stem}et", f"{stem}ung", f"{stem}end", f"ge{stem}en"}
    return found | {form for form, root in ROOTS.items() if root == base}


def _groups() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for groups, forms in ((_ENGLISH, _inflected), (_GERMAN, _conjugated), (_GERMAN_AS_THEY_ARE, lambda word: {word})):
        for group in groups.split(";"):
            words = group.split()
            for word in words:
                for form in forms(word):
                    keys = found.setdefault(form, [])
                    if f"={words[0]}" not in keys:
                        keys.append(f"={words[0]}")
    return {form: tuple(keys) for form, keys in found.items()}


SYNONYMS: dict[str, tuple[str, ...]] = _groups()
"""By form of a word the groups it belongs to, each `=` and the first word of the group."""
