"""What is known of traces: folded from their rows, and remembered between commits where that is sound."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from apps.telemetry.gate import Gate
from apps.tracing import store, tables
from apps.tracing.store import Key
from apps.tracing.stored import Stored
from apps.tracing.summaries import Fold
from apps.tracing.tables import Place, SummaryRow

REMEMBERED_SPANS = 200_000  # about 250 bytes each


@dataclass(slots=True)
class Known:
    """One trace: where it stands, its summary so far, and every span's arrivals."""

    place: Place
    fold: Fold
    spans: dict[str, tuple[int, ...]]

    def add(self, stored: Stored) -> None:
        """Take in a row that is not in yet."""
        self.fold.add(stored)
        self._place(stored)

    def exchange(self, older: Stored, newer: Stored) -> bool:
        """Put a row in the place of its older version; False if that takes all rows (see Fold.exchange)."""
        if not self.fold.exchange(older, newer):
            return False
        self._place(newer)
        return True

    def _place(self, stored: Stored) -> None:
        place = self.place
        if not place.first_hour <= stored.hour <= place.last_hour:
            place.first_hour = min(place.first_hour, stored.hour)
            place.last_hour = max(place.last_hour, stored.hour)
        self.spans[stored.observation.id] = stored.arrivals

    def row(self, key: Key) -> SummaryRow:
        """The row of `traces` that says all this."""
        row = SummaryRow(self.fold.summary(*key), replace(self.place), self.fold.records)
        if self.fold.input:
            row.input_id, row.input_given = self.fold.input.observation_id, self.fold.input.given
        if self.fold.output:
            row.output_id, row.output_given = self.fold.output.observation_id, self.fold.output.given
        return row


class _Shelf:
    """Traces of at most `limit` spans together, the least recently written forgotten first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._traces: OrderedDict[Key, Known] = OrderedDict()
        self._spans = 0

    def take(self, key: Key) -> Known | None:
        known = self._traces.pop(key, None)
        if known is not None:
            self._spans -= len(known.spans)
        return known

    def put(self, key: Key, known: Known) -> None:
        self._traces[key] = known
        self._spans += len(known.spans)
        while self._spans > self._limit:
            _, oldest = self._traces.popitem(last=False)
            self._spans -= len(oldest.spans)


class Memory:
    """Recently written traces.

    Long ones are kept apart: a program that never ends its trace makes one of hundreds of thousands of
    spans, and were it pushed out by the others, each of its commits would read all its rows again (8 s for
    250,000 spans, measured) while everybody waits.
    """

    def __init__(self, limit: int = REMEMBERED_SPANS) -> None:
        """`limit` in spans, of ordinary traces together; five times as many of long ones, those of more
        than a quarter of it. 0 remembers nothing, for when other processes write too."""
        self._limit = limit
        self._ordinary, self._long = _Shelf(limit), _Shelf(5 * limit)

    def take(self, key: Key) -> Known | None:
        """What is remembered; it leaves the memory, to be put back once it is stored."""
        return self._ordinary.take(key) or self._long.take(key)

    def put(self, traces: Iterable[tuple[Key, Known]]) -> None:
        """Remember these."""
        for key, known in traces:
            shelf = self._ordinary if 4 * len(known.spans) <= self._limit else self._long
            shelf.put(key, known)


def look_up(gate: Gate, keys: Collection[Key]) -> dict[Key, Known]:
    """Those of the traces that are stored, folded anew from their rows. Mostly none is."""
    found = store.summaries(gate, store.stored_keys(gate, keys))
    if not found:
        return {}
    places = {key: row.place for key, row in found.items()}
    rows = store.rows(gate, places)
    return fold(
        gate,
        {key: (places[key], newest(rows.get(key, ()))) for key in found},
    )


def newest(rows: Iterable[Stored]) -> list[Stored]:
    """One row a span: the latest version, where a crash or a replacement under way left two."""
    latest: dict[str, Stored] = {}
    for row in rows:
        other = latest.get(row.observation.id)
        if other is None or other.event_ts < row.event_ts:
            latest[row.observation.id] = row
    return list(latest.values())


def fold(gate: Gate, traces: dict[Key, tuple[Place, list[Stored]]]) -> dict[Key, Known]:
    """Traces from their places and rows, with the content read that their previews need."""
    result: dict[Key, Known] = {}
    unread: list[Stored] = []
    for key, (place, rows) in traces.items():
        known = result[key] = Known(replace(place), Fold(), {})
        for row in rows:
            known.add(row)
        if wanted := known.fold.unread():
            unread += [row for row in rows if row.observation.id in wanted]
    if unread:
        _read_previews(gate, result, unread)
    return result


def _read_previews(gate: Gate, traces: dict[Key, Known], rows: list[Stored]) -> None:
    contents = store.contents(gate, rows)
    for row in rows:
        project_id, trace_id, id, _ = version = store.version_of(row)
        columns = contents.get(version, dict.fromkeys(tables.CONTENT_COLUMNS, ""))
        fold = traces[project_id, trace_id].fold
        for content, name in ((fold.input, "input"), (fold.output, "output")):
            if content is not None and content.observation_id == id and content.line is None:
                content.text = columns[f"trace_{name}" if content.given else name]
