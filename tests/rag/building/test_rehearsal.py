from __future__ import annotations

from rag.building.rehearsal import rehearsed, stand_in
from rag.home.place import place_of
from rag.spaces.space import Space
from rag.storage.originals import Originals
from rag.tables.lance_files import latest_version
from rag.tables.vectors import VectorCache
from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook, settings, text_of


def state_of(home):
    return {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in home.rglob("*")}


def test_it_holds_what_the_home_holds_and_nothing_done_to_it_reaches_the_home(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(2, 1)), file("b.txt", text_of(2, 2))])
    before = state_of(tmp_path)
    place = book.place
    with rehearsed(place) as stand:
        root = stand.objects.root
        assert not root.is_relative_to(tmp_path)
        assert stand.snapshots.head() == place.snapshots.head()
        assert stand.states.newest() == place.states.newest()
        version = stand.states.newest().registry
        rows = stand.registry.rows(version)
        assert rows == place.registry.rows(version)
        (space,) = stand.spaces.all()
        assert isinstance(space, Space)
        cache = VectorCache(root / stand.spaces.folder(space.fingerprint), space.dimensions)
        cache.rewrite_without(cache.keys().to_pylist())
        assert len(cache) == 0
        stand.registry.write(rows[:1], version)
        assert latest_version(stand.registry.path) > latest_version(place.registry.path)
        Originals(stand.objects).keep(b"something new")
        stand.objects.delete(stand.originals.name(rows[0].digest))
        stand.objects.delete(stand.snapshots.name(1))
        stand.states.change(lambda state: state)
        assert stand.snapshots.head() is None
    assert not root.exists()
    assert state_of(tmp_path) == before


def test_of_a_home_that_is_not_there_nothing_is_made(tmp_path):
    home = tmp_path / "none"
    with rehearsed(place_of(settings(home), "main")) as stand:
        assert stand.snapshots.head() is None
        target = stand.originals.path("ab" * 32)
        for content in ("one", "two"):
            (tmp_path / "file").write_text(content)
            stand_in(tmp_path / "file", target)
            assert target.read_text() == content
    assert not home.exists()
    assert (tmp_path / "file").read_text() == "two"
