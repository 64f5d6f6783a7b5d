"""Values that senders spread over indexed attributes (`p.0.role`, `p.0.parts.1.text`), put together again."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

MAX_SLOTS = 10_001  # list slots made of one span's attributes, holes included; further keys are dropped
MAX_SEGMENTS = 64  # of one key; deeper ones are dropped
MAX_INDEX_DIGITS = 5  # a longer index is beyond MAX_SLOTS anyway
_FORBIDDEN = frozenset({"__proto__", "constructor", "prototype"})  # they change objects of JavaScript


class _List(list[Any]):
    """A list made here; those that are attribute values themselves are left as they are."""


class _Object(dict[str, Any]):
    """An object made here."""


class Slots:
    """The list slots that one span may still fill, whatever its indices claim."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_SLOTS

    def reach(self, items: list[Any], index: int) -> bool:
        """Lengthen a list with holes until it has `index`; False when that takes more than there is."""
        missing = index + 1 - len(items)
        if missing > self.left:
            return False
        if missing > 0:
            self.left -= missing
            items.extend([None] * missing)
        return True


def gather(pairs: Iterable[tuple[str, Any]], prefix: str, slots: Slots) -> Any:
    """The value that the attributes `prefix` and `prefix.<path>` make together.

    The bare prefix is the value itself. Otherwise a list when any path starts with a number (holes are
    None), else an object, which is empty when nothing is left. Never raises.
    """
    paths = []
    for key, value in pairs:
        if key == prefix:
            return value
        path = key[len(prefix) :].removeprefix(".").split(".", MAX_SEGMENTS)
        if len(path) <= MAX_SEGMENTS and not _FORBIDDEN.intersection(path):
            paths.append((path, value))
    whole: Any = _Object()
    if any(len(path) > 1 and _is_index(path[0]) for path, _ in paths):
        whole = _List()
    for path, value in paths:
        _put(whole, path, value, slots)
    return whole


def _is_index(segment: str) -> bool:
    return segment.isascii() and segment.isdigit()


def _put(whole: Any, path: list[str], value: Any, slots: Slots) -> None:
    """Put a value at its path, making lists and objects on the way; dropped where something else is."""
    place = whole
    for segment, following in pairwise(path):
        place = _step(place, segment, _List() if _is_index(following) else _Object(), slots)
    _step(place, path[-1], value, slots)


def _step(place: Any, segment: str, value: Any, slots: Slots) -> Any:
    """What stands at a segment, `value` where nothing did; None where a segment has no place."""
    if isinstance(place, _Object):
        return place.setdefault(segment, value)
    if not isinstance(place, _List) or not _is_index(segment) or len(segment) > MAX_INDEX_DIGITS:
        return None
    index = int(segment)
    if not slots.reach(place, index):
        return None
    if place[index] is None:
        place[index] = value
    return place[index]
