"""Files into the list of sources that is wanted, and out of it."""

from __future__ import annotations

import pytest

from rag.building.registering import register
from rag.changes import Code, change
from rag.errors import Busy, Cancelled, NotFound, StoreUnavailable, TagInvalid
from rag.manifest import VerdictName
from rag.progress import Stage
from rag.sources.incoming import Incoming
from rag.sources.rows import Given
from rag.storage.lease import lease
from tests.counting import counted
from tests.doubles import CountingEmbedding, RaisingEmbedding
from tests.notebooks import file, lying, notebook, opened, text_of


def wanted(book):
    return [row.name for row in book.place.wanted_sources()]


def test_names_from_outside_are_made_safe(tmp_path):
    book = notebook(tmp_path / "home", CountingEmbedding())
    given = [
        "../../etc/passwd",
        "C:\\Users\\me\\a.txt",
        "invoice_\u202etxt.exe.txt",
        "\x00\x1b[1m.txt",
        "n" * 400 + ".txt",
    ]
    book.add([file(name, f"Text of file {number}.") for number, name in enumerate(given)])
    found = [row.name for row in book.sources()]
    assert found[:2] == ["etc/passwd", "Users/me/a.txt"]
    assert len(found) == len(set(found)) == 5
    assert all(name.isprintable() and 0 < len(name) <= 240 and ".." not in name for name in found)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]


def test_two_files_of_one_batch_with_one_name_are_told_apart(tmp_path):
    book = notebook(tmp_path / "home", CountingEmbedding())
    outcome = book.add(
        [
            lying(tmp_path / "v1" / "report.txt", "The first report names apples."),
            lying(tmp_path / "v2" / "report.txt", "The second report names pears."),
            lying(tmp_path / "v3" / "report.txt", "The first report names apples."),
            file("report.txt", "The third report names plums."),
        ]
    )
    assert outcome.sources.added == 3
    assert [row.name for row in book.sources()] == ["report.txt", "v2/report.txt", "report (2).txt"]
    for word, name in (("apples", "report.txt"), ("pears", "v2/report.txt"), ("plums", "report (2).txt")):
        assert opened(book).search(f"names {word}").passages[0].source == name


def test_a_second_version_replaces_the_first(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("report.txt", "Sentinel alpha stands here.")])
    outcome = book.add([file("report.txt", "Sentinel beta stands here.")])
    assert (outcome.sources.changed, outcome.sources.total) == (1, 1)
    texts = [one.text for one in opened(book).search("sentinel alpha").passages]
    assert texts == ["Sentinel beta stands here."]
    assert book.sources()[0].changed == "changed"


def test_files_that_cannot_be_opened_are_named(tmp_path):
    book = notebook(tmp_path / "home", CountingEmbedding())
    (tmp_path / "folder").mkdir()
    outcome = book.add(
        [Incoming("gone.txt", tmp_path / "gone.txt"), Incoming("folder", tmp_path / "folder"), file("a.txt", "Words.")]
    )
    assert dict(outcome.failures).keys() == {"gone.txt", "folder"}
    assert all("cannot be opened" in reason for _, reason in outcome.failures)
    assert outcome.verdict.name is VerdictName.BUILT


def test_removing_what_is_not_there_removes_nothing(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", "One."), file("b.txt", "Two.")])
    with pytest.raises(NotFound, match=r"a\.txt, b\.txt"):
        book.remove(["a.txt", "c.txt"])
    assert [row.name for row in book.sources()] == ["a.txt", "b.txt"]
    assert book.status().verdict.name is VerdictName.HIT
    assert len(book.history()) == 1


def test_to_be_registered_is_to_be_wanted_and_no_more(tmp_path):
    """Nothing is built and no model asked; what is wanted already is no new wish."""
    book = notebook(tmp_path, RaisingEmbedding(model_name="raising"))
    given = [Given(name, *book.place.originals.keep(name.encode())) for name in ("a.txt", "b.txt")]
    register(book.place, given)
    state = book.place.states.newest()
    assert wanted(book) == ["a.txt", "b.txt"]
    assert (state.sources, state.pending) == (
        2,
        (change(Code.ADDED, source="a.txt"), change(Code.ADDED, source="b.txt")),
    )
    register(book.place, given)
    assert book.place.states.newest() == state
    assert book.history() == []


def test_what_is_stopped_while_files_are_kept_is_registered_as_far_as_it_came(tmp_path):
    told = []
    book = notebook(tmp_path, CountingEmbedding())
    given = [file(f"{number}.txt", text_of(1, number)) for number in range(3)]
    with pytest.raises(Cancelled):
        book.add(given, on_event=told.append, cancelled=lambda: len(told) >= 2)
    assert [(event.stage, event.done, event.total, event.source) for event in told[:2]] == [
        (Stage.STORE, 1, 3, "0.txt"),
        (Stage.STORE, 2, 3, "1.txt"),
    ]
    assert wanted(book) == ["0.txt", "1.txt"]
    assert book.history() == []


def test_what_cannot_be_tagged_is_not_added(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    with pytest.raises(TagInvalid):
        book.add([file("a.txt", "One."), Incoming("b.txt", content=b"Two.", tags=("",))])
    assert wanted(book) == []
    assert not (tmp_path / "default" / "originals").exists()


def test_no_file_is_listed_before_its_original_is_kept(tmp_path):
    """Where the home cannot take a file, nothing of the batch is wanted: a name without its file could not be built."""
    book = notebook(tmp_path, CountingEmbedding())
    second = b"Two."
    digest, _ = book.place.originals.keep(second)
    folder = book.place.originals.path(digest).parent
    book.place.originals.path(digest).unlink()
    folder.rmdir()
    folder.write_bytes(b"no folder")
    with pytest.raises(StoreUnavailable, match="originals"):
        book.add([file("a.txt", "One."), file("b.txt", second)])
    assert wanted(book) == []


def test_adding_and_removing_wait_for_their_turn(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", "One.")])
    with lease(book.place.folder, wait_seconds=0):
        with pytest.raises(Busy, match="building this notebook"):
            book.add([file("b.txt", "Two.")], wait_seconds=0)
        with pytest.raises(Busy):
            book.remove(["a.txt"], wait_seconds=0)
    assert wanted(book) == ["a.txt"]
    with pytest.raises(NotFound, match="no notebook 'none'"):
        notebook(tmp_path, slug="none").remove(["a.txt"])


def test_removed_and_added_again_is_the_same_source(tmp_path):
    model = CountingEmbedding()
    book = notebook(tmp_path, model)
    book.add([file("a.txt", text_of(2, 1)), file("b.txt", text_of(2, 2))])
    before = book.sources()[0]
    outcome = book.remove(["a.txt"])
    assert (outcome.sources.removed, outcome.sources.total, wanted(book)) == (1, 1, ["b.txt"])
    paid = model.texts
    book.add([file("a.txt", text_of(2, 1))])
    assert [row.source_id for row in book.sources()][1] == before.source_id
    assert model.texts == paid


def test_the_bytes_of_an_upload_are_hashed_once_and_written_once(tmp_path):
    """32 MB of which a page shows one sentence: what else a build reads and writes is small beside them. Written once
    into the home; then read once, to be sent through a pipe to the process that parses, which reads that."""
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("first.html", "<p>What a first build loads is loaded now.</p>")])
    content = b"<!-- " + b"hidden words " * (32 * (1 << 20) // 13) + b" --><p>Sentinel omega stands here.</p>"
    with counted() as io:
        outcome = book.add([book.receive("page.html", content)])
    assert outcome.sources.added == 1
    written, piped = len(content), len(content)
    assert written + piped <= io["wchar"] < written + 1.5 * piped
    assert len(content) + piped <= io["rchar"] < len(content) + 1.5 * piped


def test_what_was_received_and_is_gone_is_refused(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    gone, there = book.receive("gone.txt", b"Gone."), book.receive("there.txt", b"Sentinel psi stands here.")
    gone.path.unlink()
    outcome = book.add([gone, there])
    assert outcome.sources.added == 1
    ((name, reason),) = outcome.failures
    assert name == "gone.txt"
    assert "Check that it is still there" in reason


def test_an_original_that_was_damaged_before_is_seen_by_the_next_build(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    one = book.receive("a.txt", b"Sentinel alpha stands here.")
    register(book.place, [Given("a.txt", *one.kept)])
    one.path.write_bytes(b"Sentinel omega stands here.")
    ((_, reason),) = book.build().failures
    assert "is damaged" in reason
