"""Reading the fields of a JSON body: what is wrong is told by the name of the field. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.core.clock import clamp_micros, from_datetime
from apps.ingestion.mapping.values import dump

MAX_ID = 800  # characters
MAX_NAME = 1000  # characters of names, users, sessions and tags; cut, nobody reads on
MAX_TAGS = 1000
MAX_METADATA_KEYS = 2000
_KINDS = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "text",
    list: "an array",
    dict: "an object",
}


class Invalid(Exception):
    """A field that cannot be taken; `path` leads to it."""

    status = 400
    error = "InvalidRequestError"

    def __init__(self, path: tuple[str | int, ...], reason: str) -> None:
        super().__init__(f"{'.'.join(str(part) for part in path)}: {reason}" if path else reason)
        self.path = path
        self.reason = reason

    @property
    def issue(self) -> dict[str, Any]:
        """As the API lists what is wrong with a body."""
        return {"code": "invalid", "path": list(self.path), "message": self.reason}


class Missing(Invalid):
    """A field that names what is not there."""

    status = 404
    error = "LangfuseNotFoundError"


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    return "null" if value is None else _KINDS[type(value)]


class Fields:
    """One JSON object and where it stands. A field that is absent or null reads as None."""

    def __init__(self, values: Any, *path: str | int) -> None:
        """Raises Invalid when `values` is no object."""
        self.path = path
        if not isinstance(values, dict):
            raise Invalid(path, f"must be an object, not {kind_of(values)}.")
        self.values: Mapping[str, Any] = values

    def invalid(self, name: str, reason: str) -> Invalid:
        """The error to raise for a field."""
        return Invalid((*self.path, name), reason)

    def _of(self, name: str, kind: type, words: str) -> Any:
        value = self.values.get(name)
        if value is not None and type(value) is not kind:
            raise self.invalid(name, f"must be {words}, not {kind_of(value)}.")
        return value

    def text(self, name: str, limit: int | None = None) -> str | None:
        """Text, cut at `limit`."""
        value: str | None = self._of(name, str, "text")
        return value if value is None or limit is None else value[:limit]

    def id(self, name: str) -> str | None:
        """An identifier; an empty one counts as absent."""
        value = self.text(name)
        if not value:
            return None
        if len(value) > MAX_ID:
            raise self.invalid(name, f"must have at most {MAX_ID} characters.")
        if "\r" in value:
            raise self.invalid(name, "must not contain a carriage return.")
        return value

    def required_id(self, name: str) -> str:
        """An identifier that must be there."""
        value = self.id(name)
        if value is None:
            raise self.invalid(name, "is required: text of 1 to 800 characters.")
        return value

    def boolean(self, name: str) -> bool | None:
        """True or false."""
        value: bool | None = self._of(name, bool, "true or false")
        return value

    def whole(self, name: str) -> int | None:
        """A whole number from 0 on, as a JSON number."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if type(value) is not int:
            raise self.invalid(name, f"must be a whole number, not {kind_of(value)}.")
        if not 0 <= value < 2**31:
            raise self.invalid(name, "must be a whole number from 0 to 2147483647.")
        return value

    def time(self, name: str) -> int | None:
        """Microseconds of an ISO 8601 time that names its offset."""
        value = self.text(name)
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value[:64])
            if moment.tzinfo is not None:
                return clamp_micros(from_datetime(moment))
        except (ValueError, OverflowError):
            pass
        raise self.invalid(
            name,
            f"must be an ISO 8601 time with an offset, like 2026-08-01T12:00:00.000Z, not {value[:64]!r}.",
        )

    def object(self, name: str) -> dict[str, Any] | None:
        """An object."""
        value: dict[str, Any] | None = self._of(name, dict, "an object")
        return value

    def tags(self, name: str) -> list[str] | None:
        """Texts without doubles, in order; empty ones say nothing."""
        sent = self._of(name, list, "an array of texts")
        if sent is None:
            return None
        for place, item in enumerate(sent):
            if not isinstance(item, str):
                raise Invalid((*self.path, name, place), f"must be text, not {kind_of(item)}.")
        return list(dict.fromkeys(item[:MAX_NAME] for item in sent[:MAX_TAGS] if item))

    def content(self, name: str) -> str:
        """Any value as text; empty for those that count as not given: null, false, 0, empty text."""
        value = self.values.get(name)
        return self.written(name, value) if value or isinstance(value, dict | list) else ""

    def metadata(self, name: str) -> dict[str, str]:
        """Top-level keys as text, other values as JSON text; what is no object stands under `metadata`."""
        value = self.values.get(name)
        if value is None:
            return {}
        entries = value if isinstance(value, dict) else {"metadata": value}
        if len(entries) > MAX_METADATA_KEYS:
            raise self.invalid(name, f"must have at most {MAX_METADATA_KEYS} keys.")
        return {key[:MAX_NAME]: self.written(name, item) for key, item in entries.items()}

    def written(self, name: str, value: Any) -> str:
        """Text as it is, anything else as JSON text."""
        if isinstance(value, str):
            return value
        text = dump(value)
        if not text:
            raise self.invalid(name, "is nested too deep to be stored.")
        return text
