"""Chat models as llama-index knows them: any name, a window that is known, a key that is not shown or taken."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage

from rag.config import Secret
from rag.errors import BadReply, ConfigError
from rag.models.chat import OPENAI_WINDOW, SMALL_WINDOW, RemoteChat
from rag.models.endpoint import OPENAI_ADDRESS, Endpoint
from tests.doubles import ask
from tests.servers import Misbehaving, failure, status, talk

KEY = "sk-proj-Abc123_very-secret"


def chat(address: str = "http://127.0.0.1:9/v1", model: str = "m", key: str | None = KEY, **more: Any) -> RemoteChat:
    return RemoteChat(Endpoint("LLM", model, address, Secret(key) if key else None), **more)


def said(model: RemoteChat, messages: list[ChatMessage] | None = None) -> str:
    return "".join(piece.delta or "" for piece in model.stream_chat(messages or ask("Why?")))


@pytest.mark.parametrize(
    ("address", "model", "context", "window"),
    [
        ("http://127.0.0.1:9/v1", "anything/at:all", None, SMALL_WINDOW),
        (OPENAI_ADDRESS, "gpt-99-not-yet-known", None, OPENAI_WINDOW),
        (OPENAI_ADDRESS, "gpt-4.1-mini", None, 1_047_576),
        ("http://127.0.0.1:9/v1", "m", 9000, 9000),
        (OPENAI_ADDRESS, "gpt-4.1-mini", 500, 500),
    ],
)
def test_the_window_is_what_was_said_or_known_or_small(
    address: str, model: str, context: int | None, window: int
) -> None:
    found = chat(address, model, context=context).metadata
    assert (found.context_window, found.is_chat_model, found.model_name) == (window, True, model)


def test_a_model_without_chat_completions_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="Choose another, such as gpt-4"):
        chat(model="gpt-5.2-pro")


def test_the_key_goes_to_the_server_and_nowhere_else(misbehaving: Misbehaving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    monkeypatch.setenv("OPENAI_API_BASE", "http://127.0.0.1:9/elsewhere")
    misbehaving.play(talk(["fine"]))
    for key, sent in ((KEY, f"Bearer {KEY}"), (None, "Bearer none")):
        model = chat(misbehaving.address, key=key)
        assert said(model) == "fine"
        assert misbehaving.requests[-1].headers["Authorization"] == sent
        assert KEY not in repr(model) + str(model) + str(model.to_dict())
        assert model.endpoint.address == misbehaving.address


def test_one_request_a_call_whatever_comes(misbehaving: Misbehaving) -> None:
    misbehaving.play(failure(500, "oops"))
    with pytest.raises(Exception, match="oops"):
        said(chat(misbehaving.address))
    assert len(misbehaving.requests) == 1


def test_usage_is_asked_for_until_the_server_refuses_to_be_asked(misbehaving: Misbehaving) -> None:
    for code in (400, 422):
        misbehaving.play(failure(code, "unknown field stream_options"), talk(["fine"]))
        model = chat(misbehaving.address)
        assert [said(model), said(model)] == ["fine", "fine"]
        assert ["stream_options" in one.body for one in misbehaving.requests] == [True, False, False]


def test_another_refusal_is_no_reason_to_ask_without(misbehaving: Misbehaving) -> None:
    misbehaving.play(failure(400, "temperature is not supported"))
    with pytest.raises(Exception, match="temperature"):
        said(chat(misbehaving.address))
    misbehaving.play(failure(400, "stream_options"), failure(400, "stream_options once more"))
    with pytest.raises(Exception, match="once more"):
        said(chat(misbehaving.address))
    assert len(misbehaving.requests) == 2


@pytest.mark.parametrize("body", ["{not json", '{"choices": 3}', "[]", '{"choices": [7]}'])
def test_events_that_are_no_answer_are_a_sentence(misbehaving: Misbehaving, body: str) -> None:
    misbehaving.play(status(200, f"data: {body}\n\ndata: [DONE]\n\n"))
    with pytest.raises(BadReply, match="RAGBOOK_LLM_BASE_URL is an OpenAI-compatible address"):
        said(chat(misbehaving.address))


def test_tokens_are_counted_without_the_network() -> None:
    assert chat()._tokenizer.encode("hello world")
