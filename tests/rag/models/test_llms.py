"""Language models: streaming, stopping, failures, usage."""

from __future__ import annotations

import json
import logging
import threading
import urllib.request
from typing import Any

import pytest

from rag.config import Config, Secret
from rag.errors import BadKey, BadReply, Cancelled, ConfigError, ContextTooLong, ModelError, QuotaExceeded, ServerDown
from rag.models.endpoint import Endpoint, Patience
from rag.models.llms import LlmUsage, TextStream, make_llm
from rag.prices import chat_price, embedding_price
from tests.doubles import ScriptedLLM, ask
from tests.servers import CHAT_MODEL, CHUNK, GOOD_KEY, Misbehaving, events, failure, free_port, hang, status, talk
from tests.waiting import CEILING, FOREVER, until

KEY = "sk-proj-Abc123_very-secret"
QUICK = Patience(seconds=CEILING, attempts=3, first_wait=0.05)


def model(address: str, key: str | None = KEY, name: str = CHAT_MODEL) -> object:
    config = Config(llm="openai-compatible", llm_model=name, llm_base_url=address, api_key=Secret(key) if key else None)
    return make_llm(config)


def answer(address: str, **settings: object) -> TextStream:
    return TextStream(model(address), ask("Why?"), patience=QUICK, **settings)


def slot(address: str) -> dict[str, Any]:
    """What llama.cpp says of the only answer that it can work on at a time."""
    asked = urllib.request.Request(
        f"{address.removesuffix('/v1')}/slots", headers={"Authorization": f"Bearer {GOOD_KEY}"}
    )
    with urllib.request.urlopen(asked, timeout=CEILING) as reply:
        (only,) = json.load(reply)
    found: dict[str, Any] = only
    return found


# --- against llama.cpp


def test_a_real_server_streams(chat_server: str) -> None:
    reply = TextStream(model(chat_server, GOOD_KEY), ask("Count from one to twenty."), max_tokens=24)
    pieces = list(reply)
    assert len(pieces) > 5
    assert all(pieces)
    assert "".join(pieces) == reply.text
    assert reply.finish_reason == "length"
    usage = reply.usage
    assert (usage.calls, usage.completion_tokens, usage.exact, usage.cost_usd) == (1, 24, True, None)
    assert usage.prompt_tokens > 5


def test_openai_with_a_known_name_streams_too(chat_server: str) -> None:
    config = Config(llm="openai", llm_model="gpt-4.1-mini", llm_base_url=chat_server, api_key=Secret(GOOD_KEY))
    llm = make_llm(config)
    assert llm is not None
    assert llm.metadata.context_window > 1_000_000
    assert list(TextStream(llm, ask("Hello"), max_tokens=4))


def test_a_real_server_refuses_a_bad_key(chat_server: str) -> None:
    with pytest.raises(BadKey, match="Check OPENAI_API_KEY"):
        list(TextStream(model(chat_server), ask("Hello")))


def test_a_real_server_refuses_too_long_a_prompt(chat_server: str) -> None:
    with pytest.raises(ContextTooLong, match="Set RAGBOOK_LLM_CONTEXT"):
        list(TextStream(model(chat_server, GOOD_KEY), ask("word " * 3000)))


def test_a_real_server_is_stopped_and_free_again(chat_server: str) -> None:
    llm = model(chat_server, GOOD_KEY)
    stop = threading.Event()
    reply = TextStream(llm, ask("Tell me a very long story."), cancelled=stop.is_set, max_tokens=1500)
    next(reply)
    stop.set()
    with pytest.raises(Cancelled):
        list(reply)
    until(lambda: not slot(chat_server)["is_processing"])
    # Left to itself this answer is 1500 tokens long.
    assert slot(chat_server)["n_prompt_tokens"] < 1000
    assert list(TextStream(llm, ask("Hello"), max_tokens=2))


def test_a_server_that_is_down() -> None:
    reply = answer(f"http://127.0.0.1:{free_port()}/v1")
    with pytest.raises(ServerDown, match="RAGBOOK_LLM_BASE_URL"):
        list(reply)
    assert reply.usage.calls == 2


# --- against one that misbehaves


@pytest.mark.parametrize("silence", [0.0, FOREVER])
def test_stopping_hangs_up_at_once(misbehaving: Misbehaving, silence: float) -> None:
    """Also while the server has not even sent a header."""
    misbehaving.play(talk(["word "] * 1000, pause=FOREVER, silence=silence))

    def cancelled() -> bool:
        return bool(misbehaving.requests if silence else reply.text)

    reply = answer(misbehaving.address, cancelled=cancelled)
    with pytest.raises(Cancelled):
        list(reply)
    assert misbehaving.gone.get(timeout=CEILING)
    assert reply.text == ("word " if silence == 0 else "")
    usage = reply.usage
    assert not usage.exact
    assert usage.prompt_tokens == 2
    assert usage.completion_tokens == (2 if silence == 0 else 0)


def test_closing_or_dropping_an_answer_hangs_up(misbehaving: Misbehaving) -> None:
    misbehaving.play(talk(["word "] * 1000, pause=FOREVER))
    reply = answer(misbehaving.address)
    next(reply)
    reply.close()
    assert misbehaving.gone.get(timeout=CEILING)
    assert list(reply) == []
    dropped = answer(misbehaving.address)
    next(dropped)
    del dropped
    assert misbehaving.gone.get(timeout=CEILING)


def test_nothing_is_sent_before_the_first_piece_is_wanted(misbehaving: Misbehaving) -> None:
    misbehaving.play(talk(["word"]))
    reply = answer(misbehaving.address)
    assert misbehaving.requests == []
    assert reply.usage == LlmUsage(0, 0, 0, None, 0.0, exact=False)
    with pytest.raises(Cancelled):
        list(answer(misbehaving.address, cancelled=lambda: True))


def test_usage_is_what_the_server_says_or_is_counted(misbehaving: Misbehaving) -> None:
    misbehaving.play(talk(["one ", "two"], used={"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}))
    reply = answer(misbehaving.address)
    assert list(reply) == ["one ", "two"]
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.exact) == (11, 5, True)
    assert misbehaving.requests[0].body["stream_options"] == {"include_usage": True}
    misbehaving.play(talk(["one ", "two"]))
    reply = answer(misbehaving.address)
    list(reply)
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.exact) == (2, 2, False)
    assert reply.finish_reason == "stop"


def test_a_server_that_does_not_know_stream_options_is_asked_without(misbehaving: Misbehaving) -> None:
    misbehaving.play(failure(400, "Extra inputs are not permitted: stream_options"), talk(["fine"]))
    llm = model(misbehaving.address)
    assert list(TextStream(llm, ask("Why?"))) == ["fine"]
    assert list(TextStream(llm, ask("Why?"))) == ["fine"]
    assert ["stream_options" in request.body for request in misbehaving.requests] == [True, False, False]


def test_retry_after_is_honoured_by_exactly_one_layer(misbehaving: Misbehaving) -> None:
    misbehaving.play(
        failure(429, "slow down", "rate_limit_exceeded", Retry_After="1"), failure(500, "x"), talk(["fine"])
    )
    reply = answer(misbehaving.address)
    assert list(reply) == ["fine"]
    assert len(misbehaving.requests) == reply.usage.calls == 3
    assert misbehaving.requests[1].at - misbehaving.requests[0].at >= 1.0


def test_what_has_begun_is_not_begun_again(misbehaving: Misbehaving) -> None:
    misbehaving.play(talk(["half an "], ending="cut"), talk(["never"]))
    reply = answer(misbehaving.address)
    with pytest.raises(ServerDown):
        list(reply)
    assert reply.text == "half an "
    assert len(misbehaving.requests) == 1


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (talk(["half"], ending="quiet"), ServerDown),
        (talk([], ending="quiet"), BadReply),
        (talk(["half"], ending="error"), BadReply),
        (talk(["half"], ending="garbage"), BadReply),
        (status(200, "<html>Please log in</html>"), BadReply),
        (failure(404, "no such model"), BadReply),
        (failure(429, "You exceeded your current quota", "insufficient_quota"), QuotaExceeded),
        (failure(400, "maximum context length is 8192", "context_length_exceeded"), ContextTooLong),
    ],
)
def test_failures(misbehaving: Misbehaving, reply: object, kind: type[ModelError]) -> None:
    misbehaving.play(reply)
    with pytest.raises(kind):
        list(answer(misbehaving.address))
    assert len(misbehaving.requests) == 1


REFUSAL = {"choices": [{"index": 0, "delta": {"refusal": "I cannot help with that."}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (events({**CHUNK, **REFUSAL}), "refused to answer: I cannot help with that. Rephrase"),
        (talk(["half"], finish="content_filter"), "content filter of .* ended the answer. Rephrase"),
        (talk([]), "ended without a word. Try again"),
        (talk([" ", "\n"]), "ended without a word. Try again"),
    ],
)
def test_refusals_and_empty_answers_are_failures(misbehaving: Misbehaving, reply: object, sentence: str) -> None:
    misbehaving.play(reply)
    with pytest.raises(BadReply, match=sentence):
        list(answer(misbehaving.address))
    assert len(misbehaving.requests) == 1


def test_a_silent_server_is_given_up(misbehaving: Misbehaving) -> None:
    misbehaving.play(hang(FOREVER))
    llm = model(misbehaving.address)
    llm.timeout = 0.3
    with pytest.raises(ServerDown, match="did not answer in time"):
        list(TextStream(llm, ask("Why?"), patience=Patience(seconds=0.2)))


def test_the_key_is_shown_nowhere(misbehaving: Misbehaving, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    llm = model(misbehaving.address)
    shown = [repr(llm), str(llm), str(llm.to_dict()), str(llm.metadata)]
    for reply in (talk(["fine"]), failure(401, f"Incorrect API key provided: {KEY}")):
        misbehaving.play(reply)
        try:
            list(TextStream(llm, ask("Why?")))
        except BadKey as error:
            shown.append(str(error))
            logging.getLogger("test").exception("failed")
        assert misbehaving.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    assert len(shown) == 5
    assert not any(KEY in text for text in [*shown, caplog.text])


# --- without a server


def test_any_model_of_llama_index_streams() -> None:
    llm = ScriptedLLM("three short words")
    reply = TextStream(llm, ask("Why?"))
    assert list(reply) == ["three ", "short ", "words"]
    assert reply.usage.completion_tokens == 3
    assert llm.calls == 1
    assert "Why?" in llm.prompts[0]
    assert llm.metadata.context_window == 4096


def test_a_bug_in_a_model_is_let_through() -> None:
    reply = TextStream(ScriptedLLM("some words", error=RuntimeError("bug")), ask("Why?"))
    with pytest.raises(RuntimeError, match="bug"):
        list(reply)
    assert reply.text == "some words"


def test_models_of_a_configuration() -> None:
    assert make_llm(Config()) is None
    with pytest.raises(BadKey, match="RAGBOOK_LLM=openai needs it"):
        make_llm(Config(llm="openai", llm_model="gpt-4.1-mini"))
    with pytest.raises(ConfigError, match="Responses API"):
        make_llm(Config(llm="openai", llm_model="gpt-5.4-pro", api_key=Secret(KEY)))
    new = make_llm(Config(llm="openai", llm_model="gpt-9", api_key=Secret(KEY)))
    assert new is not None
    assert new.metadata.context_window == 128_000
    assert model("http://127.0.0.1:9/v1", name="llama3:8b").metadata.context_window == 4096
    told = make_llm(Config(llm="openai", llm_model="gpt-4.1-mini", llm_context=8192, api_key=Secret(KEY)))
    assert told is not None
    assert told.metadata.context_window == 8192


def test_prices() -> None:
    assert embedding_price("text-embedding-3-large") == 0.13
    assert embedding_price("nomic-embed-text") is None
    price = chat_price("gpt-4.1-mini-2025-04-14")
    assert price is not None
    assert price.cost(1_000_000, 500_000) == pytest.approx(1.2)
    assert chat_price("llama3") is None
    assert Endpoint("LLM", "m", "https://eu.api.openai.com/v1").billed_by_openai
    assert not Endpoint("LLM", "m", "https://api.openai.com.evil.example/v1").billed_by_openai
