"""Stops bodies too large for any page or endpoint before Django takes them in: it has no limit of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from apps.core.errors import TooLarge
from apps.core.json_body import LARGE_BODY, too_large

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


async def bounded(application: Application, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request by `application`, or by 413 as soon as its body is known to be over LARGE_BODY."""
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length[:19]) > LARGE_BODY:
        return await _refuse(headers, send)
    taken = 0

    async def counted() -> dict[str, Any]:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > LARGE_BODY:
            raise TooLarge(too_large(LARGE_BODY))
        return message

    try:
        return await application(scope, counted, send)
    except TooLarge:  # raised above, while the body was read: nothing has been answered yet
        return await _refuse(headers, send)


async def _refuse(headers: dict[bytes, bytes], send: Send) -> None:
    body = orjson.dumps(TooLarge(too_large(LARGE_BODY)).body())
    answer = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),  # what is still being sent is not read
    ]
    if b"origin" in headers:
        answer += [(b"access-control-allow-origin", headers[b"origin"]), (b"vary", b"Origin")]
    await send({"type": "http.response.start", "status": 413, "headers": answer})
    await send({"type": "http.response.body", "body": body})
