from __future__ import annotations

from rag.building.ground import find_ground
from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook, settings, text_of


def test_an_empty_place_has_no_ground(tmp_path):
    ground = find_ground(notebook(tmp_path).place)
    assert (ground.head, ground.registry_version, ground.passed_over) == (None, None, [])
    assert ground.base(settings(tmp_path), None) is None


def test_damaged_snapshots_are_passed_over_and_the_base_is_of_the_wanted_recipe(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(2, 1))])
    book.add([file("b.txt", text_of(2, 2))])
    (space,) = book.place.spaces.all()
    ground = find_ground(book.place)
    assert ground.head is not None
    assert ground.head.snapshot == 2
    base = ground.base(book.config, space)
    assert base is not None
    assert (base.manifest.snapshot, base.at_rest().count, len(base.rows)) == (2, 4, 2)
    assert ground.base(settings(tmp_path, chunk_size=96), space) is None
    newest = book.place.objects.root / book.place.snapshots.name(2)
    newest.write_bytes(b"{}")
    ground = find_ground(book.place)
    assert ground.head is not None
    assert (ground.head.snapshot, len(ground.passed_over)) == (1, 1)
    base = ground.base(book.config, space)
    assert base is not None
    assert base.at_rest().count == 2
    # Nobody knows what the damaged one pins: a new table gets a folder of its own.
    table = ground.new_table(base.manifest.recipe_fp, space)
    assert table.path.parent.name.endswith("-2")


def test_older_snapshots_are_looked_at_only_when_one_of_them_is_needed(tmp_path):
    first = notebook(tmp_path, CountingEmbedding())
    first.add([file("a.txt", text_of(2, 1))])
    (space,) = first.place.spaces.all()
    other = notebook(settings(tmp_path, chunk_size=96), CountingEmbedding())
    other.build()
    assert find_ground(first.place).base(first.config, space).manifest.snapshot == 1
    old = first.place.snapshots.get(1).tables["chunks"]
    data = next(one.path for one in old.files if one.path.startswith("data/"))
    (first.place.folder / old.path / data).unlink()
    ground = find_ground(first.place)
    assert (ground.head.snapshot, ground.passed_over) == (2, [])
    assert ground.base(other.config, space).manifest.snapshot == 2
    assert ground.base(first.config, space) is None
