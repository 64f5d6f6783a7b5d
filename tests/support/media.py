"""Files for tests, and the two requests that bring one to the server."""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from typing import Any

import httpx


def png(width: int = 1, height: int = 1, color: tuple[int, int, int] = (200, 60, 60)) -> bytes:
    """A picture of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes(color) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def wav(seconds: float = 1.0) -> bytes:
    """Silence."""
    data = bytes(int(8000 * seconds))
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8)
    return (
        b"RIFF"
        + struct.pack("<I", 36 + len(data))
        + b"WAVE"
        + form
        + struct.pack("<4sI", b"data", len(data))
        + data
    )


def sha256(content: bytes) -> str:
    """As clients write it."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def media_id(content: bytes) -> str:
    """As clients compute it."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode()[:22]


def announcement(content: bytes, content_type: str = "image/png", **fields: Any) -> dict[str, Any]:
    """Body of POST /media."""
    return {
        "traceId": "trace-1",
        "contentType": content_type,
        "contentLength": len(content),
        "sha256Hash": sha256(content),
        "field": "input",
        **fields,
    }


def headers(content: bytes, content_type: str = "image/png") -> dict[str, str]:
    """What clients send with the file."""
    return {
        "content-type": content_type,
        "x-amz-checksum-sha256": sha256(content),
        "x-ms-blob-type": "BlockBlob",
    }


def reference(content: bytes, content_type: str = "image/png") -> str:
    """What clients write in place of the file."""
    return f"@@@langfuseMedia:type={content_type}|id={media_id(content)}|source=bytes@@@"


def upload(server: httpx.Client, content: bytes, content_type: str = "image/png", **fields: Any) -> str:
    """Bring a file to a server with a client that has its address and keys; the id."""
    made = server.post("/api/public/media", json=announcement(content, content_type, **fields))
    assert made.status_code == 201, made.text
    if url := made.json()["uploadUrl"]:
        put = httpx.put(url, content=content, headers=headers(content, content_type))
        assert put.status_code == 200, put.text
    return str(made.json()["mediaId"])
