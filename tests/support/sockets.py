"""A browser's side of a socket, without a server: what channels.testing offers, minus its need for daphne."""

from __future__ import annotations

import json
from typing import Any

from asgiref.testing import ApplicationCommunicator


class Socket(ApplicationCommunicator):
    """One WebSocket to an ASGI application."""

    def __init__(self, application: Any, path: str, headers: list[tuple[bytes, bytes]]) -> None:
        scope = {
            "type": "websocket",
            "path": path,
            "query_string": b"",
            "headers": headers,
            "subprotocols": [],
        }
        super().__init__(application, scope)

    async def connect(self) -> bool:
        """Whether the application accepts."""
        await self.send_input({"type": "websocket.connect"})
        answer = await self.receive_output(timeout=5)
        return bool(answer["type"] == "websocket.accept")

    async def read(self) -> Any:
        """The next message, parsed."""
        sent = await self.receive_output(timeout=5)
        assert sent["type"] == "websocket.send", sent
        return json.loads(sent["text"])

    async def say(self, **message: Any) -> None:
        """Send text= or bytes=."""
        await self.send_input({"type": "websocket.receive", **message})

    async def leave(self) -> None:
        """Go away, as a closed tab does."""
        await self.send_input({"type": "websocket.disconnect", "code": 1001})
        await self.wait(timeout=5)
