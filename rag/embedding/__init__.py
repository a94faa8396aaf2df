"""Embedding models: local, OpenAI and OpenAI-compatible; batching, retries, usage and cost.

`factory.make_embedder` makes the `embedder.Embedder` of a configuration; everything else uses that. What talks to a
server is shared with `rag.llms`: `endpoint`, `failures`, `retries`, `connection`. Importing this package, `prices`,
`tokens` or `endpoint` loads neither llama-index nor onnxruntime.
"""
