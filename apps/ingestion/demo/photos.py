"""Photos that the demo's customers send: parcels, drawn here, since a program should not carry pictures."""

from __future__ import annotations

import base64
import functools
import hashlib
import struct
import zlib
from collections.abc import Sequence
from typing import Final

from apps.tracing.media import references, services
from apps.tracing.media.services import Announcement
from apps.tracing.records import Observation

COUNT: Final = 3
_WIDTH, _HEIGHT = 360, 240
_CARDBOARD: Final = ((176, 132, 84), (193, 154, 107), (150, 111, 70))
_TYPE: Final = "image/png"

Color = tuple[int, int, int]


@functools.cache
def photo(number: int) -> bytes:
    """A PNG of a broken parcel; `number` below COUNT."""
    # Every other pixel and row, each twice: drawing is slow.
    lines = (
        b"\0" + b"".join(bytes(_pixel(number, x, y)) * 2 for x in range(0, _WIDTH, 2))
        for y in range(0, _HEIGHT, 2)
    )
    rows = b"".join(line * 2 for line in lines)
    header = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def reference(number: int) -> str:
    """What stands in place of a photo in content."""
    return f"{references.MARK}type={_TYPE}|id={services.media_id_of(_hash(number))}|source=bytes@@@"


def keep_photos(observations: Sequence[Observation]) -> None:
    """Store the photos that observations refer to; safe to repeat."""
    numbers = {services.media_id_of(_hash(number)): number for number in range(COUNT)}
    for row in observations:
        for found in references.find(row.input):
            content = photo(numbers[found.media_id])
            wanted = Announcement(
                _TYPE, len(content), _hash(numbers[found.media_id]), "input", row.trace_id, row.id
            )
            services.keep(row.project_id, wanted, content)


@functools.cache
def _hash(number: int) -> str:
    return base64.b64encode(hashlib.sha256(photo(number)).digest()).decode()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _pixel(number: int, x: int, y: int) -> Color:
    """A box on a table: front, lid, tape, label, and where it is torn."""
    board = _CARDBOARD[number]
    if 70 <= y < 200 and 80 <= x < 280:
        if _is_torn(number, x, y):
            return 38, 30, 24
        if 172 <= x < 188:
            return _shade(board, 1.22)  # tape
        if 96 <= x < 152 and 90 <= y < 128:  # label
            return (90, 90, 92) if y % 8 < 2 and 102 <= x < 146 - number * 8 else (238, 236, 230)
        return _shade(board, 1 - (x - 80) / 900 + ((x * 7 + y * 3) % 11 - 5) / 260)
    if 44 <= y < 70 and 80 + (70 - y) <= x < 280 + (70 - y):
        return _shade(board, 1.18)  # lid
    if 44 <= y < 200 and 280 <= x < 306 and x - 280 <= 200 - y and x - 280 >= 70 - y:
        return _shade(board, 0.68)  # side
    if 196 <= y < 208 and 84 <= x < 312:
        return 112, 104, 96  # shadow
    return _shade((206, 200, 190) if y < 150 else (164, 150, 134), 0.92 + (y % 150) / 1500)


def _is_torn(number: int, x: int, y: int) -> bool:
    """A hole with ragged edges, elsewhere in each photo."""
    ragged = (x // 5 * 7) % 10
    centre, size = ((236, 150), (214, 176), (128, 168))[number], (30, 22, 36)[number]
    return abs(x - centre[0]) * 2 // 3 + abs(y - centre[1]) < size - ragged


def _shade(color: Color, by: float) -> Color:
    red, green, blue = (min(255, max(0, round(part * by))) for part in color)
    return red, green, blue
