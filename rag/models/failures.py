"""Errors of the openai SDK and of httpx → the failure model of `rag.errors`, as sentences with the next step.

The only place where provider errors are read. No sentence holds the API key, even when the server repeats it.
"""

from __future__ import annotations

import re

import httpx
import openai

from rag.config import Secret
from rag.errors import BadKey, BadReply, ContextTooLong, ModelError, QuotaExceeded, ServerDown
from rag.models.endpoint import Endpoint

# Words by which servers say that a text is too long: OpenAI, llama.cpp (status 400 for chat, 500 for embeddings),
# vLLM, Ollama, TEI.
_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|maximum context length|context length|context size"
    r"|too large to process|must have less than \d+ tokens|maximum input length|too many tokens",
    re.IGNORECASE,
)
_QUOTA = re.compile(r"insufficient_quota|exceeded your current quota|billing", re.IGNORECASE)
_KEY_LIKE = re.compile(r"\b(?:sk|pk|gsk|hf|xai)[-_][\w*.-]{4,}|(?<=[Bb]earer )\S+")
_FIT = "Set RAGBOOK_LLM_CONTEXT to its real size, so that only what fits is sent"
_DETAIL = 200  # characters of a server's own words


def translate(error: BaseException, endpoint: Endpoint) -> ModelError | None:
    """`error` as a ModelError, or None if it does not come from openai or httpx (then it is a bug: let it through)."""
    ours = _ours(error)
    if ours is not None:
        return ours
    if isinstance(error, openai.APIStatusError):
        return _status(error, endpoint)
    if isinstance(error, openai.APITimeoutError | httpx.TimeoutException):
        return ServerDown(
            f"The {endpoint.role} at {endpoint.host} did not answer in time. Try again, or look at the server."
        )
    if isinstance(error, openai.APIConnectionError | httpx.TransportError):
        return ServerDown(
            f"No connection to the {endpoint.role} at {endpoint.host}{_reason(error, endpoint)}. Check that the server "
            f"is running and that RAGBOOK_{endpoint.setting}_BASE_URL and the network are right."
        )
    if isinstance(error, openai.WebSocketConnectionClosedError):
        return ServerDown(f"The {endpoint.role} at {endpoint.host} closed the connection. Try again.")
    if isinstance(error, openai.LengthFinishReasonError):
        return ContextTooLong(f"{endpoint.model} ran out of room for its answer. Ask for less, or cite fewer passages.")
    if isinstance(error, openai.ContentFilterFinishReasonError):
        return BadReply(f"The content filter of {endpoint.host} rejected the request. Rephrase the question.")
    if isinstance(error, openai.APIError) and error.body is not None:
        return _said_in_stream(error, endpoint)
    foreign = openai.OpenAIError | openai.InvalidWebhookSignatureError | httpx.HTTPError | httpx.StreamError
    if isinstance(error, foreign | httpx.InvalidURL):
        return BadReply(no_answer(endpoint, f"something that is no answer{_reason(error, endpoint)}"))
    return None


def passing(error: BaseException) -> bool:
    """Whether the same call may succeed a little later."""
    if _ours(error) is not None:
        return False
    if isinstance(error, openai.APIStatusError):
        words = _words(error)
        if _TOO_LONG.search(words) or _QUOTA.search(words):
            return False
        return error.status_code in (408, 409, 429) or error.status_code >= 500
    return isinstance(error, openai.APIConnectionError | httpx.TransportError)


def rate_limited(error: BaseException) -> bool:
    """Whether the server asks to slow down."""
    return isinstance(error, openai.APIStatusError) and error.status_code == 429


def refused(error: BaseException) -> bool:
    """Whether there was no connection at all: waiting longer seldom helps, and a user sits before the screen."""
    return isinstance(error, openai.APIConnectionError) and not isinstance(error, openai.APITimeoutError)


def retry_after(error: BaseException) -> float | None:
    """Seconds the server asks to wait (`Retry-After-Ms`, or `Retry-After` in seconds), if it does."""
    if not isinstance(error, openai.APIStatusError):
        return None
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = error.response.headers.get(name, "")
        if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
            return float(value) / unit
    return None


def no_answer(endpoint: Endpoint, what: str = "something that is no answer") -> str:
    """The sentence for an answer that cannot be used."""
    return (
        f"The {endpoint.role} at {endpoint.host} answered with {what}. Check that RAGBOOK_{endpoint.setting}_BASE_URL "
        "is an OpenAI-compatible address, usually ending in /v1."
    )


def scrub(text: str, key: Secret | None) -> str:
    """`text` on one line without control characters, the API key or anything that looks like one, at most 200
    characters."""
    if key is not None and key.reveal():
        text = text.replace(key.reveal(), "***")
    text = "".join(one if one.isprintable() else " " for one in text)
    text = " ".join(_KEY_LIKE.sub("***", text).split())
    return text if len(text) <= _DETAIL else text[: _DETAIL - 1] + "…"


def _status(error: openai.APIStatusError, endpoint: Endpoint) -> ModelError:
    status, words, said = error.status_code, _words(error), _reason(error, endpoint)
    who = f"The {endpoint.role} at {endpoint.host}"
    if _TOO_LONG.search(words) or status == 413:
        remedy = "Set a smaller RAGBOOK_CHUNK_SIZE" if endpoint.setting == "EMBED" else _FIT
        return ContextTooLong(f"The text does not fit the window of {endpoint.model}{said}. {remedy}.")
    if status in (401, 403):
        return BadKey(f"{who} did not accept the API key (status {status}){said}. {_about_key(endpoint)}.")
    if status == 429 and _QUOTA.search(words):
        return QuotaExceeded(f"The account at {endpoint.host} has used up its quota{said}. Add credit there.")
    if status == 429:
        wait = retry_after(error)
        later = f"Try again in {wait:.0f} s" if wait else "Try again later"
        return QuotaExceeded(f"{who} limits the rate of requests{said}. {later}; vectors already paid for are kept.")
    if status in (408, 409) or status >= 500:
        return ServerDown(f"{who} failed (status {status}){said}. Try again, or look at the server.")
    if status == 404:
        return BadReply(
            f"{who} does not know the model {endpoint.model!r} or the address (status 404){said}. Check "
            f"RAGBOOK_{endpoint.setting}_MODEL and RAGBOOK_{endpoint.setting}_BASE_URL."
        )
    return BadReply(f"{who} refused the request (status {status}){said}. Check RAGBOOK_{endpoint.setting}_MODEL.")


def _said_in_stream(error: openai.APIError, endpoint: Endpoint) -> ModelError:
    """An error sent as an event of a stream that had begun with status 200."""
    words, said = _words(error), _reason(error, endpoint)
    if _TOO_LONG.search(words):
        return ContextTooLong(f"The text does not fit the window of {endpoint.model}{said}. {_FIT}.")
    if _QUOTA.search(words) or "rate_limit" in words:
        return QuotaExceeded(f"The account at {endpoint.host} has reached a limit{said}. Try again later.")
    return BadReply(f"The {endpoint.role} at {endpoint.host} broke off{said}. Try again.")


def _ours(error: BaseException | None) -> ModelError | None:
    """What a part of ours raised inside the HTTP library, which the SDK wraps as a failed connection."""
    while error is not None:
        if isinstance(error, ModelError):
            return error
        error = error.__cause__
    return None


def _about_key(endpoint: Endpoint) -> str:
    """What to do about the key, as a sentence without its full stop."""
    own = f"RAGBOOK_{endpoint.setting}_API_KEY"
    if endpoint.withheld and endpoint.limits is not None:
        return (
            f"No key is sent to an address that was saved on a page. Set RAGBOOK_{endpoint.setting}_BASE_URL and {own} "
            "in the environment, beside each other"
        )
    if endpoint.withheld:
        return f"OPENAI_API_KEY is OpenAI's and is not sent there. Set {own}"
    if endpoint.key is None:
        return f"No API key is set. Set OPENAI_API_KEY or {own}"
    return f"Check OPENAI_API_KEY or {own}"


def _words(error: openai.APIError) -> str:
    return f"{error.code} {error.type} {error.message} {error.body}"


def _reason(error: BaseException, endpoint: Endpoint) -> str:
    """The server's `error.message`, or the system's cause of a broken connection, as `: …` or nothing.

    Nothing else of a reply: an address may lead to something that is no model server, whose pages are not for whoever
    reads our sentences. And of a server whose address was saved on a page, nothing at all.
    """
    if isinstance(error, openai.APIConnectionError | httpx.TransportError):
        text = _cause(error)
    elif endpoint.limits is not None:
        text = ""
    elif isinstance(error, openai.APIStatusError):
        text = _said(error.body, _json_of(error.response))
    elif isinstance(error, openai.APIError):
        text = _said(error.body, {"error": error.body})
    else:
        text = ""
    text = scrub(text, endpoint.key).rstrip(" .")
    return f": {text}" if text else ""


def _said(body: object, whole: object) -> str:
    """The field `error.message` of a reply; `body` is what the SDK made of its field `error`."""
    told = whole.get("error") if isinstance(whole, dict) else None
    for one in (told, body if whole is None else None):
        if isinstance(one, dict) and isinstance(one.get("message"), str):
            return str(one["message"])
    return ""


def _json_of(response: httpx.Response) -> object:
    try:
        return response.json()
    except (ValueError, httpx.ResponseNotRead):
        return None


def _cause(error: BaseException | None) -> str:
    """What the operating system said of a connection: never bytes that came over it."""
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        error = error.__cause__ or error.__context__
    return ""
