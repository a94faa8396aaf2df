from __future__ import annotations

import shutil

import pytest

from rag.notebook import Notebook
from rag.sources.incoming import Incoming
from rag.storage.ledger import Ledger
from rag.tables.vectors import VectorCache
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


def agree(book, given=(), *, home):
    """An estimate, and then what it is of: right to the token, and nothing under the home is touched by it."""
    before = everything(home)
    content = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    found = book.estimate(given)
    assert everything(home) == before
    assert all(path.read_bytes() == was for path, was in content.items())
    outcome = book.add(given) if given else book.build()
    receipt = outcome.verdict.receipt
    assert (found.texts, found.tokens, found.canary_texts) == (receipt.texts, receipt.tokens, receipt.canary_texts)
    assert (found.chunks, found.reused) == (outcome.chunks.total, outcome.chunks.reused)
    return found, outcome


def test_an_original_that_came_back(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(3, 1)), file("b.txt", text_of(2, 2))])
    row = book.sources()[0]
    original = book.place.originals.path(row.digest)
    content = original.read_bytes()
    original.unlink()
    wide = notebook(settings(tmp_path, chunk_size=96), CountingEmbedding())
    found, outcome = agree(wide, home=tmp_path)
    assert [name for name, _ in outcome.failures] == [name for name, _ in found.failures] == ["a.txt"]
    original.write_bytes(content)
    found, _ = agree(wide, home=tmp_path)
    assert found.texts > 0
    original.write_bytes(content[:-1])
    wider = notebook(settings(tmp_path, chunk_size=128), CountingEmbedding())
    found, _ = agree(wider, home=tmp_path)
    assert [name for name, _ in found.failures] == ["a.txt"]
    # The file is given again: it takes the place of the damaged one.
    found, outcome = agree(wider, [file("a.txt", content)], home=tmp_path)
    assert found.failures == outcome.failures == ()
    assert outcome.sources.total == 2


def test_two_files_of_one_name(tmp_path):
    home = tmp_path / "home"
    book = notebook(home, CountingEmbedding())
    given = [
        lying(tmp_path / "one" / "notes.txt", text_of(2, 1)),
        lying(tmp_path / "two" / "notes.txt", text_of(3, 2)),
        lying(tmp_path / "three" / "notes.txt", text_of(2, 1)),
    ]
    home.mkdir()
    found, outcome = agree(book, given, home=home)
    assert found.texts == 5
    assert found.sources.added == outcome.sources.added == len(book.sources()) == 2


def test_a_file_that_changed_and_cannot_be_read_keeps_its_chunks(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(3, 1)), file("b.txt", text_of(2, 2))])
    found, outcome = agree(book, [file("a.txt", b"")], home=tmp_path)
    assert (found.texts, found.chunks) == (0, 5)
    assert outcome.failures


def test_damage_that_a_build_repairs_is_left_to_it(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(3, 1))])
    book.add([file("b.txt", text_of(3, 2))])
    folder = book.place.folder
    more = [file("c.txt", text_of(2, 3))]
    # The newest list of sources, which locks all older ones away.
    newest = min((folder / "sources.lance" / "_versions").glob("*.manifest"))
    newest.write_bytes(newest.read_bytes()[:40])
    agree(book, home=tmp_path)
    agree(book, more, home=tmp_path)
    # The newest state.
    state = max((folder / "state").glob("*.json"))
    state.write_bytes(b"{}")
    agree(book, home=tmp_path)
    agree(book, [file("d.txt", text_of(2, 4))], home=tmp_path)
    # The newest snapshot's chunks.
    manifest = book.history()[0]
    data = (
        folder
        / manifest.tables["chunks"].path
        / max(
            (one for one in manifest.tables["chunks"].files if one.path.startswith("data/")), key=lambda one: one.path
        ).path
    )
    data.write_bytes(data.read_bytes()[:-7])
    agree(book, home=tmp_path)


@pytest.mark.parametrize("damage", ["torn version", "flipped bit", "cut file", "empty folder"])
def test_a_damaged_vector_cache(tmp_path, damage):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(3, 1))])
    book.add([file("b.txt", text_of(4, 2))])
    (cache,) = tmp_path.rglob("vectors.lance")
    vectors = [one.tobytes() for _, matrix, _ in VectorCache(cache.parent, 64).scan_checked() for one in matrix]
    if damage == "torn version":
        newest = min((cache / "_versions").glob("*.manifest"))
        newest.write_bytes(newest.read_bytes()[:40])
    elif damage == "empty folder":
        shutil.rmtree(cache)
    else:
        data = max((cache / "data").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        content = bytearray(data.read_bytes())
        content[max(map(content.find, vectors)) + 5] ^= 64  # keeps the key, fails the check
        data.write_bytes(content if damage == "flipped bit" else content[:-50])
    other = notebook(tmp_path, CountingEmbedding(), slug="other")
    found, _ = agree(other, [file("a.txt", text_of(3, 1)), file("b.txt", text_of(4, 2))], home=tmp_path)
    assert found.texts == {"torn version": 4, "flipped bit": 1, "cut file": 4, "empty folder": 7}[damage]


def test_a_space_that_was_never_met_is_checked_even_for_no_text(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(1))])
    book.place.originals.path(book.sources()[0].digest).unlink()
    other = notebook(settings(tmp_path, embed_model="other"), CountingEmbedding(seed=1))
    found, _ = agree(other, home=tmp_path)
    assert (found.texts, found.canary_texts) == (0, CANARY)
