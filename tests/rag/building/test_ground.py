"""Where a build stands."""

from __future__ import annotations

from rag.building.ground import BUILDING, find, stand
from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook, settings, text_of


def test_an_empty_place_has_no_ground(tmp_path):
    found = find(notebook(tmp_path).place)
    assert (found.head, found.registry_version, found.passed_over) == (None, None, ())
    ground = stand(found, settings(tmp_path), None)
    assert (ground.base, ground.wanted, ground.empty, ground.complete) == (None, [], True, False)
    assert ground.todo.nothing


def test_what_is_wanted_and_what_there_is_make_the_plan(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(2, 1)), file("b.txt", text_of(2, 2))])
    (space,) = book.place.spaces.all()
    ground = stand(find(book.place), book.config, space)
    assert (ground.complete, ground.empty, ground.space, len(ground.todo.keep)) == (True, False, space, 2)
    wider = stand(find(book.place), settings(tmp_path, chunk_size=96), space)
    assert (wider.complete, wider.base, [row.name for row in wider.todo.read]) == (False, None, ["a.txt", "b.txt"])
    assert all(not row.chunks for row in wider.wanted)  # those of another recipe are not in this index


def test_damaged_snapshots_are_passed_over_and_the_base_is_of_the_wanted_recipe(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(2, 1))])
    book.add([file("b.txt", text_of(2, 2))])
    (space,) = book.place.spaces.all()
    found = find(book.place)
    assert found.head is not None
    assert found.head.snapshot == 2
    base = stand(found, book.config, space).base
    assert base is not None
    assert (base.manifest.snapshot, base.at_rest().count, len(base.rows)) == (2, 4, 2)
    newest = book.place.objects.root / book.place.snapshots.name(2)
    newest.write_bytes(b"{}")
    found = find(book.place)
    assert found.head is not None
    assert (found.head.snapshot, len(found.passed_over)) == (1, 1)
    ground = stand(found, book.config, space, (*found.passed_over, "Another look found this."))
    assert (ground.passed_over, ground.complete) == ((*found.passed_over, "Another look found this."), False)
    assert ground.base is not None
    with ground.table(space, ground.base.manifest.recipe_fp) as table:
        assert table.count == 2


def test_a_new_table_is_in_a_folder_that_nobody_needs(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(2, 1))])
    (space,) = book.place.spaces.all()
    recipe_fp = book.history()[0].recipe_fp
    pinned = book.place.folder / book.place.index_folder(recipe_fp)
    begun = stand(find(book.place), settings(tmp_path, chunk_size=96), space)
    with begun.table(space, "f" * 64) as table:
        assert table.path.parent == book.place.folder / "index" / ("f" * 16)
        assert (table.path.parent / BUILDING).exists()
    assert not (table.path.parent / BUILDING).exists()
    # Pinned, and what is left of a build that never finished: the one is gone round, the other cleared away.
    with begun.table(space, recipe_fp) as table:
        assert table.path.parent == pinned.with_name(f"{pinned.name}-2")
    (table.path.parent / "left").mkdir()
    with begun.table(space, recipe_fp) as again:
        assert again.path == table.path
        assert not (table.path.parent / "left").exists()
        with begun.table(space, recipe_fp) as third:  # somebody is building there
            assert third.path.parent.name.endswith("-3")
    book.place.files.at(book.place.snapshots.name(1)).write_bytes(b"{}")
    with begun.table(space, "f" * 64) as table:  # nobody knows what the damaged one pins
        assert table.path.parent.name.endswith("-2")


def test_older_snapshots_are_looked_at_only_when_one_of_them_is_needed(tmp_path):
    first = notebook(tmp_path, CountingEmbedding())
    first.add([file("a.txt", text_of(2, 1))])
    (space,) = first.place.spaces.all()
    other = notebook(settings(tmp_path, chunk_size=96), CountingEmbedding())
    other.build()
    assert stand(find(first.place), first.config, space).base.manifest.snapshot == 1
    old = first.place.snapshots.get(1).tables["chunks"]
    data = next(one.path for one in old.files if one.path.startswith("data/"))
    (first.place.folder / old.path / data).unlink()
    found = find(first.place)
    assert (found.head.snapshot, found.passed_over) == (2, ())
    assert stand(found, other.config, space).base.manifest.snapshot == 2
    assert stand(found, first.config, space).base is None
