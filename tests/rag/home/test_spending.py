"""A paid call has its line before its result is used; where it has none, that is said and the work stops."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.errors import QuotaExceeded, StoreError
from rag.home.place import Place
from rag.home.spending import record_reply, recorded, with_reply
from rag.manifest import Receipt
from rag.models.llms import LlmUsage
from rag.storage.ledger import Entry, Ledger
from rag.storage.objects import LocalObjects
from tests.doubles import CountingEmbedding, embedder_of
from tests.notebooks import text_of

USED = LlmUsage(calls=2, prompt_tokens=100, completion_tokens=20, cost_usd=0.25, seconds=1.0, exact=True)
FREE = LlmUsage(calls=1, prompt_tokens=100, completion_tokens=20, cost_usd=0.0, seconds=1.0, exact=True)
UNPRICED = LlmUsage(calls=1, prompt_tokens=5, completion_tokens=1, cost_usd=None, seconds=1.0, exact=False)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(LocalObjects(tmp_path / "home"), "main")


@pytest.fixture
def blocked(place: Place) -> Iterator[Path]:
    """No ledger can be written: a file lies in the place of its folder."""
    folder = place.objects.root / "ledger"
    folder.parent.mkdir(parents=True)
    folder.write_text("in the way")
    yield folder
    folder.unlink(missing_ok=True)
    Ledger(place.objects).settle()


def lines(place: Place) -> list[Entry]:
    return list(Ledger(place.objects).entries())


def embed(embedder, texts: int = 3) -> int:
    return sum(len(rows) for rows, _ in embedder.embed(text_of(texts).split("\n\n"), "text"))


def test_every_batch_is_a_line_before_the_next_is_paid_for(place: Place) -> None:
    embedder = embedder_of(CountingEmbedding(), batch_size=2, usd_per_million_tokens=10.0)
    found = []
    with recorded(place, embedder, "counting", "build", snapshot=4, space="s"):
        for rows, _ in embedder.embed(text_of(5).split("\n\n"), "text"):
            found.append((len(rows), len(lines(place))))
    assert found == [(2, 1), (2, 2), (1, 3)]
    (first, *_) = lines(place)
    assert (first.model, first.purpose, first.texts, first.notebook) == ("counting", "build", 2, "main")
    assert (first.snapshot, first.space) == (4, "s")
    assert first.cost_usd == pytest.approx(first.tokens * 10.0 / 1e6)


def test_outside_of_it_nobody_listens(place: Place) -> None:
    embedder = embedder_of(CountingEmbedding(), usd_per_million_tokens=10.0)
    with recorded(place, embedder, "counting", "build", snapshot=1):
        embed(embedder)
    before = lines(place)
    embed(embedder)
    assert lines(place) == before


def test_where_no_line_could_be_written_nothing_is_paid_for(place: Place, blocked: Path) -> None:
    model = CountingEmbedding()
    with (
        pytest.raises(StoreError),
        recorded(place, embedder_of(model, usd_per_million_tokens=10.0), "m", "build", snapshot=1),
    ):
        pytest.fail("went on")
    assert model.calls == 0


def test_what_costs_nothing_needs_no_ledger_to_begin(place: Place) -> None:
    embedder = embedder_of(CountingEmbedding(), usd_per_million_tokens=0.0)
    with recorded(place, embedder, "counting", "build", snapshot=1) as recording:
        assert not recording.ledger.folder().exists()
        assert embed(embedder) == 3


def test_a_line_that_fails_midway_is_told_at_the_end_and_what_was_paid_for_is_kept(place: Place) -> None:
    embedder = embedder_of(CountingEmbedding(), usd_per_million_tokens=1e6)
    folder = place.objects.root / "ledger"
    done = 0
    with (  # noqa: PT012 what follows the failure is the point
        pytest.raises(StoreError, match=r"no line of 1 paid call to m \(.*3 texts, .*What was paid for is kept\.$"),
        recorded(place, embedder, "m", "build", snapshot=1),
    ):
        away = folder.rename(folder.with_name("away"))
        folder.write_text("in the way")
        done = embed(embedder)
    assert done == 3
    folder.unlink()
    away.rename(folder)
    Ledger(place.objects).settle()
    assert [one.texts for one in lines(place)] == [3], "it waited, and was written once there was room"


def test_a_failure_and_a_missing_line_are_told_together(place: Place) -> None:
    model = CountingEmbedding(fail_at=3, error=QuotaExceeded("The quota is spent. Wait."))
    embedder = embedder_of(model, batch_size=2, usd_per_million_tokens=1e6)
    folder = place.objects.root / "ledger"
    with (  # noqa: PT012 what follows the failure is the point
        pytest.raises(StoreError, match=r"^The quota is spent\. Wait\. .*no line of 1 paid call to m"),
        recorded(place, embedder, "m", "build", snapshot=1),
    ):
        away = folder.rename(folder.with_name("away"))
        folder.write_text("in the way")
        embed(embedder)
    folder.unlink()
    away.rename(folder)
    Ledger(place.objects).settle()


def test_a_failure_alone_stays_itself(place: Place) -> None:
    model = CountingEmbedding(fail_at=3, error=QuotaExceeded("The quota is spent. Wait."))
    embedder = embedder_of(model, batch_size=2, usd_per_million_tokens=1e6)
    with (
        pytest.raises(QuotaExceeded, match=r"^The quota is spent\. Wait\.$"),
        recorded(place, embedder, "m", "build", snapshot=1),
    ):
        embed(embedder)
    assert [one.texts for one in lines(place)] == [2]


def test_a_reply_has_a_line_unless_it_cost_nothing(place: Place) -> None:
    assert record_reply(place, "llm", FREE, "answer", 3) == []
    assert record_reply(place, "llm", LlmUsage(0, 0, 0, None, 0.0, exact=False), "answer", 3) == []
    assert lines(place) == []
    assert record_reply(place, "llm", USED, "rerank", 3) == []
    assert record_reply(place, "llm", UNPRICED, "answer", 3) == []
    assert [(one.purpose, one.texts, one.tokens, one.cost_usd) for one in lines(place)] == [
        ("rerank", 0, 120, 0.25),
        ("answer", 0, 6, None),
    ]


def test_words_that_are_paid_for_are_handed_on_with_a_note(place: Place, blocked: Path) -> None:
    (note,) = record_reply(place, "llm", USED, "answer", 3)
    assert "The ledger has no line of 1 paid call to llm" in note
    assert note.endswith("What was paid for is kept.")


@pytest.mark.parametrize(
    ("cost", "usage", "total"),
    [(0.5, USED, 0.75), (0.0, FREE, 0.0), (None, USED, None), (0.5, UNPRICED, None)],
)
def test_a_receipt_with_a_reply_never_takes_unknown_for_nothing(
    cost: float | None, usage: LlmUsage, total: float | None
) -> None:
    found = with_reply(Receipt(calls=1, texts=1, tokens=10, cost_usd=cost), usage)
    assert (found.calls, found.texts, found.cost_usd) == (1 + usage.calls, 1, total)
    assert found.tokens == 10 + usage.prompt_tokens + usage.completion_tokens
