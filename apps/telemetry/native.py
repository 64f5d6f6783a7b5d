"""Blocks in ClickHouse's Native format, written by columns.

Rows reach the store as one block an INSERT. Encoding them here costs half of what a general client does
(docs/storage.md): every column has one known type, text is joined and never inspected, and text that
repeats is encoded once.

The engine casts a `String` of a block to the table's `LowCardinality(String)`, so dictionaries are never
built here.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, localcontext
from functools import cache
from itertools import accumulate, chain
from operator import methodcaller
from typing import Any, NamedTuple

Encode = Callable[[Sequence[Any]], bytes]
UINT64_MAX = 2**64 - 1


class Codec(NamedTuple):
    """How one ClickHouse type is written: the type named in the block, the encoder, the value of a null."""

    name: str
    encode: Encode
    zero: Any


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_LENGTHS = [_varint(length) for length in range(16_384)]


def _string(text: str | bytes | None) -> bytes:
    if not text:
        return b"\0"
    # A lone surrogate cannot be stored; it becomes "?" instead of sinking its batch.
    data = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    size = len(data)
    return (_LENGTHS[size] if size < 16_384 else _varint(size)) + data


def _strings(values: Sequence[str | bytes | None]) -> bytes:
    """Text that differs from row to row."""
    if not any(values):
        return bytes(len(values))
    try:
        return _short_strings(values)  # type: ignore[arg-type]  # tried
    except (TypeError, UnicodeEncodeError, IndexError):
        return _any_strings(values)


def _short_strings(values: Sequence[str]) -> bytes:
    """Of text alone, all of it short, without a step of the interpreter for each."""
    texts = list(map(str.encode, values))
    lengths = map(_LENGTHS.__getitem__, map(len, texts))
    return b"".join(chain.from_iterable(zip(lengths, texts, strict=True)))


def _any_strings(values: Sequence[str | bytes | None]) -> bytes:
    pieces: list[bytes] = []
    add = pieces.append
    for value in values:
        if not value:
            add(b"\0")
            continue
        data = value if isinstance(value, bytes) else value.encode("utf-8", "replace")
        size = len(data)
        add(_LENGTHS[size] if size < 16_384 else _varint(size))
        add(data)
    return b"".join(pieces)


class _Memo(dict[Any, bytes]):
    """Encodes every distinct text once."""

    def __missing__(self, text: str | None) -> bytes:
        encoded = self[text] = _string(text)
        return encoded


def _common_strings(values: Iterable[str | None]) -> bytes:
    """Text of which few different values occur."""
    return b"".join(map(_Memo().__getitem__, values))


def _numbers(typecode: str) -> Encode:
    def encode(values: Sequence[int]) -> bytes:
        return array(typecode, values).tobytes()

    return encode


def _wide_numbers(values: Sequence[int]) -> bytes:
    return b"".join([value.to_bytes(16, "little", signed=True) for value in values])


def _decimals(scale: int, encode_numbers: Encode) -> Encode:
    """Decimals, or integers that are already in units of the last digit."""

    def encode(values: Sequence[Decimal | int]) -> bytes:
        with localcontext(prec=60):  # the usual 28 digits would round the longest
            return encode_numbers(
                [value if isinstance(value, int) else int(value.scaleb(scale)) for value in values]
            )

    return encode


def _nullable(inner: Codec) -> Encode:
    def encode(values: Sequence[Any]) -> bytes:
        nulls = bytes([value is None for value in values])
        if not any(nulls):
            return nulls + inner.encode(values)
        return nulls + inner.encode([inner.zero if value is None else value for value in values])

    return encode


def _offsets(values: Sequence[Any]) -> bytes:
    return array("Q", accumulate([len(value) if value else 0 for value in values])).tobytes()


def _array(inner: Codec) -> Encode:
    def encode(values: Sequence[Sequence[Any] | None]) -> bytes:
        if not any(values):
            return bytes(8 * len(values))
        items = list(chain.from_iterable(filter(None, values)))
        return _offsets(values) + inner.encode(items)

    return encode


_items = methodcaller("items")


def _map(key: Codec, value: Codec) -> Encode:
    def encode(values: Sequence[Mapping[str, Any] | None]) -> bytes:
        if not any(values):
            return bytes(8 * len(values))
        pairs = list(chain.from_iterable(map(_items, filter(None, values))))
        # Names repeat from row to row; what they stand for does not.
        keys = _common_strings([pair[0] for pair in pairs])
        return _offsets(values) + keys + value.encode([pair[1] for pair in pairs])

    return encode


_SIMPLE = {
    "String": Codec("String", _strings, ""),
    "LowCardinality(String)": Codec("String", _common_strings, ""),
    "Bool": Codec("Bool", _numbers("B"), False),
    "UInt8": Codec("UInt8", _numbers("B"), 0),
    "UInt16": Codec("UInt16", _numbers("H"), 0),
    "UInt32": Codec("UInt32", _numbers("I"), 0),
    "UInt64": Codec("UInt64", _numbers("Q"), 0),
    "Int64": Codec("Int64", _numbers("q"), 0),
    "Float64": Codec("Float64", _numbers("d"), 0.0),
    "DateTime64(6, 'UTC')": Codec("DateTime64(6, 'UTC')", _numbers("q"), 0),
}


@cache
def codec(type_name: str) -> Codec:
    """The codec of a ClickHouse type as `system.columns` spells it; ValueError for one not used here."""
    if simple := _SIMPLE.get(type_name):
        return simple
    if match := re.fullmatch(r"Decimal\((\d+), (\d+)\)", type_name):
        precision, scale = int(match[1]), int(match[2])
        if 9 < precision <= 18:
            return Codec(type_name, _decimals(scale, _numbers("q")), 0)
        if 18 < precision <= 38:
            return Codec(type_name, _decimals(scale, _wide_numbers), 0)
    if match := re.fullmatch(r"Nullable\((.+)\)", type_name):
        inner = codec(match[1])
        return Codec(f"Nullable({inner.name})", _nullable(inner), None)
    if match := re.fullmatch(r"Array\((.+)\)", type_name):
        inner = codec(match[1])
        return Codec(f"Array({inner.name})", _array(inner), ())
    if match := re.fullmatch(r"Map\((LowCardinality\(String\)|String), (.+)\)", type_name):
        key, value = codec(match[1]), codec(match[2])
        return Codec(f"Map({key.name}, {value.name})", _map(key, value), {})
    raise ValueError(f"no encoder for the type {type_name}")


class Block(NamedTuple):
    """Rows ready to be inserted; as pieces, because a block of content is megabytes to copy once more."""

    columns: tuple[str, ...]
    rows: int
    pieces: Sequence[bytes]

    @property
    def data(self) -> bytes:
        """The whole block."""
        return b"".join(self.pieces)


def block(columns: Sequence[tuple[str, str, Sequence[Any]]], rows: int) -> Block:
    """A block of `rows` rows from (name, ClickHouse type, values) columns.

    Values: text as str or UTF-8 bytes, DateTime64(6) as microseconds, decimals as Decimal or as integers
    in units of the last digit, maps as dicts, arrays as sequences; None where the type is Nullable, and
    for "empty" in text, maps and arrays. Numbers must be in the range of their type (OverflowError).
    """
    pieces = [_varint(len(columns)), _varint(rows)]
    for name, type_name, values in columns:
        kind = codec(type_name)
        pieces += (_string(name), _string(kind.name), kind.encode(values))
    return Block(tuple(name for name, _, _ in columns), rows, pieces)
