"""A key goes to its own origin only, and an address saved on a page opens nothing that the owner did not open.

Real servers on loopback stand for the attacker's, for OpenAI's and for internal ones; they note what they receive.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rag.config import Config, load_config
from rag.errors import AddressRefused, BadKey, ModelError
from rag.models.addresses import SERVED, Allowance
from rag.models.connection import Judged
from rag.models.endpoint import Patience, embedding_endpoint, llm_endpoint
from rag.models.factory import make_embedder
from rag.models.llms import TextStream, make_llm
from rag.notebook import Notebook
from tests.servers import Misbehaving, failure, misbehaving_server, status, talk, vectors

KEY = "sk-the-owners-own"
ONCE = Patience(seconds=5, attempts=1)


@pytest.fixture
def other() -> Iterator[Misbehaving]:
    with misbehaving_server() as server:
        yield server


def asked(config: Config) -> None:
    """One embedding and one answer, as far as the settings have models for them."""
    if config.embedder != "local":
        list(make_embedder(config, patience=ONCE).embed(["some words"], "text"))
    llm: Any = make_llm(config)
    if llm is not None:
        from llama_index.core.base.llms.types import ChatMessage

        list(TextStream(llm, [ChatMessage("hello")], patience=ONCE))


def told(server: Misbehaving) -> str:
    """Every header that a server received."""
    return " ".join(f"{name}: {value}" for one in server.requests for name, value in one.headers.items())


def from_page(tmp_path: Path, role: str, address: str, **environ: str) -> Config:
    saved = {
        "EMBED": {
            "RAGBOOK_EMBEDDER": "openai-compatible",
            "RAGBOOK_EMBED_MODEL": "m",
            "RAGBOOK_EMBED_BASE_URL": address,
        },
        "LLM": {"RAGBOOK_LLM": "openai-compatible", "RAGBOOK_LLM_MODEL": "m", "RAGBOOK_LLM_BASE_URL": address},
    }
    return load_config({"OPENAI_API_KEY": KEY, **environ}, folder=tmp_path, saved=saved[role])


@pytest.mark.parametrize("role", ["EMBED", "LLM"])
@pytest.mark.parametrize("own", [False, True])
def test_an_address_saved_on_a_page_never_gets_the_owners_key(
    role: str, own: bool, misbehaving: Misbehaving, tmp_path: Path
) -> None:
    misbehaving.play(vectors() if role == "EMBED" else talk(["hello"]))
    more = {f"RAGBOOK_{role}_API_KEY": KEY} if own else {}
    asked(from_page(tmp_path, role, misbehaving.address, **more))
    assert misbehaving.requests
    assert KEY not in told(misbehaving)


@pytest.mark.parametrize("role", ["EMBED", "LLM"])
def test_neither_does_one_saved_for_openai_itself(role: str, misbehaving: Misbehaving, tmp_path: Path) -> None:
    kind = {"EMBED": "RAGBOOK_EMBEDDER", "LLM": "RAGBOOK_LLM"}[role]
    saved = {kind: "openai", f"RAGBOOK_{role}_BASE_URL": misbehaving.address}
    config = load_config({"OPENAI_API_KEY": KEY}, folder=tmp_path, saved=saved)
    misbehaving.play(vectors())
    with pytest.raises(BadKey, match="saved on a page"):
        asked(config)
    assert not misbehaving.requests


def test_an_address_of_the_environment_gets_the_key_beside_it(misbehaving: Misbehaving, tmp_path: Path) -> None:
    environ = {
        "OPENAI_API_KEY": KEY,
        "RAGBOOK_LLM": "openai-compatible",
        "RAGBOOK_LLM_MODEL": "m",
        "RAGBOOK_LLM_BASE_URL": misbehaving.address,
    }
    misbehaving.play(talk(["hello"]))
    asked(load_config(environ, folder=tmp_path))
    assert f"Bearer {KEY}" in told(misbehaving)


def test_two_servers_have_two_keys(misbehaving: Misbehaving, other: Misbehaving, tmp_path: Path) -> None:
    """Embeddings from a server of one's own, answers from OpenAI: its key is told to nobody else."""
    environ = {
        "OPENAI_API_KEY": KEY,
        "RAGBOOK_LLM": "openai",
        "RAGBOOK_LLM_BASE_URL": misbehaving.address,
        "RAGBOOK_EMBEDDER": "openai-compatible",
        "RAGBOOK_EMBED_MODEL": "m",
        "RAGBOOK_EMBED_BASE_URL": other.address,
    }
    misbehaving.play(talk(["hello"]))
    other.play(vectors())
    asked(load_config(environ, folder=tmp_path))
    assert f"Bearer {KEY}" in told(misbehaving)
    assert KEY not in told(other)
    other.play(vectors())
    asked(load_config({**environ, "RAGBOOK_EMBED_API_KEY": "sk-mine"}, folder=tmp_path))
    assert "Bearer sk-mine" in told(other)
    other.play(failure(401, "who are you?"))
    with pytest.raises(BadKey, match="Set RAGBOOK_EMBED_API_KEY"):
        asked(load_config(environ, folder=tmp_path))


@pytest.mark.parametrize("role", ["EMBED", "LLM"])
def test_a_redirect_to_another_origin_loses_the_key(
    role: str, misbehaving: Misbehaving, other: Misbehaving, tmp_path: Path
) -> None:
    path = {"EMBED": "embeddings", "LLM": "chat/completions"}[role]
    kind = {"EMBED": "RAGBOOK_EMBEDDER", "LLM": "RAGBOOK_LLM"}[role]
    environ = {
        "OPENAI_API_KEY": KEY,
        kind: "openai-compatible",
        f"RAGBOOK_{role}_MODEL": "m",
        f"RAGBOOK_{role}_BASE_URL": misbehaving.address,
    }
    misbehaving.play(status(307, "", Location=f"{other.address}/{path}"))
    other.play(vectors() if role == "EMBED" else talk(["hello"]))
    with contextlib.suppress(ModelError):
        asked(load_config(environ, folder=tmp_path))
    assert KEY in told(misbehaving)
    assert KEY not in told(other)


@pytest.mark.parametrize("role", ["EMBED", "LLM"])
def test_a_page_does_not_read_this_computer_where_others_reach_the_page(
    role: str, misbehaving: Misbehaving, tmp_path: Path
) -> None:
    misbehaving.play(status(200, "the keys of the kingdom"))
    address = misbehaving.address.replace("/v1", "/latest/meta-data")
    SERVED.told("0.0.0.0")
    with pytest.raises(AddressRefused, match="RAGBOOK_ALLOW_ADDRESSES"):
        asked(from_page(tmp_path, role, address))
    assert not misbehaving.requests
    with pytest.raises(ModelError) as caught:
        asked(from_page(tmp_path, role, address, RAGBOOK_ALLOW_ADDRESSES="loopback"))
    assert misbehaving.requests
    assert "kingdom" not in str(caught.value)


@pytest.mark.parametrize("code", [200, 400, 401, 404, 418, 429, 500])
@pytest.mark.parametrize("role", ["EMBED", "LLM"])
def test_nothing_of_a_reply_is_shown_to_who_saved_the_address(
    role: str, code: int, misbehaving: Misbehaving, tmp_path: Path
) -> None:
    later = {"Retry_After": "3600"}  # so that it is not waited for
    replies = (
        status(code, "plain kingdom", **later),
        failure(code, "kingdom of errors", **later),
        status(code, {"message": "kingdom"}, **later),
    )
    for reply in replies:
        misbehaving.play(reply)
        with pytest.raises(ModelError) as caught:
            asked(from_page(tmp_path, role, misbehaving.address))
        assert "kingdom" not in str(caught.value)
        assert code == 200 or str(code) in str(caught.value) or code in (400, 429)


@pytest.mark.parametrize("role", ["EMBED", "LLM"])
def test_of_a_server_of_the_environment_its_message_is_shown_and_no_more(
    role: str, misbehaving: Misbehaving, tmp_path: Path
) -> None:
    kind = {"EMBED": "RAGBOOK_EMBEDDER", "LLM": "RAGBOOK_LLM"}[role]
    environ = {
        kind: "openai-compatible",
        f"RAGBOOK_{role}_MODEL": "m",
        f"RAGBOOK_{role}_BASE_URL": misbehaving.address,
    }
    shown = {
        "said": failure(418, f"no\x1b[31m tea\u202e {'x' * 500}"),
        "": status(418, {"detail": "kingdom"}),
        " ": status(418, "<html>kingdom"),
    }
    for expected, reply in shown.items():
        misbehaving.play(reply)
        with pytest.raises(ModelError) as caught:
            asked(load_config(environ, folder=tmp_path))
        sentence = str(caught.value)
        assert "kingdom" not in sentence
        assert "418" in sentence
        if expected.strip():
            assert "tea" in sentence
            assert sentence.count("x") < 220
            assert not [one for one in sentence if not one.isprintable()]


def test_what_was_judged_is_what_is_connected_to(misbehaving: Misbehaving) -> None:
    """A name that answers with an open address first and an internal one a moment later gains nothing."""
    answers = [["127.0.0.1"], ["169.254.169.254"]]
    transport = Judged(Allowance(loopback=True), resolve=lambda *_: answers.pop(0))
    port = httpx.URL(misbehaving.address).port
    misbehaving.play(status(200, {}))
    with httpx.Client(transport=transport) as client:
        assert client.post(f"http://models.example:{port}/v1", json={}).status_code == 200
        assert misbehaving.requests[0].headers["Host"] == f"models.example:{port}"
        with pytest.raises(AddressRefused):
            client.post(f"http://models.example:{port}/v1", json={})
    assert len(misbehaving.requests) == 1


def test_a_redirect_is_judged_too(misbehaving: Misbehaving, tmp_path: Path) -> None:
    misbehaving.play(status(307, "", Location="http://169.254.169.254/latest/meta-data"))
    with pytest.raises(AddressRefused, match=r"169\.254"):
        asked(from_page(tmp_path, "LLM", misbehaving.address))


def test_a_forbidden_address_cannot_even_be_saved(tmp_path: Path) -> None:
    book = Notebook(
        load_config({"RAGBOOK_HOME": str(tmp_path)}, folder=tmp_path),
        reload=lambda saved: load_config({"RAGBOOK_HOME": str(tmp_path)}, folder=tmp_path, saved=saved),
    )
    wanted = {"RAGBOOK_LLM": "openai-compatible", "RAGBOOK_LLM_MODEL": "m"}
    with pytest.raises(AddressRefused):
        book.save_settings({**wanted, "RAGBOOK_LLM_BASE_URL": "http://169.254.169.254/v1"})
    assert book.saved_settings() == {}
    book.save_settings({**wanted, "RAGBOOK_LLM_BASE_URL": "http://localhost:11434/v1"})
    assert book.config.llm_base_url == "http://localhost:11434/v1"


def test_what_a_program_gives_is_its_own_word(misbehaving: Misbehaving) -> None:
    config = Config(embedder="openai-compatible", embed_model="m", embed_base_url=misbehaving.address)
    assert embedding_endpoint(config).limits is None
    assert llm_endpoint(Config(llm="openai")).limits is None
