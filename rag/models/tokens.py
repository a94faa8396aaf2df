"""Tokens: how long a text is for a model, and where each token lies in it. Offline, linear in the length of the text.

Two tokenizers: the WordPiece of all-MiniLM-L6-v2 (vendored here, Apache-2.0) and cl100k_base of OpenAI's embedding
models (o200k_base of its newer chat models only to count), whose files lie in llama-index-core. Neither tiktoken's
registry nor its cache is used, because both fall back to a download when a file is missing or differs.

Importing this module loads no tokenizer and no llama-index: names and digests are constants, for the recipe.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.util
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import ModelMissing
from rag.models.tokenizer import Tokenizer
from rag.models.word_tokens import BY_WORDS, WordTokens
from rag.settings import MULTILINGUAL_MODEL

if TYPE_CHECKING:
    import tiktoken
    import tokenizers

    from rag.config import Config

MINILM_TOKENIZER = Path(__file__).parent / "assets" / "minilm" / "tokenizer.json"
MINILM_DIGEST = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
CL100K_DIGEST = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
O200K_DIGEST = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"

# Characters tokenized at once. It bounds memory (tokenizers takes over 100 bytes per character) and the time of
# tiktoken on a run without spaces, and is far above the length of any chunk, so that chunks are counted in one go.
PIECE = 32_768

# Name, file of llama-index-core's bundled tiktoken cache (SHA-1 of the address it came from), digest and word pattern:
# the patterns are those of tiktoken 0.14. Kept here, so that an update of tiktoken cannot move tokens unnoticed.
_ENCODINGS = {
    "cl100k_base": (
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        CL100K_DIGEST,
        r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"""
        r"""|\s++$|\s*[\r\n]|\s+(?!\S)|\s""",
    ),
    "o200k_base": (
        "fb374d419588a4632f3f557e76b4b70aebbca790",
        O200K_DIGEST,
        r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"""
        r"""|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"""
        r"""|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
    ),
}
_LOCK = threading.RLock()


class MiniLmTokenizer:
    """WordPiece of all-MiniLM-L6-v2. A word over 100 characters is one unknown token, however long it is."""

    name = "all-MiniLM-L6-v2"
    digest = MINILM_DIGEST

    def count_offsets(self, text: str) -> list[tuple[int, int]]:
        """See `Tokenizer`."""
        tokenizer = minilm()
        offsets: list[tuple[int, int]] = []
        for start, piece in pieces(text):
            found = tokenizer.encode(piece, add_special_tokens=False).offsets
            offsets.extend((start + first, start + last) for first, last in found)
        return offsets

    def count(self, text: str) -> int:
        """Tokens of `text`, special tokens left out."""
        tokenizer = minilm()
        return sum(len(tokenizer.encode(piece, add_special_tokens=False)) for _, piece in pieces(text))


class Cl100kTokenizer:
    """cl100k_base: byte pairs of text-embedding-3-small, -3-large and ada-002. Text such as `<|endoftext|>` is text."""

    name = "cl100k_base"
    digest = CL100K_DIGEST

    def count_offsets(self, text: str) -> list[tuple[int, int]]:
        """See `Tokenizer`."""
        import numpy as np

        encoding = bpe(self.name)
        offsets: list[tuple[int, int]] = []
        for start, piece in pieces(text):
            tokens = encoding.decode_tokens_bytes(encoding.encode_ordinary(piece))
            # Which character each UTF-8 byte belongs to: a continuation byte is 10xxxxxx.
            content = np.frombuffer(b"".join(tokens), dtype=np.uint8)
            character = start + np.cumsum((content & 0xC0) != 0x80) - 1
            ends = np.cumsum([len(token) for token in tokens], dtype=np.int64)
            firsts = character[np.concatenate(([0], ends))[:-1]]
            lasts = character[ends - 1] + 1
            offsets.extend(zip(firsts.tolist(), lasts.tolist(), strict=True))
        return offsets

    def count(self, text: str) -> int:
        """Tokens of `text`."""
        return count_bpe(self.name, text)


def tokenizer_for(config: Config) -> Tokenizer:
    """The tokenizer that measures chunks for the embedder of `config`; cl100k_base stands in for unknown models."""
    return tokenizer_named(tokenizers_of(config.embedder, config.embed_model)[0])


def tokenizers_of(provider: str, model: str) -> tuple[str, ...]:
    """Names of the tokenizers that chunks for a model are measured with: today's, then older ones."""
    name = MiniLmTokenizer.name if measures_minilm(provider, model) else Cl100kTokenizer.name
    # The local models read texts of any length. What a server takes is not known: its chunks stay within its tokens.
    return (f"{name}{BY_WORDS}", name) if provider == "local" else (name,)


def tokenizer_named(name: str) -> Tokenizer:
    """One of `tokenizers_of`."""
    plain: Tokenizer = MiniLmTokenizer() if name.startswith(MiniLmTokenizer.name) else Cl100kTokenizer()
    return WordTokens(plain) if name.endswith(BY_WORDS) else plain


def measures_minilm(provider: str, model: str) -> bool:
    """Whether chunks for this model are measured in tokens of all-MiniLM-L6-v2. The multilingual local model reads
    texts of any length and its own tokenizer tells no places, so that cl100k_base stands in for it as well: an
    estimate: on XQuAD it counts 0.98 times as many tokens in English, 1.28 in German and 1.57 in Chinese."""
    return provider == "local" and model != MULTILINGUAL_MODEL


def counter_for(config: Config) -> Callable[[Sequence[str]], list[int]]:
    """What counts the tokens of texts for the embedder of `config`, as they are billed; cl100k_base stands in for
    unknown models."""
    if config.embedder != "local":
        return count_openai
    return count_minilm if measures_minilm(config.embedder, config.embed_model) else count_cl100k


def count_minilm(texts: Sequence[str]) -> list[int]:
    """Tokens of each text for the local model, special tokens left out. Exact."""
    tokenizer = MiniLmTokenizer()
    return [tokenizer.count(text) for text in texts]


def count_cl100k(texts: Sequence[str]) -> list[int]:
    """Tokens of each text in cl100k_base: for the multilingual local model, which bills nothing, an estimate."""
    return [count_bpe("cl100k_base", text) for text in texts]


def count_openai(texts: Sequence[str]) -> list[int]:
    """Tokens of each text as OpenAI's embedding models bill them: newlines are sent as spaces (`embedding.remote`)."""
    return [count_bpe("cl100k_base", text.replace("\n", " ")) for text in texts]


def count_bpe(name: str, text: str) -> int:
    """Tokens of `text` in the encoding `name`: `cl100k_base` or `o200k_base`."""
    encoding = bpe(name)
    return sum(len(encoding.encode_ordinary(piece)) for _, piece in pieces(text))


def pieces(text: str, size: int = PIECE) -> Iterator[tuple[int, str]]:
    """Cut `text` into pieces of at most `size` characters: (start, piece) in order.

    Cuts lie before a white space between two words, where no token of either tokenizer crosses, as long as there is
    one in the second half of the piece; otherwise anywhere.
    """
    start = 0
    while len(text) - start > size:
        cut = start + size
        while cut > start + size // 2:
            if text[cut] in " \n" and text[cut - 1].isalnum() and not text[cut + 1 : cut + 2].isspace():
                break
            cut -= 1
        else:
            cut = start + size
        yield start, text[start:cut]
        start = cut
    yield start, text[start:]


@functools.cache
def minilm(path: Path = MINILM_TOKENIZER) -> tokenizers.Tokenizer:
    """The tokenizer of all-MiniLM-L6-v2 without padding or truncation, loaded once. Safe to share by threads.

    Raises:
        ModelMissing: if its file is missing or not the expected one.
    """
    import tokenizers

    content = checked(path, MINILM_DIGEST, "Install Ragbook again: the file is part of it.")
    tokenizer = tokenizers.Tokenizer.from_buffer(content)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def bpe(name: str) -> tiktoken.Encoding:
    """The byte-pair encoding `name` without special tokens, loaded once. Safe to share by threads.

    Raises:
        ModelMissing: if its file is missing or not the expected one.
    """
    with _LOCK:
        return _bpe(name)


@functools.cache
def _bpe(name: str) -> tiktoken.Encoding:
    import tiktoken

    file, digest, pattern = _ENCODINGS[name]
    spec = importlib.util.find_spec("llama_index.core")
    roots = (spec.submodule_search_locations if spec else None) or [""]
    cache = Path(roots[0]) / "_static" / "tiktoken_cache"
    content = checked(cache / file, digest, "Install it again: pip install --force-reinstall llama-index-core")
    lines = (line.split() for line in content.splitlines() if line)
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    return tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


def checked(path: Path, digest: str, remedy: str) -> bytes:
    """The bytes of a model file.

    Raises:
        ModelMissing: if the file is missing, cannot be read, or its SHA-256 is not `digest`; ends with `remedy`.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelMissing(f"A model file cannot be read ({path}: {error.strerror}). {remedy}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise ModelMissing(
            f"{path} is not the expected file: its SHA-256 starts with {found[:12]} instead of {digest[:12]}. {remedy}"
        )
    return content
