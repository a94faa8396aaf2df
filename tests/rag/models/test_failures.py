"""Every error of the openai SDK and of httpx becomes one of ours, with a next step and without the key."""

from __future__ import annotations

import inspect

import httpx
import openai
import pytest

from rag.config import Config, Secret
from rag.errors import BadKey, BadReply, ContextTooLong, ModelError, QuotaExceeded, ServerDown
from rag.models.endpoint import Endpoint, embedding_endpoint
from rag.models.failures import passing, retry_after, scrub, translate

KEY = "sk-proj-Abc123_very-secret"
ENDPOINT = Endpoint("EMBED", "text-embedding-3-small", "https://api.example.com:8443/v1", Secret(KEY))
REQUEST = httpx.Request(
    "POST", "https://api.example.com:8443/v1/embeddings", headers={"Authorization": f"Bearer {KEY}"}
)


def response(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, request=REQUEST, headers={k.replace("_", "-"): v for k, v in headers.items()})


def said(kind: type[openai.APIStatusError], status: int, message: str, code: str | None = None, **headers: str):
    body = {"message": message, "code": code, "type": code}
    return kind(f"Error code: {status} - {body}", response=response(status, **headers), body=body)


ECHO = f"Incorrect API key provided: {KEY}. See the docs."
# One of each class that the openai module shows, and what it comes to.
CASES: dict[str, tuple[Exception, type[ModelError]]] = {
    "APIConnectionError": (openai.APIConnectionError(request=REQUEST), ServerDown),
    "APIError": (openai.APIError(ECHO, REQUEST, body={"message": ECHO}), BadReply),
    "APIResponseValidationError": (openai.APIResponseValidationError(response(200), {"message": ECHO}), BadReply),
    "APIStatusError": (said(openai.APIStatusError, 418, ECHO), BadReply),
    "APITimeoutError": (openai.APITimeoutError(REQUEST), ServerDown),
    "AuthenticationError": (said(openai.AuthenticationError, 401, ECHO), BadKey),
    "BadRequestError": (said(openai.BadRequestError, 400, ECHO), BadReply),
    "ConflictError": (said(openai.ConflictError, 409, ECHO), ServerDown),
    "ContentFilterFinishReasonError": (openai.ContentFilterFinishReasonError(), BadReply),
    "InternalServerError": (said(openai.InternalServerError, 500, ECHO), ServerDown),
    "InvalidWebhookSignatureError": (openai.InvalidWebhookSignatureError(ECHO), BadReply),
    "LengthFinishReasonError": (
        openai.LengthFinishReasonError(completion=openai.types.chat.ChatCompletion.model_construct(usage=None)),
        ContextTooLong,
    ),
    "NotFoundError": (said(openai.NotFoundError, 404, ECHO), BadReply),
    "OAuthError": (openai.OAuthError(response=response(401), body={"error_description": ECHO}), BadKey),
    "OpenAIError": (openai.OpenAIError(ECHO), BadReply),
    "PermissionDeniedError": (said(openai.PermissionDeniedError, 403, ECHO), BadKey),
    "RateLimitError": (said(openai.RateLimitError, 429, ECHO), QuotaExceeded),
    "UnprocessableEntityError": (said(openai.UnprocessableEntityError, 422, ECHO), BadReply),
    "WebSocketConnectionClosedError": (openai.WebSocketConnectionClosedError(ECHO, unsent_messages=[]), ServerDown),
    "WebSocketQueueFullError": (openai.WebSocketQueueFullError(ECHO), BadReply),
    "_AmbiguousModuleClientUsageError": (openai._AmbiguousModuleClientUsageError(), BadReply),
}


def test_no_class_of_the_sdk_slips_through() -> None:
    classes = {
        name
        for name, value in list(vars(openai).items())
        if inspect.isclass(value) and issubclass(value, Exception) and not issubclass(value, Warning)
    }
    assert classes == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_each_becomes_one_of_ours(name: str) -> None:
    error, kind = CASES[name]
    failure = translate(error, ENDPOINT)
    assert type(failure) is kind
    assert KEY not in str(failure)
    assert "Abc123" not in str(failure)
    assert str(failure).endswith(".")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ConnectError("refused"), ServerDown),
        (httpx.ReadTimeout("slow"), ServerDown),
        (httpx.RemoteProtocolError("peer closed connection"), ServerDown),
        (httpx.LocalProtocolError(f"Illegal header value b'Bearer {KEY}'"), ServerDown),
        (httpx.DecodingError("not gzip"), BadReply),
        (httpx.TooManyRedirects("loop"), BadReply),
        (httpx.StreamClosed(), BadReply),
        (httpx.InvalidURL("no host"), BadReply),
    ],
)
def test_errors_of_httpx(error: Exception, kind: type[ModelError]) -> None:
    failure = translate(error, ENDPOINT)
    assert type(failure) is kind
    assert KEY not in str(failure)


def test_other_errors_are_bugs_and_let_through() -> None:
    assert translate(RuntimeError("bug"), ENDPOINT) is None
    assert translate(KeyboardInterrupt(), ENDPOINT) is None


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (
            said(openai.RateLimitError, 429, "You exceeded your current quota", "insufficient_quota"),
            QuotaExceeded,
            "quota",
        ),
        (
            said(openai.RateLimitError, 429, "slow down", "rate_limit_exceeded", retry_after="7"),
            QuotaExceeded,
            "in 7 s",
        ),
        (said(openai.BadRequestError, 400, "maximum context length is 8192 tokens"), ContextTooLong, "CHUNK_SIZE"),
        (said(openai.BadRequestError, 400, "x", "context_length_exceeded"), ContextTooLong, "CHUNK_SIZE"),
        (
            said(openai.InternalServerError, 500, "input is too large to process. increase"),
            ContextTooLong,
            "CHUNK_SIZE",
        ),
        (said(openai.NotFoundError, 404, "no such model"), BadReply, "RAGBOOK_EMBED_MODEL"),
        (openai.APIConnectionError(request=REQUEST), ServerDown, "RAGBOOK_EMBED_BASE_URL"),
        (said(openai.AuthenticationError, 401, "no"), BadKey, "Check OPENAI_API_KEY"),
    ],
)
def test_sentences_name_the_host_or_model_and_the_next_step(error: Exception, kind: type, words: str) -> None:
    failure = translate(error, ENDPOINT)
    assert type(failure) is kind
    assert words in str(failure)
    assert "api.example.com:8443" in str(failure) or ENDPOINT.model in str(failure)


def test_what_may_pass() -> None:
    assert passing(said(openai.RateLimitError, 429, "slow down"))
    assert passing(said(openai.InternalServerError, 503, "loading model"))
    assert passing(openai.APITimeoutError(REQUEST))
    assert not passing(said(openai.RateLimitError, 429, "x", "insufficient_quota"))
    assert not passing(said(openai.InternalServerError, 500, "too large to process"))
    assert not passing(said(openai.AuthenticationError, 401, "no"))
    assert not passing(RuntimeError())


def test_the_time_a_server_names() -> None:
    assert retry_after(said(openai.RateLimitError, 429, "x", retry_after="1.5")) == 1.5
    assert retry_after(said(openai.RateLimitError, 429, "x", retry_after="9", retry_after_ms="250")) == 0.25
    assert retry_after(said(openai.RateLimitError, 429, "x", retry_after="-3")) is None
    assert retry_after(said(openai.RateLimitError, 429, "x", retry_after="soon")) is None
    assert retry_after(said(openai.RateLimitError, 429, "x")) is None


def test_a_server_cannot_fill_the_screen_or_repeat_a_key() -> None:
    assert len(scrub("word " * 1000, None)) == 200
    assert scrub(f"a\nb {KEY} sk-other-key-1234", Secret(KEY)) == "a b *** ***"
    # Cut after the key is gone, so that no half of it is left at the end.
    assert "Abc" not in scrub("x" * 190 + KEY, Secret(KEY))


def test_a_key_that_could_not_be_sent_is_refused_before_it_is() -> None:
    for key in ("sk-good\n", "sk-„good“", "sk good"):
        with pytest.raises(BadKey, match="OPENAI_API_KEY holds a character") as caught:
            embedding_endpoint(Config(embedder="openai", embed_model="m", api_key=Secret(key)))
        assert "good" not in str(caught.value)
