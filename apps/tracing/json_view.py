"""JSON as a tree of <details>, safe and bounded: the server writes only so many values, and says what it left."""

from __future__ import annotations

from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import ngettext

from apps.core.formats import visible

MAX_NODES = 600
MAX_DEPTH = 40
MAX_STRING = 2_000  # characters of one string
OPEN_DEPTH = 2  # levels open at first


class _Writer:
    def __init__(self, limit: int) -> None:
        self.out: list[str] = []
        self.left = limit
        self.cut = False

    def value(self, key: str, value: Any, depth: int) -> None:
        """One value with its key; containers recurse while there is room."""
        self.left -= 1
        if isinstance(value, dict | list) and value:
            self._container(key, value, depth)
        else:
            self.out.append(f'<div class="j-row">{key}{self._leaf(value)}</div>')

    def _container(self, key: str, value: dict[str, Any] | list[Any], depth: int) -> None:
        is_object = isinstance(value, dict)
        n = len(value)
        words = ngettext("%d key", "%d keys", n) if is_object else ngettext("%d item", "%d items", n)
        mark = ("{", "}") if is_object else ("[", "]")
        opened = " open" if depth < OPEN_DEPTH and n <= 100 else ""
        head = f'<span class="j-mark">{mark[0]}</span><span class="j-count">{escape(words % n)}</span>'
        self.out.append(f'<details class="j-node"{opened}><summary>{key}{head}</summary><div class="j-in">')
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for shown, (name, item) in enumerate(items):
            if self.left <= 0 or depth >= MAX_DEPTH:
                self.cut = True
                rest = ngettext("… %d more", "… %d more", n - shown) % (n - shown)
                self.out.append(f'<div class="j-row j-more">{escape(rest)}</div>')
                break
            self.value(f'<span class="j-key">{_text(str(name), 300)}</span>: ', item, depth + 1)
        self.out.append(f'</div><div class="j-mark">{mark[1]}</div></details>')

    def _leaf(self, value: Any) -> str:
        if isinstance(value, str):
            if len(value) > MAX_STRING:
                self.cut = True
            return f'<span class="j-string">"{_text(value, MAX_STRING)}"</span>'
        if isinstance(value, bool) or value is None:
            word = {True: "true", False: "false", None: "null"}[value]
            return f'<span class="j-word">{word}</span>'
        if isinstance(value, int | float):
            return f'<span class="j-number">{escape(_number(value))}</span>'
        return '<span class="j-mark">{}</span>' if isinstance(value, dict) else '<span class="j-mark">[]</span>'


def _number(value: float) -> str:
    try:
        return str(value)[:400]
    except ValueError:  # an integer with more digits than Python prints
        return "…"


def _text(text: str, limit: int) -> str:
    return escape(visible(text[:limit]) + ("…" if len(text) > limit else ""))


def render(value: Any, *, limit: int = MAX_NODES) -> tuple[SafeString, bool]:
    """HTML of a parsed JSON value, and whether anything was left out."""
    writer = _Writer(limit)
    writer.value("", value, 0)
    return SafeString("".join(writer.out)), writer.cut
