"""How many tokens a text is to a language model, as far as that can be told."""

from __future__ import annotations

import re
from collections.abc import Callable

from rag.models.tokens import count_bpe

_OPENAI = re.compile(r"(?:gpt-|chatgpt|o\d\b|text-davinci)")
_CL100K = re.compile(r"gpt-(?:3\.5|4(?![o.\d]))")


def token_counter(model: str) -> tuple[Callable[[str], int], bool]:
    """How many tokens a text is for `model`, and whether that is exact.

    Models of OpenAI are counted with their own tokenizer. Others have tokenizers that are not known here: one and a
    half times OpenAI's count or a token for every three bytes, whichever is more, which is above what the tokenizers
    of Llama, Mistral, Qwen and Gemma make of prose.
    """
    if _OPENAI.match(model):
        encoding = "cl100k_base" if _CL100K.match(model) else "o200k_base"
        return lambda text: count_bpe(encoding, text), True
    return lambda text: max((3 * count_bpe("o200k_base", text) + 1) // 2, (len(text.encode()) + 2) // 3), False
