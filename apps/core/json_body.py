"""Bodies of API requests: JSON whatever the content type says, packed or not, within the endpoint's limit."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import IO, Any

import orjson
from rest_framework.parsers import BaseParser

from apps.core.errors import InvalidBody, InvalidRequest, Issue, TooLarge

MAX_BODY = 1_000_000  # bytes; what clients of the API expect any route to take
LARGE_BODY = 4_500_000  # of the routes that take whole documents, and of any request that Django sees


class JsonBody(BaseParser):
    """Reads a request's body for `view.max_body`."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """The parsed body. Raises TooLarge, or InvalidRequest that says where it stops being JSON."""
        assert parser_context is not None
        limit: int = parser_context["view"].max_body
        encoding = parser_context["request"].headers.get("Content-Encoding", "")
        content = unpack(stream.read(limit + 1), encoding, limit)
        try:
            body = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise InvalidRequest(f"The body is not JSON: {error}.") from None
        if b"\\u0000" in content:
            _refuse_nul(body)
        return body


def _refuse_nul(body: Any) -> None:
    """Raise InvalidBody where a text holds U+0000, which databases cannot store."""
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), body)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [((*path, key), inner) for key, inner in value.items()]
            value = "".join(value)
        elif isinstance(value, list):
            waiting += [((*path, index), inner) for index, inner in enumerate(value)]
        if isinstance(value, str) and "\0" in value:
            raise InvalidBody(
                [Issue("invalid_string", path, "String holds the character U+0000, which cannot be stored")]
            )


def unpack(body: bytes, encoding: str, limit: int) -> bytes:
    """A body without its Content-Encoding; raises TooLarge beyond `limit` bytes before or after."""
    encoding = encoding.strip().lower()
    if encoding in ("gzip", "x-gzip", "deflate"):
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # tells gzip from zlib by itself
        try:
            body = unpacker.decompress(body, limit + 1) if len(body) <= limit else body
        except zlib.error:
            raise InvalidRequest(f"The body is not what its Content-Encoding, {encoding}, says.") from None
        if len(body) <= limit and not unpacker.eof:
            raise InvalidRequest(f"The body ends in the middle of its {encoding} data.")
    elif encoding not in ("", "identity"):
        raise InvalidRequest("Content-Encoding must be gzip or deflate, or absent.")
    if len(body) > limit:
        raise TooLarge(too_large(limit))
    return body


def too_large(limit: int) -> str:
    """What to tell a sender of more than `limit` bytes."""
    return (
        f"The body is larger than {limit:,} bytes, which is all that is taken here. Send it in parts, or"
        " large files as media (POST /api/public/media)."
    )
