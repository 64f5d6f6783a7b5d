"""Metadata told in events: each value keeps the stamp of its event, down to the leaves of objects.

Events come in any order and again; the result must be that of applying each once, in the order of their
stamps: a later value replaces an earlier one, an object merges into an object. So a value is a tree whose
leaves have a stamp each, and a leaf said later removes what was said earlier below its path.

In `said` a value has one stamp under its name while one event said all of it; else one for each leaf, under
the name and the path, joined by NUL. A name there without a leaf is a value that leaves below it replaced:
it still removes what was said below it before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from apps.tracing.json_text import TooDeep, dumps

MAX_DEPTH = 5  # objects further down are replaced whole
MAX_LEAVES = 2000  # an object with more of them is replaced whole
MAX_LENGTH = 1_000_000  # so is one with a longer text, in characters

Map = dict[str, str]
Said = dict[str, int]

_BELOW = "\0"
_UNSAID = -1
_REPLACED = object()
_Leaves = dict[str, tuple[int, Any]]  # path -> stamp, value


def merge_maps(
    prefix: str, first: Mapping[str, str], first_said: Said, second: Mapping[str, str], second_said: Said
) -> tuple[Map, Said]:
    """Both maps as one, and the stamps of its values, whose names in `said` begin with `prefix`.

    Associative, commutative, idempotent.
    """
    if not first and not second:
        return {}, {}
    stamps, other_stamps = _by_key(prefix, first_said), _by_key(prefix, second_said)
    merged: Map = {}
    said: Said = {}
    for key in sorted({*first, *second}):
        mine, others = stamps.get(key, {}), other_stamps.get(key, {})
        if key not in second:
            merged[key], kept = first[key], mine
        elif key not in first or (first[key] == second[key] and mine == others):
            merged[key], kept = second[key], others
        else:
            name = prefix + key
            try:
                leaves = _union(_leaves(name, first[key], mine), _leaves(name, second[key], others))
                merged[key], kept = _built(name, leaves)
            except TooDeep:
                merged[key], kept = _later((first[key], mine), (second[key], others))
        said |= kept
    return merged, said


def _by_key(prefix: str, said: Said) -> dict[str, Said]:
    found: dict[str, Said] = defaultdict(dict)
    for name, stamp in said.items():
        if name.startswith(prefix):
            found[name[len(prefix) :].split(_BELOW, 1)[0]][name] = stamp
    return found


def _leaves(name: str, text: str, said: Said) -> _Leaves:
    """The leaves of a value by their paths; those that later ones replaced, too."""
    by_leaf = len(said) > (name in said)
    flat = _flat_object(name, text, bounded=not by_leaf)
    stamp = said.get(name, _UNSAID)
    if not flat:
        return {name: (stamp, text)}
    if not by_leaf:
        return {path: (stamp, value) for path, value in flat.items()}
    replaced: _Leaves = {path: (stamp, _REPLACED) for path, stamp in said.items() if path not in flat}
    return replaced | {path: (said.get(path, _UNSAID), value) for path, value in flat.items()}


def _flat_object(name: str, text: str, *, bounded: bool) -> dict[str, Any]:
    """Path -> leaf of the text of an object; empty for other texts, and for what is replaced whole."""
    if not text.startswith("{") or (bounded and len(text) > MAX_LENGTH):
        return {}
    try:
        flat = dict(_flat(name, orjson.loads(text), 1))
    except ValueError:
        return {}
    return {} if bounded and len(flat) > MAX_LEAVES else flat


def _flat(path: str, value: dict[str, Any], depth: int) -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if _BELOW in key:
            raise ValueError("a key that no path can hold")
        below = path + _BELOW + key
        if isinstance(inner, dict) and depth < MAX_DEPTH:
            yield from _flat(below, inner, depth + 1)
        else:
            yield below, inner


def _union(first: _Leaves, second: _Leaves) -> _Leaves:
    """Of each path what was said last, without what was replaced from above."""
    last = first | second
    for path in first.keys() & second.keys():
        last[path] = max(first[path], second[path], key=_order)
    alive = {
        path: (stamp, value)
        for path, (stamp, value) in last.items()
        if not any(last[above][0] > stamp for above in _above(path) if above in last)
    }
    for path in list(alive):
        for above in _above(path):
            if above in alive:
                alive[above] = alive[above][0], _REPLACED
    return alive


def _order(leaf: tuple[int, Any]) -> tuple[int, int, bytes]:
    """The later one, and of two said at once always the same one."""
    stamp, value = leaf
    if value is _REPLACED:
        return stamp, 2, b""
    if isinstance(value, str):
        return stamp, 1, value.encode("utf-8", "surrogatepass")
    return stamp, 0, dumps(value).encode()


def _above(path: str) -> Iterator[str]:
    end = path.rfind(_BELOW)
    while end >= 0:
        yield path[:end]
        end = path.rfind(_BELOW, 0, end)


def _built(name: str, leaves: _Leaves) -> tuple[str, Said]:
    """The value again, and its stamps."""
    said = {path: stamp for path, (stamp, _) in leaves.items() if stamp != _UNSAID}
    if list(leaves) == [name]:
        return leaves[name][1], said
    tree: dict[str, Any] = {}
    for path in sorted(path for path, (_, value) in leaves.items() if value is not _REPLACED):
        *parents, last = path[len(name) + 1 :].split(_BELOW)
        place = tree
        for key in parents:
            place = place.setdefault(key, {})
        place[last] = leaves[path][1]
    text = dumps(tree)
    stamps = set(said.values())
    whole = len(said) == len(leaves) and len(stamps) == 1 and bool(_flat_object(name, text, bounded=True))
    if whole and all(value is not _REPLACED for _, value in leaves.values()):
        return text, {name: stamps.pop()}
    return text, said


def _later(*values: tuple[str, Said]) -> tuple[str, Said]:
    """Of values that cannot be taken apart the one said last."""
    return max(values, key=lambda value: (max(value[1].values(), default=_UNSAID), value[0]))
