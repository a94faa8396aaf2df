"""Where a sentence has the terms of a claim."""

from __future__ import annotations

from rag.citing.claims.indexing import indexed
from rag.citing.claims.pairing import Pairing


def test_the_place_that_continues_a_stretch_is_chosen() -> None:
    said, source = indexed("dogs chase cats"), indexed("Old dogs sleep while young dogs chase cats.")
    pairing = Pairing(said, 0, len(said.content), source, *source.bounds[0])
    pairing.choose()
    words = [source.content[place].keys[0] for place in pairing.places if place is not None]
    assert words == ["dogs", "chase", "cats"]
    assert len(pairing.candidates[0]) == 2
    places = [place for place in pairing.places if place is not None]
    assert places == list(range(places[0], places[0] + 3))
    assert pairing.chosen < pairing.taken
