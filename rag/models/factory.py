"""From a configuration to its embedder. llama-index is imported for a model on a server, when one is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag.errors import BadKey
from rag.models.embedder import Embedder
from rag.models.endpoint import KEY_WITHHELD, Patience, embedding_endpoint
from rag.models.identity import MINILM_DIMENSIONS, MULTILINGUAL_DIMENSIONS
from rag.models.tokens import counter_for
from rag.settings import MULTILINGUAL_MODEL

if TYPE_CHECKING:
    from rag.config import Config

# Texts per call, which is also what is stored at once. Local: about two seconds of work. A server of one's own may be
# slow: 16 chunks of 220 tokens stay within the timeout of a minute down to 60 tokens per second.
LOCAL_BATCH = 64
OPENAI_BATCH = 128
COMPATIBLE_BATCH = 16


def make_embedder(config: Config, *, patience: Patience | None = None) -> Embedder:
    """The embedder of `config`. Makes no call and loads no model.

    Raises:
        BadKey: if `openai` is chosen and no key is set.
        ModelMissing: if `local` is chosen and the model is not installed.
    """
    if config.embedder == "local":
        from rag.models import minilm, multilingual
        from rag.models.local import LocalEmbedding, MultilingualEmbedding

        several = config.embed_model == MULTILINGUAL_MODEL
        (multilingual if several else minilm).installed()
        return Embedder(
            MultilingualEmbedding() if several else LocalEmbedding(),
            batch_size=LOCAL_BATCH,
            count_tokens=counter_for(config),
            usd_per_million_tokens=0.0,
            dimensions=MULTILINGUAL_DIMENSIONS if several else MINILM_DIMENSIONS,
            symmetric=True,
        )
    endpoint = embedding_endpoint(config)
    official = config.embedder == "openai"
    if official and endpoint.key is None:
        if endpoint.withheld:
            raise BadKey(KEY_WITHHELD.format(name="RAGBOOK_EMBED_BASE_URL"))
        raise BadKey(
            "OPENAI_API_KEY is not set, and RAGBOOK_EMBEDDER=openai needs it. Set it, or use RAGBOOK_EMBEDDER=local."
        )
    from rag.models.remote import RemoteEmbedding

    return Embedder(
        RemoteEmbedding(endpoint, dimensions=config.embed_dimensions),
        batch_size=OPENAI_BATCH if official else COMPATIBLE_BATCH,
        count_tokens=counter_for(config),
        usd_per_million_tokens=endpoint.embedding_price,
        dimensions=config.embed_dimensions,
        symmetric=True,
        endpoint=endpoint,
        patience=patience,
    )
