"""Tokens: places that are true to the text, counts that match the reference, and bounded work."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import llama_index.core
import pytest
import tiktoken

from rag.config import Config
from rag.errors import ModelMissing
from rag.models.tokens import (
    CL100K_DIGEST,
    MINILM_DIGEST,
    MINILM_TOKENIZER,
    PIECE,
    Cl100kTokenizer,
    MiniLmTokenizer,
    bpe,
    checked,
    count_minilm,
    count_openai,
    counter_for,
    pieces,
    tokenizer_for,
)
from rag.settings import MULTILINGUAL_MODEL

MIXED = "Héllo wörld! 日本語 🎉🎉 naïve\r\n\tcode(x)=1234567; <|endoftext|> isn't\n\n  two"
TOKENIZERS = (MiniLmTokenizer(), Cl100kTokenizer())


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda tokenizer: tokenizer.name)
def test_places_are_in_order_inside_the_text_and_miss_only_white_space(tokenizer: MiniLmTokenizer) -> None:
    offsets = tokenizer.count_offsets(MIXED)
    assert len(offsets) == tokenizer.count(MIXED)
    assert all(0 <= start < end <= len(MIXED) for start, end in offsets)
    assert [start for start, _ in offsets] == sorted(start for start, _ in offsets)
    covered = {place for start, end in offsets for place in range(start, end)}
    assert all(MIXED[place].isspace() for place in set(range(len(MIXED))) - covered)


def test_places_of_words() -> None:
    text = "Ships sail."
    assert [text[start:end] for start, end in MiniLmTokenizer().count_offsets(text)] == ["Ships", "sail", "."]
    assert [text[start:end] for start, end in Cl100kTokenizer().count_offsets(text)] == ["Sh", "ips", " sail", "."]


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda tokenizer: tokenizer.name)
def test_no_text_has_no_tokens(tokenizer: MiniLmTokenizer) -> None:
    assert tokenizer.count_offsets("") == []
    assert tokenizer.count("") == 0


def test_the_encoding_is_that_of_tiktoken(monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = Path(llama_index.core.__file__).parent / "_static" / "tiktoken_cache"
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(bundled))
    for name in ("cl100k_base", "o200k_base"):
        assert bpe(name).encode_ordinary(MIXED * 50) == tiktoken.get_encoding(name).encode_ordinary(MIXED * 50)


def test_counting_leaves_the_environment_as_it_is() -> None:
    code = (
        "import os\nbefore = dict(os.environ)\nfrom rag.models.tokens import count_bpe\n"
        "assert count_bpe('cl100k_base', 'Ships sail.') and dict(os.environ) == before"
    )
    environment = {name: value for name, value in os.environ.items() if name != "TIKTOKEN_CACHE_DIR"}
    environment["ORT_DISABLE_TELEMETRY"] = "1"  # the one that importing `rag` sets
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda tokenizer: tokenizer.name)
def test_cutting_a_text_into_pieces_moves_no_token(tokenizer: MiniLmTokenizer) -> None:
    text = "It was a bright cold day in April, and the clocks were striking thirteen.\nWinston went on. " * 1500
    assert len(list(pieces(text))) > 3
    whole = [span for _, piece in pieces(text, len(text)) for span in tokenizer.count_offsets(piece[:PIECE])]
    assert tokenizer.count_offsets(text)[: len(whole) - 5] == whole[:-5]


def test_pieces_are_the_text() -> None:
    for text in ("", "a" * (3 * PIECE + 7), "word " * PIECE, "\n" * (2 * PIECE), "日本" * PIECE):
        cut = list(pieces(text))
        assert "".join(piece for _, piece in cut) == text
        assert [start for start, _ in cut] == [sum(len(piece) for _, piece in cut[:i]) for i in range(len(cut))]
        assert all(len(piece) <= PIECE for _, piece in cut)


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda tokenizer: tokenizer.name)
@pytest.mark.parametrize("unit", ["a", "é"])
def test_a_run_of_five_million_characters_is_bounded(tokenizer: MiniLmTokenizer, unit: str) -> None:
    # Takes 1 to 3 s of CPU; without pieces it takes over 3 s and 300 MB, and in older versions of tiktoken hours.
    offsets = tokenizer.count_offsets(unit * 5_000_000)
    assert all(end <= 5_000_000 for _, end in offsets)


def test_counts() -> None:
    assert count_minilm(["hello world", "", "[hello]"]) == [2, 0, 3]
    # A newline is sent, and billed, as a space.
    assert count_openai(["hello world", "hello\nworld", "<|endoftext|>"]) == [2, 2, 7]


def test_digests_are_those_of_the_files() -> None:
    assert hashlib.sha256(MINILM_TOKENIZER.read_bytes()).hexdigest() == MINILM_DIGEST
    assert tokenizer_for(Config()).digest == MINILM_DIGEST
    for embedder in ("openai", "openai-compatible"):
        tokenizer = tokenizer_for(Config(embedder=embedder, embed_model="any"))
        assert (tokenizer.name, tokenizer.digest) == ("cl100k_base", CL100K_DIGEST)


def test_the_multilingual_model_is_counted_by_a_stand_in() -> None:
    config = Config(embed_model=MULTILINGUAL_MODEL)
    assert tokenizer_for(config).name == "cl100k_base, words/1"
    assert counter_for(config)(["hello\nworld", ""]) == [3, 0]
    assert counter_for(Config())(["hello\nworld"]) == count_minilm(["hello\nworld"]) == [2]
    remote = Config(embedder="openai", embed_model="any")
    assert counter_for(remote)(["hello\nworld"]) == count_openai(["hello\nworld"]) == [2]


def test_a_file_that_is_missing_or_differs_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    with pytest.raises(ModelMissing, match=r"cannot be read .*file\.json.*Do that\."):
        checked(file, MINILM_DIGEST, "Do that.")
    file.write_bytes(b"{}")
    with pytest.raises(
        ModelMissing, match=r"file\.json is not the expected file.*44136fa355b3 .*be50c3628f2b.*Do that"
    ):
        checked(file, MINILM_DIGEST, "Do that.")


def test_importing_is_cheap() -> None:
    heavy = "{'llama_index.core', 'onnxruntime', 'openai', 'tokenizers', 'tiktoken'}"
    code = (
        "import sys, rag.models.embedder, rag.prices, rag.models.tokens, rag.models.factory\n"
        f"print({heavy} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
