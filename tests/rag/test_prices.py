from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rag.config import Config, load_config
from rag.errors import ConfigError
from rag.models.endpoint import embedding_endpoint, llm_endpoint
from rag.models.factory import make_embedder
from rag.models.llms import TextStream, make_llm
from rag.notebook import Notebook
from rag.prices import CHAT_USD, EMBEDDING_USD, READ_ON, ChatPrice, Prices, read_prices
from rag.storage.ledger import Ledger
from tests.doubles import ask
from tests.notebooks import file, settings, text_of
from tests.servers import talk, vectors

OWN = {
    "read_on": "2026-10-01",
    "embedding": {"m": 4, "text-embedding-3-small": 0.5},
    "chat": {"m": {"input": 2.0, "output": 8}, "gpt-4o": {"input": 0, "output": 0.25}},
}


def written(tmp_path, body):
    path = tmp_path / "prices.json"
    path.write_text(body if isinstance(body, str) else json.dumps(body))
    return path


def test_the_list_has_the_date_it_was_read_and_no_price_of_nothing():
    assert Prices().read_on == READ_ON
    assert len(READ_ON) == 10
    assert all(price > 0 for price in EMBEDDING_USD.values())
    assert all(price.input > 0 < price.output for price in CHAT_USD.values())


def test_own_prices_go_before_the_list_and_hold_for_any_server(tmp_path):
    own = read_prices(written(tmp_path, OWN))
    assert (own.file, own.read_on) == (str(tmp_path / "prices.json"), "2026-10-01")
    for listed in (True, False):
        assert own.of_embedding("m", listed=listed) == 4.0
        assert own.of_embedding("text-embedding-3-small", listed=listed) == 0.5
        assert own.of_chat("m-2026-01-02", listed=listed) == ChatPrice(2.0, 8.0)
        assert own.of_chat("gpt-4o-2024-08-06", listed=listed) == ChatPrice(0.0, 0.25)
        assert own.of_embedding("other", listed=listed) is None
    assert own.of_embedding("text-embedding-3-large", listed=True) == 0.13
    assert own.of_embedding("text-embedding-3-large", listed=False) is None
    assert own.of_chat("gpt-4.1", listed=True) == CHAT_USD["gpt-4.1"]
    assert own.of_chat("gpt-4.1", listed=False) is None


def test_the_setting_reaches_every_price(tmp_path):
    config = load_config({"RAGBOOK_PRICES": str(written(tmp_path, OWN))}, folder=tmp_path)
    assert config.origins["RAGBOOK_PRICES"] == "environment"
    assert hash(config)
    own = replace(config, embedder="openai", embed_model="text-embedding-3-small", llm="openai", llm_model="gpt-4o")
    assert embedding_endpoint(own).embedding_price == 0.5
    assert llm_endpoint(own).chat_price == ChatPrice(0.0, 0.25)
    plain = Config(embedder="openai", embed_model="text-embedding-3-small", embed_base_url="http://127.0.0.1:9/v1")
    assert embedding_endpoint(plain).embedding_price is None  # not OpenAI's server, whatever the name
    assert load_config({}, folder=tmp_path).prices == Prices()


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("{", "not JSON"),
        ("[]", "no JSON object"),
        ({"read_on": "2026-10-01", "images": {}}, "'images'"),
        ({"embedding": {}}, "read_on"),
        ({"read_on": "1st of May"}, "'1st of May'"),
        ({"read_on": "2026-02-30"}, "2026-02-30"),
        ({"read_on": 20261001}, "20261001"),
        (OWN | {"embedding": []}, "embedding"),
        (OWN | {"embedding": {"m": "0.02"}}, "embedding.m"),
        (OWN | {"embedding": {"m": -1}}, "embedding.m"),
        (OWN | {"embedding": {"m": True}}, "embedding.m"),
        (OWN | {"embedding": {"m": None}}, "embedding.m"),
        (OWN | {"embedding": {"m": float("nan")}}, "embedding.m"),
        (OWN | {"embedding": {"m": float("inf")}}, "embedding.m"),
        (OWN | {"chat": {"m": 3}}, "chat.m"),
        (OWN | {"chat": {"m": {"input": 1}}}, "chat.m"),
        (OWN | {"chat": {"m": {"input": 1, "output": 1, "cached": 1}}}, "chat.m"),
        (OWN | {"chat": {"m": {"input": 1, "output": "x"}}}, "chat.m.output"),
        ('{"read_on": "2026-10-01", "embedding": {"m": 1, "m": 2}}', "'m' twice"),
    ],
)
def test_a_wrong_entry_is_named_with_its_file(tmp_path, body, named):
    path = written(tmp_path, body)
    with pytest.raises(ConfigError) as error:
        load_config({"RAGBOOK_PRICES": str(path)}, folder=tmp_path)
    sentence = str(error.value)
    assert sentence.startswith(f"RAGBOOK_PRICES: {path} ")
    assert named in sentence
    assert sentence.endswith(".")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    for path in (tmp_path / "gone.json", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_prices(path)
    (tmp_path / "odd.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not JSON"):
        read_prices(tmp_path / "odd.json")


def test_own_prices_are_in_receipt_ledger_and_estimate(tmp_path, misbehaving):
    misbehaving.play(vectors(8, lambda text, position: float(1 + (len(text) * (position + 3)) % 7)))
    config = settings(tmp_path / "home", embed_model="m", embed_base_url=misbehaving.address)
    config = replace(config, prices=read_prices(written(tmp_path, OWN)))
    book = Notebook(config, make_embedder=make_embedder)
    found = book.estimate([file("a.txt", text_of(2))])
    receipt = book.add([file("a.txt", text_of(2))]).verdict.receipt
    assert receipt.tokens > 100
    assert receipt.cost_usd == found.cost_usd == pytest.approx(receipt.tokens * 4 / 1e6)
    assert sum(one.cost_usd for one in Ledger(book.place.objects).entries()) == pytest.approx(receipt.cost_usd)


def test_an_answer_at_ones_own_price(tmp_path, misbehaving):
    misbehaving.play(talk(["Yes."], used={"prompt_tokens": 1000, "completion_tokens": 500}))
    config = settings(tmp_path, llm="openai-compatible", llm_model="m", llm_base_url=misbehaving.address)
    for prices, cost in ((Prices(), None), (read_prices(written(tmp_path, OWN)), 0.006)):
        answer = TextStream(make_llm(replace(config, prices=prices)), ask("Is it?"))
        assert list(answer) == ["Yes."]
        assert answer.usage.cost_usd == (None if cost is None else pytest.approx(cost))
