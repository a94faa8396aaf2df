"""Tags of a notebook's sources, changed by a person and given with files."""

from __future__ import annotations

import pytest

from rag.errors import Damaged, NotFound, TagInvalid
from rag.home.tagged import refuse_given, refuse_unknown, tag, tag_added, tags_of
from rag.sources.incoming import Incoming
from rag.sources.tags import MOST
from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook


@pytest.fixture
def place(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", "One."), file("b.txt", "Two.")])
    return book.place


def ids(place):
    return {row.name: row.source_id for row in place.wanted_sources()}


def by_name(place):
    names = {source_id: name for name, source_id in ids(place).items()}
    return {names[source_id]: tags for source_id, tags in tags_of(place).items()}


def damage(place):
    newest = sorted((place.folder / "tags").glob("*.json"))[-1]
    newest.write_bytes(b"{}")


def test_tags_are_of_the_sources_that_are_wanted(place):
    assert tags_of(place) == {}
    tag(place, ["a.txt", "b.txt"], add=["Old", "new"])
    tag(place, ["b.txt"], remove=["old"])
    assert by_name(place) == {"a.txt": ("new", "Old"), "b.txt": ("new",)}
    place.tags.change(lambda of: {**of, "gone": ("left",)})
    assert "gone" not in tags_of(place)


def test_what_is_not_there_is_named(place):
    refuse_unknown(["a.txt"], ids(place))
    with pytest.raises(NotFound, match=r"no source 'c.txt'.*It has: a.txt, b.txt"):
        refuse_unknown(["a.txt", "c.txt"], ids(place))
    with pytest.raises(NotFound, match="no tag 'x'"):
        tag(place, ["a.txt"], add=["y"], remove=["x"])
    assert tags_of(place) == {}


def test_tags_that_come_with_files_are_looked_at_first(place):
    refuse_given(place, [Incoming("c.txt", content=b"x", tags=("fine",))])
    with pytest.raises(TagInvalid):
        refuse_given(place, [Incoming("c.txt", content=b"x", tags=("",))])
    tag(place, ["a.txt"], add=[f"tag {number}" for number in range(MOST)])
    with pytest.raises(TagInvalid, match=f"a.txt would have {MOST + 1}"):
        refuse_given(place, [Incoming("a.txt", content=b"x", tags=("one more",))])


def test_damaged_tags_stop_only_who_brings_some(place):
    tag(place, ["a.txt"], add=["kept"])
    damage(place)
    refuse_given(place, [Incoming("c.txt", content=b"x")])
    tag_added(place, set(ids(place).values()), {"a.txt": ()})
    with pytest.raises(Damaged):
        refuse_given(place, [Incoming("c.txt", content=b"x", tags=("new",))])
    with pytest.raises(Damaged):
        tag_added(place, set(ids(place).values()), {"a.txt": ("new",)})


def test_a_source_that_comes_again_has_no_tags_of_before(place):
    tag(place, ["a.txt", "b.txt"], add=["old"])
    others = {source_id for name, source_id in ids(place).items() if name != "a.txt"}
    tag_added(place, others, {"a.txt": ("new", "new"), "b.txt": ("more",)})
    assert by_name(place) == {"a.txt": ("new",), "b.txt": ("more", "old")}
