"""What one process remembers of requests: bounded in entries, bytes and time."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, replace

from apps.ingestion.inspector import readable
from apps.ingestion.inspector.entries import MAX_BODY, SECONDS, Entry, Tally

MAX_ENTRIES = 5_000  # of all keys: about 1 kB each
MAX_BYTES = 32 * 1024 * 1024  # of all bodies
MAX_KEYS = 2_000  # with counts
_MINUTES = SECONDS // 60

Key = tuple[str, str]  # project, key


@dataclass(slots=True)
class _Kept:
    entry: Entry
    body: bytes
    until: float  # monotonic seconds


class Memory:
    """The requests of one process. Safe from any thread.

    Bodies are kept as they arrived, by reference: nothing is copied or read before somebody looks.
    """

    def __init__(self, *, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self.held = 0  # bytes of bodies
        self._max_entries, self._max_bytes = max_entries, max_bytes
        self._kept: OrderedDict[str, _Kept] = OrderedDict()  # by id, oldest first
        self._of_key: dict[tuple[str, str, str], deque[str]] = {}
        self._with_body: deque[str] = deque()
        self._tallies: OrderedDict[Key, deque[tuple[int, Tally]]] = OrderedDict()
        self._unknown: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, entry: Entry, body: bytes = b"") -> Entry:
        """Remember a request; the oldest make room. Returns it as it is remembered."""
        now = time.monotonic()
        keeps = 0 < len(body) <= MAX_BODY
        if entry.has_body != keeps:
            entry = replace(entry, has_body=keeps)
        with self._lock:
            self._count(entry)
            self._kept[entry.id] = _Kept(entry, body if keeps else b"", now + SECONDS)
            of_key = self._of_key.setdefault((entry.project_id, entry.key_id, entry.lane), deque())
            of_key.append(entry.id)
            if len(of_key) > entry.lane_limit:
                self._drop(of_key[0])
            if keeps:
                self.held += len(body)
                self._with_body.append(entry.id)
            self._make_room(now)
        return entry

    def entries(self, project_id: str) -> list[Entry]:
        """The project's requests, newest first."""
        with self._lock:
            self._make_room(time.monotonic())
            found = [kept.entry for kept in self._kept.values() if kept.entry.project_id == project_id]
        return found[::-1]

    def entry(self, project_id: str, id: str) -> Entry | None:
        """One request of the project; None when it is gone, or another's."""
        kept = self._find(project_id, id)
        return kept.entry if kept else None

    def readable(self, project_id: str, id: str) -> bytes:
        """The body as JSON without secrets; empty when none is kept. Raises InvalidRequest or TooLarge."""
        kept = self._find(project_id, id)
        return readable.of(kept.entry, kept.body) if kept and kept.body else b""

    def tallies(self, project_id: str) -> dict[str, Tally]:
        """What the last hour comes to, by key."""
        since = int(time.time()) // 60 - _MINUTES
        with self._lock:
            found = {}
            for (project, key_id), minutes in self._tallies.items():
                if project == project_id:
                    found[key_id] = Tally()
                    for minute, tally in minutes:
                        if minute > since:
                            found[key_id] = found[key_id].plus(tally)
        return found

    def count_unknown(self, way: str) -> None:
        """Count a request whose credentials nobody knows: nothing else is kept of it."""
        with self._lock:
            self._unknown[way] += 1

    def unknown(self) -> dict[str, int]:
        """How many of those came in each way since the start."""
        with self._lock:
            return dict(self._unknown)

    def forget(self, project_id: str, trace_ids: frozenset[str] | None = None) -> None:
        """Remove what is kept of a project, or content that may concern some of its traces."""
        with self._lock:
            for id in [id for id, kept in self._kept.items() if kept.entry.project_id == project_id]:
                kept = self._kept[id]
                if trace_ids is None:
                    self._drop(id)
                elif kept.entry.concerns(trace_ids):
                    self._release(kept)
                    kept.entry = kept.entry.without_content()
            if trace_ids is None:
                for key in [key for key in self._tallies if key[0] == project_id]:
                    del self._tallies[key]

    def _find(self, project_id: str, id: str) -> _Kept | None:
        with self._lock:
            kept = self._kept.get(id)
        if kept is None or kept.entry.project_id != project_id or kept.until < time.monotonic():
            return None
        return kept

    def _count(self, entry: Entry) -> None:
        minutes = self._tallies.pop((entry.project_id, entry.key_id), None) or deque(maxlen=_MINUTES + 1)
        self._tallies[entry.project_id, entry.key_id] = minutes  # at the end: it is in use
        minute = entry.time // 60_000_000
        if not minutes or minutes[-1][0] != minute:
            minutes.append((minute, Tally()))
        minutes[-1][1].add(entry)
        if len(self._tallies) > MAX_KEYS:
            self._tallies.popitem(last=False)

    def _make_room(self, now: float) -> None:
        while self._kept:
            oldest = next(iter(self._kept))
            if len(self._kept) <= self._max_entries and self._kept[oldest].until > now:
                break
            self._drop(oldest)
        while self.held > self._max_bytes and self._with_body:
            kept = self._kept.get(self._with_body.popleft())
            if kept is not None:
                self._release(kept)
                kept.entry = replace(kept.entry, has_body=False)
        while self._with_body and self._with_body[0] not in self._kept:
            self._with_body.popleft()

    def _drop(self, id: str) -> None:
        kept = self._kept.pop(id)
        self._release(kept)
        place = kept.entry.project_id, kept.entry.key_id, kept.entry.lane
        self._of_key[place].remove(id)  # the first, nearly always
        if not self._of_key[place]:
            del self._of_key[place]

    def _release(self, kept: _Kept) -> None:
        self.held -= len(kept.body)
        kept.body = b""
