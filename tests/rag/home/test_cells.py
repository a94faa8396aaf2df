from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from rag.checked import FORMAT, dump_checked
from rag.citing.answer import Answer, Citation, Passage
from rag.errors import AlreadyExists
from rag.home.cells import Cell, Cells
from rag.manifest import Receipt, VerdictName
from rag.sources.restriction import Restriction
from rag.storage.objects import LocalObjects

ANSWER = Answer(
    question="Wie viel? “quoted” \u2028 水",
    text="49 euros [1].",
    kind="generated",
    citations=(
        Citation(1, "a.txt", "It costs 49 euros.", "verified", 3, 10, 28, "c1"),
        Citation(1, "a", "x", "not found"),
    ),
    passages=(Passage(1, "c1", "s1", "a.txt", "It costs 49 euros.", 0.75, 3, 4, 10, 28, "H", 0.5, 2.0, ("b.txt",)),),
    snapshot=4,
    verdict=VerdictName.HIT,
    recipe_fp="r",
    space="s",
    model="m",
    receipt=Receipt(calls=1, tokens=9, cost_usd=None, seconds=1.5, stages={"search": 0.25}),
    notes=("A note.",),
    asked="Wie viel kostet es?",
    first_token_seconds=0.125,
)


@pytest.fixture
def cells(tmp_path: Path) -> Cells:
    return Cells(LocalObjects(tmp_path), "n")


def test_an_answer_survives_a_restart(cells: Cells, tmp_path: Path) -> None:
    kept = cells.keep(ANSWER)
    assert kept.answer == ANSWER
    assert Cells(LocalObjects(tmp_path), "n").all() == [kept]


def test_chunks_joined_to_a_passage_survive_and_older_cells_have_none(cells: Cells, tmp_path: Path) -> None:
    answer = replace(ANSWER, passages=(replace(ANSWER.passages[0], joined=("c2", "c3")),))
    assert cells.keep(answer).answer == cells.all()[0].answer == answer
    before = asdict(ANSWER)
    del before["passages"][0]["joined"], before["only"], before["searched"]
    body = {"format": FORMAT, "id": "old", "created": "2020-01-01T00:00:00Z", "answer": before}
    LocalObjects(tmp_path).create("notebooks/n/cells/old.json", dump_checked(body))
    assert cells.all()[0].answer == ANSWER


def test_what_the_search_was_restricted_to_survives(cells: Cells) -> None:
    for only in (
        Restriction(("a.txt", "*.md"), ("pdf",), "2026-01-01", (3, 10), ("tax", "to read")),
        Restriction(types=("text",)),
    ):
        answer = replace(ANSWER, only=only)
        assert cells.keep(answer).answer == answer
        assert cells.all()[-1].answer == answer


def test_what_was_searched_for_instead_of_a_follow_up_survives(cells: Cells) -> None:
    answer = replace(ANSWER, question="And in 2024?", searched="And in 2024? revenue Uber")
    assert cells.keep(answer).answer == cells.all()[-1].answer == answer


def test_a_restriction_from_before_there_were_tags_is_read(cells: Cells, tmp_path: Path) -> None:
    answer = replace(ANSWER, only=Restriction(types=("pdf",)))
    before = asdict(answer)
    del before["only"]["tags"]
    body = {"format": FORMAT, "id": "old", "created": "2020-01-01T00:00:00Z", "answer": before}
    LocalObjects(tmp_path).create("notebooks/n/cells/old.json", dump_checked(body))
    assert cells.all()[0].answer == answer


def test_cells_are_in_the_order_of_asking(cells: Cells) -> None:
    kept = [cells.keep(replace(ANSWER, question=str(number))) for number in range(5)]
    assert sorted(cells.all(), key=lambda cell: cell.id) == sorted(kept, key=lambda cell: cell.id)
    assert [cell.created for cell in cells.all()] == sorted(cell.created for cell in kept)
    assert len({cell.id for cell in kept}) == 5


def test_dropping_can_be_undone(cells: Cells) -> None:
    first, second = cells.keep(ANSWER), cells.keep(ANSWER)
    cells.drop(first.id)
    assert cells.all() == [second]
    cells.drop(first.id)
    cells.put_back(first)
    assert {cell.id for cell in cells.all()} == {first.id, second.id}
    assert first in cells.all()
    with pytest.raises(AlreadyExists):
        cells.put_back(replace(first, answer=replace(ANSWER, text="other")))


@pytest.mark.parametrize("damage", ["emptied", "truncated", "flipped", "no cell"])
def test_a_damaged_cell_hides_no_other(damage: str, cells: Cells, tmp_path: Path) -> None:
    whole, broken = cells.keep(ANSWER), cells.keep(ANSWER)
    path = tmp_path / "notebooks" / "n" / "cells" / f"{broken.id}.json"
    content = path.read_bytes()
    path.write_bytes(
        {
            "emptied": b"",
            "truncated": content[:-10],
            "flipped": content.replace(b"euros", b"Euros", 1),
            "no cell": b'{"checksum": "x"}',
        }[damage]
    )
    assert cells.all() == [whole]


def test_a_cell_of_unknown_shape_is_passed_over(cells: Cells, tmp_path: Path) -> None:
    from rag.checked import dump_checked

    folder = tmp_path / "notebooks" / "n" / "cells"
    folder.mkdir(parents=True)
    for number, body in enumerate(({}, {"answer": 1}, {"id": "x", "created": "x", "answer": {"citations": [1]}})):
        (folder / f"{number}.json").write_bytes(dump_checked(body))
    assert cells.all() == []


@pytest.mark.parametrize("cell_id", ["../../secret", "", ".", "a/b", "*"])
def test_only_an_id_can_be_dropped(cell_id: str, cells: Cells, tmp_path: Path) -> None:
    kept = cells.keep(ANSWER)
    (tmp_path / "secret.json").write_bytes(b"x")
    cells.drop(cell_id)
    assert cells.all() == [kept]
    assert (tmp_path / "secret.json").exists()


def test_notebooks_have_cells_of_their_own(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path)
    Cells(objects, "a").keep(ANSWER)
    assert Cells(objects, "b").all() == []


def test_a_cell_is_a_value() -> None:
    assert Cell("a", "b", ANSWER) == Cell("a", "b", replace(ANSWER))
