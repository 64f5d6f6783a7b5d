"""The trace list's state in its URL: query parameters to a TraceFilter and back to links.

Parameters: `range` (a preset) or `from`/`to` (`2026-11-21T08:30Z`; without Z in the reader's time zone),
`environment`, `name`, `level`, `tag`, `service`, `host` (repeatable), `user`, `session`, `q`, `cursor`.
A search typed as `field:value` becomes that field.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core import formats
from apps.core.clock import clamp_micros, from_datetime, iso_seconds
from apps.tracing.records import Level, TraceFilter

MAX_VALUES = 50  # of one repeatable parameter
MAX_TEXT = 2_000  # characters of one value
MAX_IDS = 200  # of one request for rows by id

MINUTE = 60_000_000
RANGES: dict[str, tuple[Any, int | None]] = {
    "15m": (gettext_lazy("Last 15 minutes"), 15 * MINUTE),
    "1h": (gettext_lazy("Last hour"), 60 * MINUTE),
    "24h": (gettext_lazy("Last 24 hours"), 24 * 60 * MINUTE),
    "7d": (gettext_lazy("Last 7 days"), 7 * 24 * 60 * MINUTE),
    "30d": (gettext_lazy("Last 30 days"), 30 * 24 * 60 * MINUTE),
    "90d": (gettext_lazy("Last 90 days"), 90 * 24 * 60 * MINUTE),
    "all": (gettext_lazy("All time"), None),
}
DEFAULT_RANGE = "24h"
MANY = ("level", "environment", "name", "tag", "service", "host")
ONE = ("user", "session")
_FIELDS = {field: field for field in (*MANY, *ONE)} | {
    "env": "environment",
    "app": "service",
    "application": "service",
    "instance": "host",
}
_TERM = re.compile(r'(?:^|\s)([A-Za-z_]{2,20}):("[^"]*"|[^\s/"][^\s]*)')


@dataclass(frozen=True, slots=True)
class Chip:
    """One active condition: what it says and where the list goes without it."""

    field: str
    value: str
    without: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A typed field that does not exist, and the one that was probably meant."""

    typed: str
    meant: str
    url: str


@dataclass(frozen=True, slots=True)
class ListState:
    """All that the URL says; links are made by changing a copy."""

    range: str = DEFAULT_RANGE
    start: int | None = None
    end: int | None = None
    levels: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    user: str = ""
    session: str = ""
    search: str = ""

    def query(self) -> str:
        """Query string with `?`; a bare `?` when nothing is asked, which clears the list's filters."""
        pairs: list[tuple[str, str]] = []
        if self.range == "custom":
            pairs += [(key, iso_seconds(value)) for key, value in self._bounds() if value is not None]
        elif self.range != DEFAULT_RANGE:
            pairs.append(("range", self.range))
        for field in MANY:
            pairs += [(field, value) for value in self.values(field)]
        pairs += [(field, value) for field, value in self._single() if value]
        return "?" + urlencode(pairs)

    def _bounds(self) -> tuple[tuple[str, int | None], tuple[str, int | None]]:
        return ("from", self.start), ("to", self.end)

    def _single(self) -> tuple[tuple[str, str], ...]:
        return ("user", self.user), ("session", self.session), ("q", self.search)

    def values(self, field: str) -> tuple[str, ...]:
        """Chosen values of a repeatable field."""
        return tuple(getattr(self, f"{field}s"))

    def toggled(self, field: str, value: str) -> ListState:
        """With `value` chosen where it was not, or dropped where it was."""
        chosen = self.values(field)
        after = tuple(v for v in chosen if v != value) if value in chosen else (*chosen, value)
        return self._changed(f"{field}s", after)

    def with_one(self, field: str, value: str) -> ListState:
        """With a field that takes one value set to it."""
        return self._changed(field, value)

    def _changed(self, attribute: str, value: Any) -> ListState:
        changes: dict[str, Any] = {attribute: value}
        return replace(self, **changes)

    def cleared(self, field: str) -> ListState:
        """Without any value of a field."""
        return self._changed(f"{field}s", ()) if field in MANY else self._changed(field, "")

    def label(self) -> str:
        """The time range in words."""
        if self.range in RANGES:
            return str(RANGES[self.range][0])
        return f"{_readable(self.start) or '…'} – {_readable(self.end) or _('now')}"

    def is_open(self) -> bool:
        """Whether new traces can fall into the range."""
        return self.end is None

    def chips(self) -> list[Chip]:
        """Every condition but the time range."""
        chips = [
            Chip(field, value, self.toggled(field, value).query())
            for field in MANY
            for value in self.values(field)
        ]
        chips += [Chip(f, v, self.cleared(f).query()) for f, v in self._single()[:2] if v]
        return chips

    def filter(self, now: int) -> TraceFilter:
        """What the repository is asked."""
        start, end = self.start, self.end
        if self.range in RANGES:
            span = RANGES[self.range][1]
            start, end = (None if span is None else now - span), None
        return TraceFilter(
            from_time=start,
            to_time=end,
            environments=self.environments,
            names=self.names,
            user_id=self.user,
            session_id=self.session,
            tags=self.tags,
            services=self.services,
            hosts=self.hosts,
            levels=tuple(level.upper() for level in self.levels),
            search=self.search,
        )


def parse(query: QueryDict) -> tuple[ListState, list[Suggestion]]:
    """The state a URL asks for; unknown or absurd values are dropped, never an error."""
    state = ListState(
        levels=tuple(v for v in _many(query, "level") if v.upper() in Level.__members__),
        environments=_many(query, "environment"),
        names=_many(query, "name"),
        tags=_many(query, "tag"),
        services=_many(query, "service"),
        hosts=_many(query, "host"),
        user=_one(query, "user"),
        session=_one(query, "session"),
        search=_one(query, "q"),
    )
    start, end = _micros(query.get("from", "")), _micros(query.get("to", ""))
    if start is not None or end is not None:
        state = replace(state, range="custom", start=start, end=end)
    elif (preset := query.get("range", "")) in RANGES:
        state = replace(state, range=str(preset))
    return _read_search(state)


def ids(query: QueryDict) -> tuple[str, ...]:
    """Trace ids whose rows are asked for."""
    return tuple(dict.fromkeys(v for v in query.getlist("ids")[:MAX_IDS] if v))


def _read_search(state: ListState) -> tuple[ListState, list[Suggestion]]:
    """Turn `field:value` terms of the search into fields; keep the rest as text."""
    rest = state.search
    suggestions: list[Suggestion] = []
    for match in list(_TERM.finditer(state.search)):
        typed, value = match[1].lower(), match[2].strip('"')
        field = _FIELDS.get(typed)
        term = match[0]
        if field is None:
            near = difflib.get_close_matches(typed, _FIELDS, n=1, cutoff=0.7)
            if near:
                text = state.search.replace(term, f" {near[0]}:{match[2]}").strip()
                suggestions.append(Suggestion(term.strip(), near[0], replace(state, search=text).query()))
            continue
        if field == "level" and value.upper() not in Level.__members__:
            continue
        rest = rest.replace(term, " ", 1)
        if field in ONE:
            state = state.with_one(field, value)
        elif value.lower() not in [v.lower() for v in state.values(field)]:
            state = state.toggled(field, value.lower() if field == "level" else value)
    return replace(state, search=" ".join(rest.split()) if rest != state.search else rest), suggestions


def _clean(value: str) -> str:
    return value.replace("\x00", "")[:MAX_TEXT].strip()


def _many(query: QueryDict, name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_drop_empty(_clean(v) for v in query.getlist(name)[:MAX_VALUES])))


def _drop_empty(values: Iterable[str]) -> Iterable[str]:
    return (value for value in values if value)


def _one(query: QueryDict, name: str) -> str:
    return _clean(query.get(name, ""))


def _micros(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text.strip())
        # What a person types is in their own time zone; links of ours say UTC.
        return clamp_micros(from_datetime(moment if moment.tzinfo else timezone.make_aware(moment)))
    except (ValueError, OverflowError):
        return None


def _readable(micros: int | None) -> str:
    return "" if micros is None else formats.month_day_time(micros)
