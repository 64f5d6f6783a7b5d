"""A local server that speaks OpenAI's HTTP API: plain answers, streams, tools, embeddings, planned errors.

Every answer follows from the request, so a test can say beforehand what it will be (`answer`) and what it
costs in tokens (`count_tokens`). The path's last parts decide, so any prefix does: `/v1`, `/api/v3`.
`python -m tests.support.model_server [PORT]` runs one by hand.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

CREATED = 1_760_000_000
DIMENSIONS = 8
# Asking for one of these models fails so; openai's client must be told max_retries=0, or it tries again.
ERRORS = {
    "error-429": (429, "rate_limit_exceeded", "Too many requests, as planned."),
    "error-500": (500, "server_error", "The model broke, as planned."),
}
# A message that begins so is taken from the cache: all its tokens count as cached ones.
CACHED = "As you know:"


def count_tokens(text: str) -> int:
    """Tokens of a text as this server counts them: words between blanks."""
    return len(text.split())


def answer(model: str, question: str) -> str:
    """What `model` says to the last user message."""
    return f"{model} heard: {question}"


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived. Header names in lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class ModelServer:
    """The server, on a free port of the loopback interface. A context manager, or call `start` and `stop`."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[Request] = []
        self._open = threading.Event()
        self._open.set()
        server = self

        class Handler(_Handler):
            model_server = server

        self._http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def base_url(self) -> str:
        """For a client's `base_url`, without slash at the end."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def start(self) -> ModelServer:
        """Answer requests from now on."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Free the port; requests being answered are not waited for."""
        self.release()
        self._http.shutdown()
        self._http.server_close()

    def hold(self) -> None:
        """Keep every request waiting until `release`: a program in the middle of its work."""
        self._open.clear()

    def release(self) -> None:
        """Answer what waits, and all that comes."""
        self._open.set()

    def receive(self, request: Request) -> None:
        """Note a request and wait while held."""
        self.requests.append(request)
        self._open.wait()

    def __enter__(self) -> ModelServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _text(content: Any) -> str:
    """The words of a message's content, be it text or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return " ".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))


def _usage(messages: list[dict[str, Any]], completion: int) -> dict[str, Any]:
    texts = [_text(message.get("content")) for message in messages]
    prompt = sum(map(count_tokens, texts))
    cached = sum(count_tokens(text) for text in texts if text.startswith(CACHED))
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _tool_call(tool: dict[str, Any]) -> dict[str, Any]:
    """A call of the tool in which every argument is its own name."""
    function = tool["function"]
    names = function.get("parameters", {}).get("properties", {})
    arguments = json.dumps({name: name for name in names})
    return {
        "id": "call_1",
        "type": "function",
        "function": {"name": function["name"], "arguments": arguments},
    }


@dataclass(frozen=True, slots=True)
class _Reply:
    """What is said to one chat request, before it takes a shape."""

    model: str
    message: dict[str, Any]
    finish: str
    usage: dict[str, Any]

    @classmethod
    def to(cls, body: dict[str, Any]) -> _Reply:
        messages = body.get("messages", [])
        wants_tool = body.get("tools") and messages and messages[-1].get("role") == "user"
        if wants_tool and body.get("tool_choice") != "none":
            call = _tool_call(body["tools"][0])
            message = {"role": "assistant", "content": None, "tool_calls": [call]}
            spent = count_tokens(call["function"]["arguments"])
            return cls(body["model"], message, "tool_calls", _usage(messages, spent))
        asked = next((_text(m.get("content")) for m in reversed(messages) if m.get("role") == "user"), "")
        text = answer(body["model"], asked)
        return cls(
            body["model"],
            {"role": "assistant", "content": text},
            "stop",
            _usage(messages, count_tokens(text)),
        )

    def completion(self) -> dict[str, Any]:
        choice = {"index": 0, "message": self.message, "finish_reason": self.finish, "logprobs": None}
        return self._envelope("chat.completion", [choice]) | {"usage": self.usage}

    def chunks(self, *, with_usage: bool) -> Iterator[dict[str, Any]]:
        """A stream as gateways send it: first a chunk without choices, usage only when asked for."""
        yield self._chunk([])
        yield self._delta({"role": "assistant", "content": ""})
        for index, call in enumerate(self.message.get("tool_calls", [])):
            yield self._delta({"tool_calls": [{"index": index, **call}]})
        for index, word in enumerate((self.message["content"] or "").split()):
            yield self._delta({"content": f" {word}" if index else word})
        yield self._delta({}, self.finish)
        if with_usage:
            yield self._chunk([]) | {"usage": self.usage}

    def _delta(self, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return self._chunk([{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}])

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return self._envelope("chat.completion.chunk", choices)

    def _envelope(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": "chatcmpl-1",
            "object": kind,
            "created": CREATED,
            "model": self.model,
            "choices": choices,
        }


def _response(body: dict[str, Any]) -> dict[str, Any]:
    """An answer of the responses API."""
    asked = body.get("input", "")
    if isinstance(asked, list):
        asked = " ".join(_text(item.get("content")) for item in asked)
    text = answer(body["model"], asked)
    spent, made = count_tokens(asked) + count_tokens(body.get("instructions") or ""), count_tokens(text)
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": CREATED,
        "status": "completed",
        "model": body["model"],
        "output": [
            {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}
        ],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": spent,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": made,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": spent + made,
        },
    }


def _embeddings(body: dict[str, Any]) -> dict[str, Any]:
    """One vector a text, made of the text's hash; base64 when asked so, as openai's client does."""
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    data = []
    for index, text in enumerate(texts):
        vector = [byte / 255 for byte in hashlib.sha256(str(text).encode()).digest()[:DIMENSIONS]]
        packed = base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *vector)).decode()
        shown = packed if body.get("encoding_format") == "base64" else vector
        data.append({"object": "embedding", "index": index, "embedding": shown})
    spent = sum(count_tokens(str(text)) for text in texts)
    usage = {"prompt_tokens": spent, "total_tokens": spent}
    return {"object": "list", "model": body["model"], "data": data, "usage": usage}


def _chat(body: dict[str, Any]) -> dict[str, Any]:
    return _Reply.to(body).completion()


_ROUTES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "/chat/completions": _chat,
    "/responses": _response,
    "/embeddings": _embeddings,
}


class _Handler(BaseHTTPRequestHandler):
    """Reads a request whole, notes it, and answers by `_ROUTES`."""

    model_server: ModelServer
    protocol_version = "HTTP/1.1"  # keeps connections, as the real ones do
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.model_server.receive(Request(self.path, headers, body))
        route = next((route for end, route in _ROUTES.items() if self.path.endswith(end)), None)
        if route is None:
            self._fail(404, "not_found", f"No such path: {self.path}")
        elif body.get("model") in ERRORS:
            self._fail(*ERRORS[body["model"]])
        elif not body.get("stream"):
            self._json(200, route(body))
        elif route is _chat:
            options = body.get("stream_options") or {}
            self._stream(_Reply.to(body).chunks(with_usage=bool(options.get("include_usage"))))
        else:
            self._fail(400, "unsupported", "Only chat completions are streamed here.")

    def _fail(self, status: int, code: str, message: str) -> None:
        self._json(status, {"error": {"message": message, "type": code, "param": None, "code": code}})

    def _json(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, chunks: Iterator[dict[str, Any]]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in [*map(json.dumps, chunks), "[DONE]"]:
            data = f"data: {line}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: the tests look at `ModelServer.requests`."""


if __name__ == "__main__":
    running = ModelServer(int(sys.argv[1]) if len(sys.argv) > 1 else 0).start()
    print(running.base_url, flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        running.stop()
