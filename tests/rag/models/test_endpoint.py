"""Which key goes to which address; what goes over the wire is promise 10."""

from __future__ import annotations

from typing import Any

import pytest

from rag.config import Config, Secret
from rag.errors import AddressRefused, BadKey
from rag.models.addresses import SERVED
from rag.models.endpoint import OPENAI_ADDRESS, Endpoint, check_addresses, embedding_endpoint, llm_endpoint
from rag.prices import Prices

OPENAI, OWN = Secret("sk-openai"), Secret("own")
SERVER = "https://models.example/v1"


def config(kind: str = "openai-compatible", address: str | None = SERVER, source: str = ".env", **more: Any) -> Config:
    origins = {"RAGBOOK_EMBED_BASE_URL": source} if source else {}
    return Config(embedder=kind, embed_model="m", embed_base_url=address, origins=origins, **more)


@pytest.mark.parametrize(
    ("settings", "key", "withheld"),
    [
        ({"api_key": OPENAI}, OPENAI, False),
        ({"api_key": OPENAI, "source": "environment"}, OPENAI, False),
        ({"api_key": OPENAI, "source": ""}, OPENAI, False),
        ({"api_key": OPENAI, "source": "saved"}, None, True),
        ({"api_key": OPENAI, "embed_api_key": OWN}, OWN, False),
        ({"api_key": OPENAI, "embed_api_key": OWN, "source": "saved"}, None, True),
        ({"embed_api_key": OWN, "source": "saved"}, None, True),
        ({"source": "saved"}, None, False),
        ({}, None, False),
        ({"api_key": OPENAI, "llm": "openai", "llm_model": "gpt-4.1-mini"}, None, True),
        ({"kind": "openai", "address": None, "api_key": OPENAI}, OPENAI, False),
        ({"kind": "openai", "address": OPENAI_ADDRESS, "source": "saved", "api_key": OPENAI}, OPENAI, False),
        ({"kind": "openai", "address": SERVER, "source": "saved", "api_key": OPENAI}, None, True),
        ({"kind": "openai", "address": "https://api.openai.com.evil.example", "source": "saved", "api_key": OPENAI},
         None, True),
    ],
)  # fmt: skip
def test_a_key_goes_to_the_origin_that_stands_beside_it(
    settings: dict[str, Any], key: Secret | None, withheld: bool
) -> None:
    found = embedding_endpoint(config(**settings))
    assert (found.key, found.withheld) == (key, withheld)


def test_an_address_of_a_page_has_limits_and_one_of_the_owner_none() -> None:
    assert embedding_endpoint(config()).limits is None
    saved = embedding_endpoint(config(source="saved"))
    assert saved.limits is not None
    assert saved.limits.loopback
    SERVED.told("0.0.0.0")
    wide = embedding_endpoint(config(source="saved")).limits
    assert wide is not None
    assert not wide.loopback


def test_both_roles_are_told_apart() -> None:
    both = Config(
        embedder="openai-compatible",
        embed_model="e",
        embed_base_url=SERVER,
        llm="openai-compatible",
        llm_model="l",
        llm_base_url="http://127.0.0.1:1/v1",
        embed_api_key=OWN,
        llm_api_key=Secret("other"),
    )
    embed, llm = embedding_endpoint(both), llm_endpoint(both)
    assert (embed.role, embed.model, embed.host, embed.key) == ("embedding model", "e", "models.example", OWN)
    assert (llm.role, llm.model, llm.host, llm.key) == ("language model", "l", "127.0.0.1:1", Secret("other"))


@pytest.mark.parametrize(
    "address", ["http://169.254.169.254/latest", "ftp://a.example", "http://metadata.google.internal"]
)
def test_what_a_page_may_not_save_is_refused_before_anything_is_asked(address: str) -> None:
    with pytest.raises(AddressRefused):
        check_addresses(config(address=address, source="saved"))
    check_addresses(config(address=address, source="environment"))


@pytest.mark.parametrize("key", ["sk-with space", "sk-\n", "schlüssel", "sk-\x00"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(BadKey) as told:
        Endpoint("LLM", "m", SERVER, Secret(key))
    assert key not in str(told.value)


def test_list_prices_are_those_of_openai_alone() -> None:
    there = Endpoint("EMBED", "text-embedding-3-small", OPENAI_ADDRESS)
    assert there.embedding_price == 0.02
    assert Endpoint("EMBED", "text-embedding-3-small", SERVER).embedding_price is None
    own = Prices(embedding=(("m", 7.0),))
    assert Endpoint("EMBED", "m", SERVER, prices=own).embedding_price == 7.0


def test_a_host_can_always_be_named() -> None:
    assert Endpoint("LLM", "m", "").host == "unknown host"
    assert Endpoint("LLM", "m", "nonsense").host == "nonsense"
