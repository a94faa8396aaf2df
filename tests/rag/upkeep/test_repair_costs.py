"""What a repair would embed, said before it is done: what no copy holds, and nothing else."""

from __future__ import annotations

import shutil

import pytest

from rag.manifest import VerdictName
from rag.prices import Prices
from rag.upkeep.doctor import examine
from rag.upkeep.findings import Examination, Finding
from rag.upkeep.repair_costs import SAMPLE, RepairPlan, intact_snapshots, needs, repair_plan
from rag.upkeep.repairs import repair
from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook, settings, text_of, total_chunks


@pytest.fixture
def book(tmp_path):
    made = notebook(tmp_path, CountingEmbedding())
    made.add([file("a.txt", text_of(4, 1)), file("b.txt", text_of(3, 2))])
    return made


def codes(book, **how):
    return [one.code for one in examine(book.place, book.config, **how).findings]


def test_what_no_copy_holds_is_paid_for_again_and_said_before(book):
    root = book.place.objects.root
    shutil.rmtree(next(root.glob("spaces/*/vectors.lance")))
    for path in book.place.folder.glob("index/*/chunks.lance/data/*"):
        path.unlink()
    planned = repair_plan(book.place, book.config, examine(book.place, book.config, deep=True))
    assert planned.texts == 7
    assert planned.tokens > 100
    assert planned.cost_usd is None  # the double stands for a server of unknown price
    assert planned.sentence.startswith("7 texts (")
    model = CountingEmbedding()
    done = repair(book.place, book.config, notebook(book.place.objects.root.parent, model).models.embedder)
    assert done.outcome.verdict.name is VerdictName.RECOVERED
    assert total_chunks(model) == 7
    assert book.status().verdict.name is VerdictName.HIT


def test_the_cache_is_filled_from_the_index_at_no_cost(book):
    shutil.rmtree(next(book.place.objects.root.glob("spaces/*/vectors.lance")))
    assert codes(book) == ["cache-damaged"]
    quiet = notebook(book.place.objects.root.parent)  # raises if a text is embedded
    assert repair(quiet.place, quiet.config, quiet.models.embedder).left == ()
    assert book.spaces()[0]["vectors"] == 7
    quiet.remove(["a.txt"])
    assert quiet.add([file("a.txt", text_of(4, 1))]).verdict.receipt.calls == 0


def test_the_headings_are_part_of_what_was_sent(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    text = "# Harvest\n\n" + text_of(3, 1) + "\n## Storage\n\n" + text_of(3, 2)
    book.add([file("a.md", text)])
    shutil.rmtree(next(book.place.objects.root.glob("spaces/*/vectors.lance")))
    quiet = notebook(tmp_path)
    repair(quiet.place, quiet.config, quiet.models.embedder)
    quiet.remove(["a.md"])
    assert quiet.add([file("a.md", text)]).verdict.receipt.calls == 0


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (RepairPlan(()), "There is nothing to repair."),
        (RepairPlan(("x",)), "Nothing will be embedded: everything else is in the vector cache or the index."),
        (RepairPlan(("x",), check_texts=16), "16 texts to check the model will be embedded: everything else is in"),
        (RepairPlan(("x",), 1, 2000, None), "1 text (2,000 tokens) are in no intact copy and will be paid for, at an"),
        (
            RepairPlan(("x",), 3, 9, 0.5),
            "3 texts (9 tokens) are in no intact copy and will be paid for, for about $0.5",
        ),
    ],
)
def test_the_sentence_says_what_it_costs(plan, sentence):
    assert plan.sentence.startswith(sentence)


def test_a_healthy_notebook_needs_nothing(book):
    planned = repair_plan(book.place, book.config, examine(book.place, book.config, deep=True))
    assert planned == RepairPlan(())


def test_planning_changes_nothing_and_calls_nobody(book):
    next(book.place.folder.glob("index/*/chunks.lance/data/*")).unlink()
    quiet = notebook(book.place.objects.root.parent)
    before = {path: path.stat().st_mtime_ns for path in quiet.place.objects.root.rglob("*") if path.is_file()}
    planned = repair_plan(quiet.place, quiet.config, examine(quiet.place, quiet.config))
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (planned.texts, planned.cost_usd) == (0, 0.0)
    assert planned.steps


def test_a_lost_space_costs_the_texts_that_check_the_model(book):
    next(book.place.objects.root.glob("spaces/*/space.json")).unlink()
    planned = repair_plan(book.place, book.config, examine(book.place, book.config))
    assert planned.check_texts == 2 * SAMPLE
    assert planned.texts == 0


def test_with_a_known_price_the_cost_is_known(book):
    root = book.place.objects.root
    shutil.rmtree(next(root.glob("spaces/*/vectors.lance")))
    next(book.place.folder.glob("index/*/chunks.lance/data/*")).unlink()
    config = settings(root.parent, prices=Prices(embedding=(("counting", 1000.0),)))
    planned = repair_plan(book.place, config, examine(book.place, config))
    assert planned.cost_usd == pytest.approx(planned.tokens / 1000)
    assert planned.cost_usd > 0


def test_where_no_sources_can_be_told_the_reason_is_a_step(book):
    for folder in (book.place.registry.path, book.place.folder / "index", book.place.objects.root / "originals"):
        shutil.rmtree(folder)
    planned = repair_plan(book.place, book.config, examine(book.place, book.config))
    assert "Add the files again" in planned.steps[-1]


def _finding(code, severity):
    return Finding(code, "Sentence.", "", "", severity=severity)


def test_only_damage_and_the_cache_are_needed_to_be_repaired():
    found = Examination((_finding("cache-damaged", "note"), _finding("table-fragmented", "note")), {}, 0.0)
    assert needs(found, "cache-")
    assert not needs(found, "table-")
    assert needs(Examination((_finding("table-unreadable", "damage"),), {}, 0.0), "table-", "rows-")


def test_a_snapshot_is_intact_with_every_byte_or_not_at_all(book):
    book.add([file("c.txt", text_of(2, 3))])
    newest, first = book.history()
    assert [one.snapshot for one in intact_snapshots(book.place)] == [2, 1]
    own = {one.path for one in newest.tables["chunks"].files} - {one.path for one in first.tables["chunks"].files}
    path = next(book.place.folder / newest.tables["chunks"].path / name for name in own if name.startswith("data/"))
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert [one.snapshot for one in intact_snapshots(book.place)] == [1]
