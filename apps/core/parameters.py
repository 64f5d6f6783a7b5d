"""Query parameters of API requests, read one by one: every problem is found and told with its name.

An empty text counts as not given. Pages are counted from 1 and hold 50 items unless told otherwise, at most
100: more is refused, never cut in silence (public API reference, pagination).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from apps.core import filters
from apps.core.errors import InvalidBody, Issue

MAX_TEXT = 10_000  # characters of one value
MAX_VALUES = 1_000  # of one parameter


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for."""

    number: int
    limit: int

    @property
    def offset(self) -> int:
        """Items before it."""
        return (self.number - 1) * self.limit

    def answer(self, data: list[Any], total: int) -> dict[str, Any]:
        """The answer that holds this page of `total` items."""
        return {"data": data, "meta": self.meta(total)}

    def meta(self, total: int) -> dict[str, int]:
        """Where the page stands."""
        pages = -(-total // self.limit)
        return {"page": self.number, "limit": self.limit, "totalItems": total, "totalPages": pages}


class Parameters:
    """The parameters of one request. Readers return a usable default for what is wrong; `check` raises."""

    def __init__(self, query: QueryDict) -> None:
        self._query = query
        self._issues: list[Issue] = []

    def check(self) -> None:
        """Raises InvalidBody when anything was wrong."""
        if self._issues:
            raise InvalidBody(self._issues)

    def refuse(self, name: str, message: str, code: str = "custom") -> None:
        """Note a problem with a parameter."""
        self._issues.append(Issue(code, (name,), message))

    def only(self, *names: str) -> None:
        """Refuse every parameter of another name; `minReceipt` is everywhere."""
        for name in sorted(set(self._query) - {*names, "minReceipt"}):
            known = ", ".join(sorted(names))
            self.refuse(name[:100], f"There is no such parameter; there are {known}", "unrecognized_keys")

    def page(self, *, limit: int = 50, first: int = 1) -> Page:
        """`page` and `limit`; `first` is the least number a page may have."""
        number = self.integer("page", least=first, most=1_000_000, default=max(first, 1))
        return Page(max(number, 1), self.integer("limit", least=1, most=100, default=limit))

    def text(self, name: str) -> str:
        """A text; "" when not given. Of a repeated one the last counts."""
        value: str = self._query.get(name, "")
        if len(value) > MAX_TEXT:
            self.refuse(name, f"String must contain at most {MAX_TEXT} character(s)", "too_big")
            return ""
        if "\0" in value:
            self.refuse(name, "String holds a character that cannot be stored", "invalid_string")
            return ""
        return value

    def required(self, name: str) -> str:
        """A text that must be given."""
        value = self.text(name)
        if not self._query.get(name):
            self.refuse(name, "Required", "invalid_type")
        return value

    def many(self, name: str, *, split: bool = False) -> tuple[str, ...]:
        """The values of a parameter that may be repeated; `split`: one alone is a list with commas."""
        values: list[str] = self._query.getlist(name)
        if split and len(values) == 1:
            values = values[0].split(",")
        found = tuple(dict.fromkeys(value.strip() for value in values if value.strip()))
        if len(found) > MAX_VALUES or any(len(value) > MAX_TEXT or "\0" in value for value in found):
            self.refuse(name, f"At most {MAX_VALUES} values of {MAX_TEXT} characters", "too_big")
            return ()
        return found

    def choice(self, name: str, choices: Collection[str]) -> str:
        """One of some words, or ""."""
        value = self.text(name)
        if value and value not in choices:
            message = f"Expected one of {', '.join(sorted(choices))}; received {value[:100]}"
            self.refuse(name, message, "invalid_value")
            return ""
        return value

    def boolean(self, name: str) -> bool | None:
        """`true` or `false`; None when not given."""
        value = self.choice(name, ("true", "false"))
        return value == "true" if value else None

    def integer(self, name: str, *, least: int, most: int, default: int) -> int:
        """A whole number within bounds."""
        value = self.text(name)
        if not value:
            return default
        try:
            number = int(value) if len(value) <= 20 and value.isascii() else None
        except ValueError:
            number = None
        if number is None:
            self.refuse(name, f"Expected integer, received {value[:100]}", "invalid_type")
        elif number < least:
            self.refuse(name, f"Number must be at least {least}", "too_small")
        elif number > most:
            self.refuse(name, f"Number must be at most {most}", "too_big")
        else:
            return number
        return default

    def number(self, name: str) -> float | None:
        """A number; None when not given."""
        value = self.text(name)
        try:
            if value and abs(float(value)) < 1e300:
                return float(value)
        except ValueError:
            pass
        if value:
            self.refuse(name, f"Expected number, received {value[:100]}", "invalid_type")
        return None

    def moment(self, name: str) -> int | None:
        """Microseconds of a date-time with an offset; None when not given."""
        # A plus sign that the client did not encode arrives as a blank.
        value = self.text(name).replace(" ", "+")
        found = filters.micros(value) if value else None
        if value and found is None:
            self.refuse(
                name, "Expected a date-time with an offset, as 2026-11-21T08:00:00Z", "invalid_string"
            )
        return found
