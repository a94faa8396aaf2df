"""Embedding models behind OpenAI's API, on any server, as llama-index knows them.

A subclass of llama-index's own, because that one retries on its own (10 times 10), keeps the key in a field that its
`repr` and `to_dict` show, refuses names it does not know, and trusts the order and number of the vectors it gets.
"""

from __future__ import annotations

import weakref
from typing import Any

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.embeddings.openai import OpenAIEmbedding

from rag.errors import BadReply
from rag.models.connection import client_of, timeouts
from rag.models.endpoint import Endpoint
from rag.models.failures import no_answer

TIMEOUT = 60.0  # seconds without a byte


class RemoteEmbedding(OpenAIEmbedding):  # type: ignore[misc]  # llama-index-embeddings-openai has no types
    """One request per batch, no retries. Newlines are sent as spaces, as llama-index 0.7.0 does: part of the space."""

    _endpoint: Endpoint = PrivateAttr()

    def __init__(self, endpoint: Endpoint, *, dimensions: int | None = None, timeout: float = TIMEOUT) -> None:
        """A model at `endpoint`; `dimensions` asks the server for shorter vectors."""
        client = client_of(endpoint)
        super().__init__(
            # `model` must be one of llama-index's list; `model_name` is what is sent.
            model="text-embedding-3-small",
            model_name=endpoint.model,
            dimensions=dimensions,
            # Never empty: llama-index would take OPENAI_API_KEY and OPENAI_API_BASE from the environment instead.
            api_key="***",
            api_base=endpoint.address,
            max_retries=0,
            timeout=timeout,
            embed_batch_size=2048,
            http_client=client,
        )
        # The SDK closes its client when it is collected, but then its sockets may have been collected before it.
        weakref.finalize(self, client.close)
        self._endpoint = endpoint

    def _get_credential_kwargs(self, is_async: bool = False) -> dict[str, Any]:
        key = self._endpoint.key
        return {
            **super()._get_credential_kwargs(is_async),
            "api_key": key.reveal() if key else "none",  # the SDK insists on one; servers without keys ignore it
            "timeout": timeouts(self.timeout),
        }

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        """One request.

        Raises:
            BadReply: if the answer does not hold one vector per text.
            openai.OpenAIError: all else; `failures` translates it.
        """
        sent = [text.replace("\n", " ") for text in texts]
        client = self._get_client()
        try:
            reply = client.embeddings.create(input=sent, model=self.model_name, **self.additional_kwargs)
            found = [(item.index, [float(value) for value in item.embedding]) for item in reply.data]
        except (ValueError, TypeError, AttributeError) as error:
            # What the SDK raises when the JSON is none or has another shape: it does not check it.
            raise BadReply(no_answer(self._endpoint, "something that is no list of vectors")) from error
        if len(found) != len(texts):
            raise BadReply(no_answer(self._endpoint, f"{len(found)} vectors for {len(texts)} texts"))
        # The order is by `index`; some servers leave it out or at 0, and then mean the order they answer in.
        if sorted(str(index) for index, _ in found) == sorted(str(index) for index in range(len(found))):
            found.sort(key=lambda pair: pair[0])
        return [vector for _, vector in found]

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embeddings([query])[0]

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._get_text_embeddings(texts)

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embedding(text)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)
