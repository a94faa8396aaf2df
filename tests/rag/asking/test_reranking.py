"""Re-ranking: off by default, a permutation whatever the model says, paid for once and told, never in the way."""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import pytest

from rag.asking.answering import ask
from rag.asking.explaining import explain
from rag.asking.reranking import permutation, text_to_judge
from rag.citing.answer import Passage
from rag.commands.reports import explanation_report
from rag.config import Config, Secret
from rag.errors import BadKey, Cancelled, ConfigError, ServerDown
from rag.evaluation.question_set import Question
from rag.evaluation.trial import asked
from rag.home.verdicts import look
from rag.models.llms import make_llm
from rag.models.rerankers import CANDIDATES, CrossEncoderReranker, LlmReranker
from rag.notebook import Notebook
from rag.storage.ledger import Ledger
from tests.doubles import CountingEmbedding, ScriptedLLM, embedder_of
from tests.notebooks import file, notebook, opened, settings, text_of
from tests.servers import CHAT_MODEL, GOOD_KEY, Misbehaving, hang, talk
from tests.waiting import FOREVER

QUESTION = "river stone harbour"


class CountingReranker(CrossEncoderReranker):
    """Turns the order round. `seen` holds how many passages each call was given."""

    def __init__(self, **more) -> None:
        super().__init__("turning", load=lambda _: self, **more)
        self.seen: list[int] = []

    def predict(self, pairs: list[tuple[str, str]]) -> list[float]:
        """The later, the better."""
        assert all(question == QUESTION for question, _ in pairs)
        self.seen.append(len(pairs))
        return [float(sum(self.seen) - len(pairs) + at) for at in range(len(pairs))]


@pytest.fixture
def home(tmp_path):
    notebook(tmp_path, CountingEmbedding()).add([file("a.txt", text_of(30, 1)), file("b.txt", text_of(5, 2))])
    return tmp_path


def reranked(home, llm=None, reranker=None, kind="llm"):
    """The snapshot, opened under settings that re-rank."""
    made = embedder_of(CountingEmbedding())
    return opened(
        Notebook(
            settings(home, reranker=kind),
            make_embedder=lambda _: made,
            make_llm=lambda _: llm,
            make_reranker=(lambda _: reranker) if reranker else None,
        )
    )


def ids(found):
    return [one.chunk_id for one in found.passages]


def fused(home, k=8):
    return ids(opened(notebook(home, CountingEmbedding())).search(QUESTION, k))


def chatting(address):
    """The model of a server on loopback, with the window of `chat_server`."""
    return make_llm(
        Config(
            llm="openai-compatible",
            llm_model=CHAT_MODEL,
            llm_base_url=address,
            llm_context=2048,
            api_key=Secret(GOOD_KEY),
        )
    )


# ---------------------------------------------------------------------- off


def test_nothing_is_called_when_it_is_off(home):
    llm, reranker = ScriptedLLM("3, 2, 1"), CountingReranker()
    made = embedder_of(CountingEmbedding())
    book = Notebook(
        settings(home), make_embedder=lambda _: made, make_llm=lambda _: llm, make_reranker=lambda _: reranker
    )
    snapshot = opened(book)
    found = snapshot.search(QUESTION, 5)
    assert found == snapshot.reranking.reranked(QUESTION, found)
    assert snapshot.reranking.depth(5) == 5
    explain(snapshot, QUESTION)
    assert (llm.calls, reranker.seen) == (0, [])
    assert Config().reranker == "none"


# ---------------------------------------------------------------------- orders


@pytest.mark.parametrize(
    ("said", "length", "order"),
    [
        ([], 3, [0, 1, 2]),
        ([2, 1, 0], 3, [2, 1, 0]),
        ([2], 4, [2, 0, 1, 3]),
        ([1, 1, 2, 1], 3, [1, 2, 0]),
        ([9, -1, 1], 2, [1, 0]),
        ([1], 0, []),
    ],
)
def test_whatever_is_said_becomes_a_permutation(said, length, order):
    assert permutation(said, length) == order


# ---------------------------------------------------------------------- in a search


def test_the_order_of_the_model_counts_and_the_others_stay_behind(home):
    before = fused(home, CANDIDATES + 5)
    snapshot = reranked(home, ScriptedLLM("3, 24, 99"))
    found = snapshot.search(QUESTION, 4)
    assert ids(found) == [before[2], before[23], before[0], before[1]]
    assert [one.n for one in found.passages] == [1, 2, 3, 4]
    assert ids(snapshot.search(QUESTION, CANDIDATES + 5))[:4] == ids(found)
    assert ids(snapshot.search(QUESTION, CANDIDATES + 5))[CANDIDATES:] == before[CANDIDATES:]


def test_it_is_in_the_receipt_and_in_the_ledger_under_its_own_purpose_once(home):
    llm = ScriptedLLM("3, 1")
    snapshot = reranked(home, llm)
    plain = opened(notebook(home, CountingEmbedding())).search(QUESTION)
    first, again = snapshot.search(QUESTION), snapshot.search(QUESTION)
    assert llm.calls == 1
    assert first.receipt.calls == plain.receipt.calls + 1
    assert first.receipt.tokens > plain.receipt.tokens + 100
    assert first.receipt.cost_usd is None
    assert (again.receipt.calls, ids(again)) == (0, ids(first))
    entries = [one for one in Ledger(snapshot.place.objects).entries() if one.purpose == "rerank"]
    assert [(one.model, one.snapshot, one.tokens) for one in entries] == [
        ("scripted", 1, first.receipt.tokens - plain.receipt.tokens)
    ]


def test_an_answer_an_evaluation_and_an_explanation_see_it(home):
    before = fused(home, 30)
    reranker = CountingReranker()
    snapshot = reranked(home, reranker=reranker, kind="cross-encoder")
    turned = [*reversed(before[:CANDIDATES]), *before[CANDIDATES:]]
    *_, answer = ask(snapshot, QUESTION, 5)
    assert ids(answer) == turned[:5]
    explained = explain(snapshot, QUESTION, 5)
    assert [one.passage.chunk_id for one in explained.candidates[:30]] == turned
    assert [one.fused_rank for one in explained.candidates[:26]] == [*range(24, 0, -1), 25, 26]
    assert [one.passage.n for one in explained.candidates] == [*range(1, len(explained.candidates) + 1)]
    assert "re-rank" in explained.stages
    row = asked(snapshot, Question("1", QUESTION, sources=("a.txt",)), 5, answers=True)
    assert row.rank is not None
    assert sum(reranker.seen) == CANDIDATES, "the same candidates of the same question are looked at once"


def test_an_explanation_prints_the_rank_before(home):
    def printed(snapshot):
        return explanation_report(explain(snapshot, QUESTION), look(snapshot.place, snapshot.config))["_lines"]

    assert any(line.startswith("1. (was 3)") for line in printed(reranked(home, ScriptedLLM("3, 1"))))
    assert not any("(was" in line for line in printed(opened(notebook(home, CountingEmbedding()))))


# ---------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    ("llm", "note"),
    [
        (ScriptedLLM("I would rather not."), "Not re-ranked: what scripted replied names no passage."),
        (ScriptedLLM("3, 2", error=ServerDown("It is down.")), "Not re-ranked. It is down."),
        (ScriptedLLM("3, 2", window=150), "Not re-ranked. The window of scripted"),
    ],
)
def test_a_failure_leaves_the_fused_order_and_says_so(home, llm, note):
    snapshot = reranked(home, llm)
    found = snapshot.search(QUESTION)
    assert ids(found) == fused(home)
    assert found.notes[-1].startswith(note)
    assert len(snapshot.search(QUESTION).notes) == 1, "a failure is not remembered"


def test_a_missing_key_leaves_the_fused_order(home):
    book = Notebook(
        settings(home, reranker="llm", llm="openai", llm_model="gpt-4.1-mini"),
        make_embedder=lambda _: embedder_of(CountingEmbedding()),
    )
    with pytest.raises(BadKey):
        book.models.reranker(book.config)
    found = opened(book).search(QUESTION)
    assert ids(found) == fused(home)
    assert found.notes == ("Not re-ranked. " + str(_key_missing(book)),)


def _key_missing(book):
    with pytest.raises(BadKey) as missing:
        book.models.llm(book.config)
    return missing.value


@pytest.mark.parametrize("kind", ["llm", "cross-encoder"])
def test_a_stop_leaves_the_fused_order(home, kind):
    reranker = LlmReranker(ScriptedLLM("3, 2")) if kind == "llm" else CountingReranker()
    snapshot = reranked(home, reranker=reranker, kind=kind)
    found = snapshot.search(QUESTION, cancelled=lambda: True)
    assert ids(found) == fused(home)
    assert found.notes == ("Not re-ranked, because it was stopped.",)


def test_a_stop_of_an_answer_stops_re_ranking_too(home):
    llm = ScriptedLLM("3, 2")
    *_, answer = ask(reranked(home, llm), QUESTION, cancelled=lambda: True)
    assert answer.kind == "stopped"
    assert "Not re-ranked, because it was stopped." in answer.notes
    assert ids(answer) == fused(home)


def test_a_cross_encoder_that_fails_leaves_the_fused_order(home):
    found = reranked(
        home, reranker=CrossEncoderReranker("broken", load=lambda _: object()), kind="cross-encoder"
    ).search(QUESTION)
    assert ids(found) == fused(home)
    assert found.notes[0].startswith("Not re-ranked. The cross-encoder failed: AttributeError")


def test_a_cross_encoder_that_is_not_installed_says_what_to_install(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)  # as Python does for what cannot be imported
    with pytest.raises(ConfigError, match="pip install sentence-transformers"):
        reranked(home, kind="cross-encoder").search(QUESTION)


# ---------------------------------------------------------------------- over HTTP


@pytest.mark.parametrize("kind", ["llm", "cross-encoder"])
def test_half_of_a_surrogate_pair_is_no_failure(home, kind):
    """A command line and JSON can hold one, which no model takes."""

    class Strict(CountingReranker):
        def predict(self, pairs):
            assert all("\ud800" not in question for question, _ in pairs)
            return [float(at) for at in range(len(pairs))]

    reranker = Strict() if kind == "cross-encoder" else LlmReranker(ScriptedLLM("2, 1"))
    found = reranked(home, reranker=reranker, kind=kind).search(f"{QUESTION} \ud800", 5)
    assert len(found.passages) == 5
    assert found.notes == ()


def test_a_score_that_is_no_number_leaves_the_fused_order(home):
    class Undecided(CountingReranker):
        def predict(self, pairs):
            return [float("nan"), *super().predict(pairs)[1:]]

    found = reranked(home, reranker=Undecided(), kind="cross-encoder").search(QUESTION)
    assert ids(found) == fused(home)
    assert found.notes == ("Not re-ranked. The cross-encoder failed: a score is not a finite number.",)


def test_a_cross_encoder_is_stopped_and_given_up_between_its_batches(home):
    class Stopping(CountingReranker):
        """Stopped, or slow, after the first batch."""

        def predict(self, pairs):
            time.sleep(0.01)
            return super().predict(pairs)

    stopped = Stopping()
    found = reranked(home, reranker=stopped, kind="cross-encoder").search(
        QUESTION, cancelled=lambda: bool(stopped.seen)
    )
    assert (ids(found), found.notes) == (fused(home), ("Not re-ranked, because it was stopped.",))
    slow = Stopping(timeout=0.005)
    found = reranked(home, reranker=slow, kind="cross-encoder").search(QUESTION)
    assert ids(found) == fused(home)
    assert found.notes == ("Not re-ranked. The cross-encoder took longer than 0.005 seconds.",)
    assert 0 < stopped.seen[0] == slow.seen[0] < CANDIDATES
    assert len(stopped.seen) == len(slow.seen) == 1


def test_a_server_orders_and_its_own_count_of_tokens_is_recorded(home, misbehaving: Misbehaving):
    misbehaving.play(talk(["3, ", "1, 2"], used={"prompt_tokens": 400, "completion_tokens": 9}))
    snapshot = reranked(home, chatting(misbehaving.address))
    found = snapshot.search(QUESTION, 3)
    before = fused(home, 3)
    assert ids(found) == [before[2], before[0], before[1]]
    (request,) = misbehaving.requests
    assert request.body["max_tokens"] == 6 * CANDIDATES + 16
    assert [one["role"] for one in request.body["messages"]] == ["system", "user"]
    (entry,) = [one for one in Ledger(snapshot.place.objects).entries() if one.purpose == "rerank"]
    assert (entry.tokens, entry.model) == (409, CHAT_MODEL)


def test_a_silent_server_is_given_up_and_the_fused_order_stays(home, misbehaving: Misbehaving):
    misbehaving.play(hang(FOREVER))
    reranker = LlmReranker(chatting(misbehaving.address), timeout=0.3)
    found = reranked(home, reranker=reranker).search(QUESTION)
    assert ids(found) == fused(home)
    assert found.notes == ("Not re-ranked. The language model took longer than 0.3 seconds.",)
    with pytest.raises(Cancelled):
        reranker.order(QUESTION, ["one", "two"], cancelled=lambda: True, record=lambda _: None)


def test_a_real_model_gives_a_permutation_or_a_note(home, chat_server):
    few = LlmReranker(chatting(chat_server), candidates=4, timeout=300)
    snapshot = reranked(home, reranker=few)
    found = snapshot.search(QUESTION, 30)
    before = fused(home, 30)
    assert sorted(ids(found)) == sorted(before)
    assert ids(found)[4:] == before[4:]
    assert found.notes in ((), (f"Not re-ranked: what {CHAT_MODEL} replied names no passage.",))
    assert found.receipt.calls == 3  # canary, question, re-ranking
    (entry,) = [one for one in Ledger(snapshot.place.objects).entries() if one.purpose == "rerank"]
    assert 200 < entry.tokens < 2048


def test_a_passage_is_judged_with_its_headings():
    plain = Passage(1, "id1", "s", "a.txt", "Owls hunt.", 1.0)
    assert text_to_judge(plain) == "Owls hunt."
    assert text_to_judge(replace(plain, heading="Birds ›  Owls")) == "Birds › Owls\nOwls hunt."
