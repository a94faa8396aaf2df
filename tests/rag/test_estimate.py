from __future__ import annotations

import pytest

from rag.ledger import Ledger
from rag.notebook import Incoming, Notebook
from tests.doubles import CountingEmbedding
from tests.notebooks import CANARY, file, local_settings, lying, notebook, settings, text_of


def everything(home):
    return {path.relative_to(home): path.stat().st_mtime_ns for path in home.rglob("*")} if home.exists() else {}


@pytest.mark.parametrize("price", [0.0, 3.0, None])
def test_it_is_right_to_the_token_and_keeps_and_calls_nothing(tmp_path, price):
    home = tmp_path / "home"
    model = CountingEmbedding()
    book = notebook(home, model, usd_per_million_tokens=price)
    given = [file("a.txt", text_of(4, 1)), file("b.txt", text_of(3, 2)), file("same.txt", text_of(3, 2))]
    for wave in (given, [file("a.txt", text_of(2, 1) + text_of(2, 7)), file("c.txt", text_of(2, 3))]):
        before = everything(home)
        found = book.estimate(wave)
        assert everything(home) == before
        calls = model.calls
        outcome = book.add(wave)
        assert model.calls > calls
        receipt = outcome.verdict.receipt
        assert (found.texts, found.tokens, found.canary_texts) == (receipt.texts, receipt.tokens, CANARY)
        assert (found.chunks, found.reused) == (outcome.chunks.total, outcome.chunks.reused)
        assert found.cost_usd == (None if price is None else pytest.approx(receipt.cost_usd))
        again = book.estimate(wave)
        assert (again.texts, again.tokens, again.cost_usd, again.canary_texts) == (0, 0, 0.0, 0)
        assert again.sentence.startswith("Nothing would be paid for")
    shown = {0.0: "free of charge", 3.0: "about $", None: "unknown price"}[price]
    assert shown in found.sentence


def test_the_embedded_model_too(tmp_path):
    book = Notebook(local_settings(tmp_path))
    given = [file("a.txt", "Bread dough rises because yeast makes carbon dioxide.")]
    found = book.estimate(given)
    receipt = book.add(given).verdict.receipt
    assert (found.texts, found.tokens, found.cost_usd) == (receipt.texts, receipt.tokens, 0.0)
    more = [file("b.txt", "Water boils at one hundred degrees.")]
    found = book.estimate(more)
    assert found.canary_texts == 0
    assert found.tokens == book.add(more).verdict.receipt.tokens


def test_what_cannot_be_added_is_named(tmp_path):
    book = notebook(tmp_path / "home", CountingEmbedding())
    found = book.estimate(
        [
            file("empty.txt", b""),
            Incoming("gone.txt", tmp_path / "gone.txt"),
            Incoming("endless.txt", tmp_path.joinpath("/dev/zero")),
            lying(tmp_path / "good.txt", text_of(2)),
        ]
    )
    assert {name for name, _ in found.failures} == {"empty.txt", "gone.txt", "endless.txt"}
    assert all(reason.endswith(".") for _, reason in found.failures)
    assert (found.texts, found.sources.failed) == (2, 3)
    assert not (tmp_path / "home").exists()


def test_what_waits_counts_and_a_switch_does(tmp_path):
    model = CountingEmbedding()
    notebook(tmp_path, model).add([file("a.txt", text_of(4))])
    other = notebook(settings(tmp_path, embed_model="other"), CountingEmbedding(seed=1))
    found = other.estimate()
    receipt = other.build().verdict.receipt
    assert (found.texts, found.tokens) == (receipt.texts, receipt.tokens)
    assert notebook(tmp_path, model).estimate().texts == 0


def test_no_key_is_needed_to_count(tmp_path):
    book = Notebook(settings(tmp_path, embedder="openai", embed_model="text-embedding-3-small", embed_base_url=None))
    found = book.estimate([file("a.txt", text_of(3))])
    assert (found.texts, found.canary_texts) == (3, CANARY)
    assert found.tokens > 100
    assert found.cost_usd == pytest.approx(found.tokens * 0.02 / 1e6)
    assert list(Ledger(book.place.objects).entries()) == []
