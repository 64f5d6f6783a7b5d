"""Bodies of API requests read field by field: every problem is found and told with the field's name."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import orjson

from apps.core.clock import from_datetime
from apps.core.errors import InvalidBody, Issue

MAX_LEVELS = 200  # of JSON inside JSON
_REQUIRED = "Required"
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # as orjson writes it, after whole pairs of backslashes


class Fields:
    """The fields of a JSON object. Readers return a usable default for what is wrong; `check` raises."""

    def __init__(self, body: Any) -> None:
        """Raises InvalidBody at once when `body` is not an object."""
        if not isinstance(body, dict):
            raise InvalidBody([Issue("invalid_type", (), f"Expected object, received {_kind(body)}")])
        self._body = body
        self._path: tuple[str | int, ...] = ()
        self._issues: list[Issue] = []

    def __contains__(self, name: str) -> bool:
        """Whether a field was sent, be it as null."""
        return name in self._body

    def is_given(self, name: str) -> bool:
        """Whether a field was sent with something in it."""
        return self._body.get(name) is not None

    def check(self) -> None:
        """Raises InvalidBody when anything was wrong."""
        if self._issues:
            raise InvalidBody(self._issues)

    def refuse(self, name: str, message: str, code: str = "custom") -> None:
        """Note a problem with a field."""
        self._issues.append(Issue(code, (*self._path, name), message))

    def only(self, *names: str) -> None:
        """Refuse every field of another name."""
        for name in sorted(set(self._body) - set(names)):
            known = ", ".join(names)
            self.refuse(name[:100], f"There is no such field; there are {known}", "unrecognized_keys")

    def text(self, name: str, *, limit: int, required: bool = True, least: int = 1) -> str:
        """A text of `least` to `limit` characters; "" for null or nothing where that may be."""
        value = self._given(name, required)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.refuse(name, f"Expected string, received {_kind(value)}", "invalid_type")
        elif len(value) < least:
            self.refuse(name, f"String must contain at least {least} character(s)", "too_small")
        elif len(value) > limit:
            self.refuse(name, f"String must contain at most {limit} character(s)", "too_big")
        elif "\0" in value or not is_unicode(value):
            self.refuse(name, "String holds a character that cannot be stored", "invalid_string")
        else:
            return value
        return ""

    def any_text(self, name: str, *, limit: int) -> str:
        """A remark nobody depends on: any text, cut to `limit` characters; "" for null or nothing."""
        value = self._given(name, False)
        if value is not None and not isinstance(value, str):
            self.refuse(name, f"Expected string, received {_kind(value)}", "invalid_type")
        if not isinstance(value, str):
            return ""
        return value[:limit].replace("\0", "").encode(errors="replace").decode()

    def choice(self, name: str, choices: Collection[str], *, required: bool = True) -> str:
        """One of some words; "" for null or nothing where that may be."""
        value = self._given(name, required)
        if value is not None and (not isinstance(value, str) or value not in choices):
            shown = value[:100] if isinstance(value, str) else _kind(value)
            self.refuse(
                name, f"Expected one of {', '.join(sorted(choices))}; received {shown}", "invalid_value"
            )
        return value if isinstance(value, str) else ""

    def integer(self, name: str, *, least: int, most: int, required: bool = True) -> int | None:
        """A whole number; JSON's 3.0 is one."""
        value = self._given(name, required)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.refuse(name, f"Expected integer, received {_kind(value)}", "invalid_type")
        elif value < least:
            self.refuse(name, f"Number must be at least {least}", "too_small")
        elif value > most:
            self.refuse(name, f"Number must be at most {most}", "too_big")
        else:
            return value
        return None

    def number(self, name: str, *, required: bool = False) -> float | None:
        """A finite number."""
        value = self._given(name, required)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(name, f"Expected number, received {_kind(value)}", "invalid_type")
        elif not abs(value) < 1e300:
            self.refuse(name, "Number must be finite", "not_finite")
        else:
            return float(value)
        return None

    def boolean(self, name: str, *, required: bool = False) -> bool | None:
        """True or false."""
        value = self._given(name, required)
        if value is not None and not isinstance(value, bool):
            self.refuse(name, f"Expected boolean, received {_kind(value)}", "invalid_type")
            return None
        return value

    def objects(self, name: str, *, most: int) -> list[Fields] | None:
        """A list of objects, each to be read like this one; None for null or nothing."""
        value = self._given(name, False)
        if value is None:
            return None
        if not isinstance(value, list):
            self.refuse(name, f"Expected array, received {_kind(value)}", "invalid_type")
            return None
        if len(value) > most:
            self.refuse(name, f"Array must contain at most {most} element(s)", "too_big")
            return None
        found = []
        for place, item in enumerate(value):
            path = (*self._path, name, place)
            if isinstance(item, dict):
                fields = Fields(item)
                fields._path, fields._issues = path, self._issues
                found.append(fields)
            else:
                self._issues.append(Issue("invalid_type", path, f"Expected object, received {_kind(item)}"))
        return found

    def texts(self, name: str, *, least: int, most: int, limit: int) -> list[str]:
        """A list of `least` to `most` texts, each of 1 to `limit` characters; [] for what is wrong."""
        value = self._given(name, True)
        if value is None:
            return []
        if not isinstance(value, list):
            self.refuse(name, f"Expected array, received {_kind(value)}", "invalid_type")
        elif not least <= len(value) <= most:
            code = "too_small" if len(value) < least else "too_big"
            self.refuse(name, f"Array must contain {least} to {most} element(s)", code)
        else:
            for place, item in enumerate(value):
                if not isinstance(item, str) or not 0 < len(item) <= limit or not is_unicode(item):
                    message = f"Expected a text of 1 to {limit} characters"
                    self._issues.append(Issue("invalid_type", (*self._path, name, place), message))
            return [item for item in value if isinstance(item, str)]
        return []

    def moment(self, name: str, *, required: bool = True) -> datetime | None:
        """An ISO 8601 date-time with an offset."""
        value = self._given(name, required)
        if value is None:
            return None
        try:
            found = datetime.fromisoformat(value) if isinstance(value, str) else None
            if found is not None and found.tzinfo is not None:
                return found.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        self.refuse(name, "Expected a date-time with an offset, as 2026-11-21T08:00:00Z", "invalid_string")
        return None

    def micros(self, name: str, default: int) -> int:
        """The same in microseconds since the epoch; `default` for null or nothing."""
        found = self.moment(name, required=False)
        return default if found is None else from_datetime(found)

    def json(self, name: str, *, limit: int) -> Any:
        """Any JSON of at most `limit` bytes that every store and every answer can hold; None for nothing."""
        value = self._body.get(name)
        problem = json_problem(value, limit)
        if problem:
            self.refuse(name, problem, "custom")
            return None
        return value

    def _given(self, name: str, required: bool) -> Any:
        value = self._body.get(name)
        if value is None and required:
            self.refuse(name, _REQUIRED, "invalid_type")
        return value


def json_problem(value: Any, limit: int) -> str:
    """Why parsed JSON cannot be stored and answered again, or ""."""
    try:
        # The standard writer refuses what is no number in JSON; the other what answers cannot hold: halves
        # of characters, integers over 64 bits, too many levels.
        json.dumps(value, allow_nan=False)
        written = orjson.dumps(value)
    except (ValueError, TypeError, RecursionError) as error:
        return f"This JSON cannot be stored: {error}"
    if len(written) > limit:
        return f"JSON must be at most {limit} bytes"
    if _NUL.search(written):
        return "JSON holds a character that cannot be stored"
    # An answer nests it some levels deeper; its writer ends at 254.
    return "JSON is nested too deep" if _too_deep(value) else ""


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_LEVELS):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True


def is_unicode(text: str) -> bool:
    """Whether it can be written as UTF-8: JSON can hold halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: Any) -> str:
    """A value's type in JSON's words."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"
