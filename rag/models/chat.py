"""Chat models behind OpenAI's API, on any server, as llama-index knows them. `rag.models.llms` makes and streams
them."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import openai
from llama_index.core.base.llms.types import ChatMessage, ChatResponseGen, LLMMetadata
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.llms.openai import OpenAI
from llama_index.llms.openai.utils import ALL_AVAILABLE_MODELS, is_chatcomp_api_supported

from rag.errors import BadReply, ConfigError
from rag.models.connection import client_of, timeouts
from rag.models.endpoint import Endpoint
from rag.models.failures import no_answer
from rag.models.tokens import bpe

TIMEOUT = 60.0  # seconds without a byte
OPENAI_WINDOW = 128_000  # tokens, for models of OpenAI newer than llama-index's list
SMALL_WINDOW = 4096  # tokens, for models of unknown servers: what Ollama and llama.cpp give where nothing is set


class RemoteChat(OpenAI):
    """A chat model behind OpenAI's API, on any server and of any name. One request per call, no retries.

    A subclass of llama-index's own, because that one keeps the key in a field that `repr` and `to_dict` show, refuses
    names it does not know, and may download a tokenizer.
    """

    _endpoint: Endpoint = PrivateAttr()
    _asks_usage: bool = PrivateAttr(default=True)
    _context: int | None = PrivateAttr(default=None)

    def __init__(self, endpoint: Endpoint, *, timeout: float = TIMEOUT, context: int | None = None) -> None:
        """A model at `endpoint`, of a window of `context` tokens where that is known.

        Raises:
            ConfigError: if the model cannot chat over `/chat/completions`.
        """
        if not is_chatcomp_api_supported(endpoint.model):
            raise ConfigError(
                f"RAGBOOK_LLM_MODEL is {endpoint.model!r}, which OpenAI offers through its Responses API only. "
                "Choose another, such as gpt-4.1-mini."
            )
        client = client_of(endpoint, cuttable=True)
        super().__init__(
            model=endpoint.model,
            temperature=0.0,
            # Never empty: llama-index would take OPENAI_API_KEY and OPENAI_API_BASE from the environment instead.
            api_key="***",
            api_base=endpoint.address,
            max_retries=0,
            timeout=timeout,
            http_client=client,
        )
        # The SDK closes its client when it is collected, but then its sockets may have been collected before it.
        weakref.finalize(self, client.close)
        self._endpoint = endpoint
        self._context = context

    @property
    def endpoint(self) -> Endpoint:
        """Where the model lives."""
        return self._endpoint

    @property
    def metadata(self) -> LLMMetadata:
        """What llama-index asks of a model; every name is taken for a chat model."""
        unknown = OPENAI_WINDOW if self._endpoint.billed_by_openai else SMALL_WINDOW
        return LLMMetadata(
            context_window=self._context or ALL_AVAILABLE_MODELS.get(self.model, unknown),
            num_output=self.max_tokens or -1,
            is_chat_model=True,
            model_name=self.model,
        )

    @property
    def _tokenizer(self) -> Any:
        return bpe("o200k_base")

    def _get_credential_kwargs(self, is_async: bool = False) -> dict[str, Any]:
        key = self._endpoint.key
        return {
            **super()._get_credential_kwargs(is_async),
            "api_key": key.reveal() if key else "none",  # the SDK insists on one; servers without keys ignore it
            "timeout": timeouts(self.timeout),
        }

    def _stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        asked = {"stream_options": {"include_usage": True}} if self._asks_usage else {}
        try:
            yield from super()._stream_chat(messages, **asked, **kwargs)
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            if "stream_options" not in str(error) or not self._asks_usage:
                raise
            # Some servers refuse fields they do not know. Then tokens are counted here.
            self._asks_usage = False
            yield from super()._stream_chat(messages, **kwargs)
        except (ValueError, TypeError, AttributeError) as error:
            # What the SDK and llama-index raise when JSON is none or has another shape: they do not check it.
            raise BadReply(no_answer(self._endpoint)) from error
