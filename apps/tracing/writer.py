"""The commit: observations in, durable and readable rows out.

Order of a commit, so that a crash between any two steps leaves neither a gap nor a double:

1. content and trace summaries, side by side;
2. observations: this insert is the commit. Before it nothing counts: content without its observation is
   never read, summaries ahead of their rows are put right at the next start (`repair`);
3. only then the older versions of replaced spans are deleted. A cut before that leaves both versions;
   readers take the newer, and the next start deletes the older. Their content goes a few seconds later.

A repeated arrival is known by its hash, kept with the row, and changes nothing. A different arrival of a
known span merges into a new version of the row.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Literal
from weakref import WeakKeyDictionary

from django.db import DatabaseError, InterfaceError

from apps.core.clock import now_micros
from apps.core.errors import ApiError, InvalidRequest, Unavailable
from apps.core.ids import new_id
from apps.telemetry.gate import Gate, QueryFailed, gate
from apps.tracing import receipts, scores, store, tables
from apps.tracing.costs import settle
from apps.tracing.knowledge import REMEMBERED_SPANS, Known, Memory, fold, look_up, newest
from apps.tracing.locks import writing
from apps.tracing.merging import merge, replaced
from apps.tracing.pieces import settled
from apps.tracing.records import MERGED, REPEATED, Observation, Score, TraceSummary
from apps.tracing.repair import EMBEDDED_WINDOW, newest_version, repair, repair_recent
from apps.tracing.store import Key
from apps.tracing.stored import Stored, prepare
from apps.tracing.summaries import Fold

logger = logging.getLogger(__name__)

UNUSED_FOR = EMBEDDED_WINDOW // 2  # microseconds that replaced content stays; `repair` looks back further
TROUBLE_SECONDS = 120  # a failed commit is told this long, unless one succeeds; clients try again sooner

Hashes = tuple[int, ...]  # of the arrivals that a row was made of
Arrivals = dict[Key, dict[str, Stored]]  # by trace and span
Combine = Callable[[Stored, Stored], Stored]  # stored row and arrival to the row that takes its place

# What is no fault of the records: the store, the database, the machine.
_TROUBLE = (ApiError, QueryFailed, DatabaseError, InterfaceError, OSError, MemoryError)


class Unstorable(InvalidRequest):
    """422: records that break the writer. A mistake of ours, but sending them again only repeats it."""

    status = 422


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What a commit did."""

    traces: list[TraceSummary]  # those that changed, as they stand now
    writer_id: str
    sequences: dict[str, int]  # project -> version of what was written for it
    scores: list[Score] = field(default_factory=list)  # those that changed, as they stand now

    def receipt(self, project_id: str) -> str:
        """A receipt for what this commit stored for one project."""
        return receipts.issue(project_id, self.writer_id, self.sequences.get(project_id, 0))


@dataclass(slots=True)
class _State:
    """What all writers of one process know together: two memories would contradict each other."""

    memory: Memory | None = None  # None until the store was opened and mended
    last_version: int = 0
    failed: set[Key] = field(default_factory=set)  # of failed commits, to be mended before the next one
    unused: list[store.Version] = field(default_factory=list)  # content of replaced rows, to be deleted
    unused_since: int = 0  # version of the commit that replaced the first of them


@dataclass(slots=True)
class _Refusal:
    """When (monotonic) the last commit of this process failed; None when it did not."""

    at: float | None = None


_refusal = _Refusal()
_states: WeakKeyDictionary[Gate, _State] = WeakKeyDictionary()
_turn = threading.RLock()  # commits of one process take turns


class Writer:
    """Writes observations. Safe from any thread; commits of one process take turns."""

    def __init__(self, store_gate: Gate | None = None) -> None:
        """Nothing is opened before the first use."""
        self.id = new_id()
        self._given_gate = store_gate
        self._side = ThreadPoolExecutor(2, thread_name_prefix="writer-side")

    def start(self) -> None:
        """Open the store and mend what the last crash may have left. The first commit does it too."""
        with _turn:
            self._started()

    def close(self) -> None:
        """Let the helping thread go. The gate stays open: it is the process's."""
        self._side.shutdown()

    def commit(self, records: Sequence[Observation | Score]) -> CommitResult:
        """Store records; on return they are durable, readable and in their traces' summaries.

        Raises Unavailable when the store fails or is full: nothing is acknowledged then, and sending the
        same again is right. Raises Unstorable when it is the records that fail, which sending again cannot
        mend. The records are the writer's from here on.
        """

        observed = [record for record in records if isinstance(record, Observation)]
        judged = [record for record in records if isinstance(record, Score)]
        twice: dict[int, tuple[Observation, Stored]] = {}
        result = self._guarded(observed, lambda: _group(observed, twice), judged, _merged)
        for first, row in twice.values():  # it went into another row: that row's outcome is its own
            first.outcome = row.observation.outcome
        return result

    def replace(self, observations: Sequence[Observation], seen: Sequence[Hashes] = ()) -> CommitResult:
        """Put these in the place of the stored observations of the same ids; what is not stored is left out.

        For what was received and is mapped anew: of the stored row only its pieces stay, the time of arrival,
        and the hashes of its arrivals, so that a body sent again still changes nothing. Durable, readable and
        in the summaries on return; raises as `commit` does. `seen` are the arrivals of each stored row as it
        was when it was read: one that something has arrived for since keeps what it has.
        """
        return self._change(observations, seen, _remapped_if_same if seen else remapped)

    def amend(self, observations: Sequence[Observation], combine: Combine) -> CommitResult:
        """Change what is stored of these observations: of each stored row, with its content, and the one
        given, `combine` makes the row that takes its place, and changes neither. What is not stored is left
        out; returns and raises as `replace` does."""
        return self._change(observations, (), combine)

    def _change(
        self, observations: Sequence[Observation], seen: Sequence[Hashes], combine: Combine
    ) -> CommitResult:
        def group() -> Arrivals:
            arrivals: Arrivals = {}
            for observation, before in zip(observations, seen or repeat(()), strict=False):
                arrivals.setdefault(_trace_of(observation), {})[observation.id] = prepare(observation, before)
            return arrivals

        return self._guarded(observations, group, [], combine)

    def _guarded(
        self,
        observed: Sequence[Observation],
        group: Callable[[], Arrivals],
        judged: list[Score],
        combine: Combine,
    ) -> CommitResult:
        """Run one commit in its turn, and say of a failure whose fault it is."""
        count = len(observed) + len(judged)
        with _turn:
            try:
                keys = list(dict.fromkeys(map(_trace_of, observed)))
                result = self._in_turn(keys, group, judged, combine)
                _refusal.at = None
                return result
            except _TROUBLE as error:  # also a query over its limits, which is no fault of the sender's
                _refusal.at = time.monotonic()
                self._tidy()
                if isinstance(error, Unavailable):
                    raise
                logger.exception("commit of %d records failed", count)
                raise Unavailable("The records could not be stored. Try again.", retry_after=5) from error
            except Exception as error:
                self._tidy()
                at = traceback.extract_tb(error.__traceback__)[-1]  # no message: it may quote a record
                failed = type(error).__name__, at.filename, at.lineno
                logger.error("%d records cannot be stored: %s at %s:%s", count, *failed)
                raise Unstorable(
                    "Something in this request cannot be stored, so nothing of it was. Sending it again will"
                    " not help; the server's log says what failed."
                ) from error

    def _in_turn(
        self, keys: list[Key], group: Callable[[], Arrivals], judged: list[Score], combine: Combine
    ) -> CommitResult:
        if not keys and not judged:
            return CommitResult([], self.id, {})
        self._gate().require_room()
        state = self._started()
        self._mend(state)
        with writing([*keys, *scores.lock_keys(judged)]):
            result = self._commit(state, keys, group, combine)
            return self._judge(state, judged, result) if judged else result

    def _gate(self) -> Gate:
        return self._given_gate or gate()

    def _started(self) -> _State:
        opened = self._gate()
        state = _states.setdefault(opened, _State())
        if state.memory is None:
            repair_recent(opened)
            state.last_version = newest_version(opened)
            # Other processes write to a server too, so nothing may be remembered there.
            state.memory = Memory(REMEMBERED_SPANS if opened.embedded else 0)
        return state

    def _mend(self, state: _State) -> None:
        """Put right what a failed commit left. Before anything else is written: see `repair`."""
        for chunk in store.chunks(list(state.failed)):
            with writing(chunk):
                repair(self._gate(), chunk)
            state.failed.difference_update(chunk)

    def _tidy(self) -> None:
        """Put right at once what a failed commit left, if the store can: its summaries tell of spans that
        are not there."""
        try:
            state = _states.get(self._gate())
            if state is not None:
                self._mend(state)
        except Exception as error:
            logger.warning("a failed commit is not put right yet, the next one will try again: %s", error)

    def _commit(
        self, state: _State, keys: list[Key], group: Callable[[], Arrivals], combine: Combine
    ) -> CommitResult:
        try:
            return self._write(state, keys, group, combine)
        except BaseException:
            state.failed.update(keys)
            raise

    def _write(
        self, state: _State, keys: list[Key], group: Callable[[], Arrivals], combine: Combine
    ) -> CommitResult:
        assert state.memory is not None
        self._delete_unused(state)
        arrivals, traces = self._recall(state.memory, keys, group)
        fresh, changed = _news(arrivals, traces, combine)
        older = self._replace(traces, changed, combine) if changed else []
        written = fresh + changed
        version = _next_version(state, traces)
        touched: dict[Key, Known] = {}
        for stored in written:
            key, _ = _named(stored)
            touched[key] = traces[key]
            stored.event_ts = traces[key].place.v = version
        if written:
            rows = self._store(written, fresh, touched)
            self._delete(state, older, version)
        else:
            rows = []
        state.memory.put((key, known) for key, known in traces.items() if known.spans)
        sequences = {project_id: version for project_id, _ in touched}
        return CommitResult([row.summary for row in rows], self.id, sequences)

    def _judge(self, state: _State, judged: list[Score], result: CommitResult) -> CommitResult:
        """Store scores; after the observations, which they may be about."""
        version = max(result.sequences.values(), default=0) or _next_version(state, {})
        written = scores.write(self._gate(), judged, self.id, version)
        sequences = result.sequences | {score.project_id: version for score in written}
        return replace(result, sequences=sequences, scores=written)

    def _recall(
        self, memory: Memory, keys: list[Key], group: Callable[[], Arrivals]
    ) -> tuple[Arrivals, dict[Key, Known]]:
        """The arrivals, and what is known of every trace of theirs: from memory, else from the store, which
        is asked while the arrivals are prepared, else nothing yet."""
        remembered = {key: memory.take(key) for key in keys}
        traces = {key: known for key, known in remembered.items() if known is not None}
        unknown = [key for key in keys if key not in traces]
        asked = self._side.submit(look_up, self._gate(), unknown) if unknown else None
        try:
            arrivals = group()
        finally:
            found = asked.result() if asked else {}
        for key in unknown:
            first = next(iter(arrivals[key].values()))
            place = tables.Place(first.hour, 0, first.hour, first.hour)
            traces[key] = found.get(key) or Known(place, Fold(), {})
        return arrivals, traces

    def _replace(self, traces: dict[Key, Known], changed: list[Stored], combine: Combine) -> list[Stored]:
        """Combine each changed arrival with its stored row, in place, and know the outcome in its trace; the
        rows that are replaced."""
        rows = self._stored_rows(traces, changed)
        contents = store.contents(self._gate(), list(rows.values()))
        spoilt: set[Key] = set()
        for place, stored in enumerate(changed):
            key, id = _named(stored)
            row = rows.get((key, id))
            if row is None:
                spoilt.add(key)
                continue
            content = contents.get(store.version_of(row))
            changed[place] = combine(tables.fill(row, content) if content else row, stored)
            if key not in spoilt and not traces[key].exchange(row, changed[place]):
                spoilt.add(key)
        if spoilt:
            self._fold_anew(traces, spoilt, changed)
        return list(rows.values())

    def _stored_rows(self, traces: dict[Key, Known], changed: list[Stored]) -> dict[tuple[Key, str], Stored]:
        wanted = {_named(stored) for stored in changed}
        found: dict[tuple[Key, str], Stored] = {}
        places = {key: traces[key].place for key, _ in wanted}
        for ids in store.chunks({id for _, id in wanted}):
            for key, rows in store.rows(self._gate(), places, ids).items():
                found |= {(key, row.observation.id): row for row in newest(rows)}
        return {name: row for name, row in found.items() if name in wanted}

    def _fold_anew(self, traces: dict[Key, Known], keys: set[Key], changed: list[Stored]) -> None:
        """Fold these traces from all of their rows, with the changed ones in place of the stored."""
        replacing = [stored for stored in changed if _named(stored)[0] in keys]
        names = {_named(stored) for stored in replacing}
        rows = store.rows(self._gate(), {key: traces[key].place for key in keys})
        staying = {
            key: [row for row in newest(rows.get(key, ())) if (key, row.observation.id) not in names]
            for key in keys
        }
        traces |= fold(self._gate(), {key: (traces[key].place, staying[key]) for key in keys})
        for stored in replacing:
            traces[_named(stored)[0]].add(stored)

    def _store(
        self, written: list[Stored], fresh: list[Stored], touched: dict[Key, Known]
    ) -> list[tables.SummaryRow]:
        """Insert content and summaries, then observations; the summaries. What comes next is made while they
        are on their way, content for longest. Observations that replace nothing do not wait for that
        either, and are mended if it never comes; but other writers, of a server, would not know that it is
        still to come.
        """
        opened = self._gate()
        content = self._side.submit(_store_content, opened, written)
        inserts: list[Future[None]] = [content]
        try:
            for stored in fresh:
                touched[_named(stored)[0]].add(stored)
            rows = [known.row(key) for key, known in touched.items()]
            summaries = self._side.submit(_store_summaries, opened, rows)
            inserts.append(summaries)
            block = tables.observations_block(written, self.id)
            summaries.result()
            if len(fresh) < len(written) or not opened.embedded:
                content.result()
            opened.sync()  # no power cut may leave an observation without a summary, which tells of it
            opened.insert("observations", block, purpose="writer: observations")
        finally:
            wait(inserts)  # what is still on its way would escape the mending of a failure
        content.result()
        opened.sync()
        return rows

    def _delete(self, state: _State, older: list[Stored], version: int) -> None:
        """Delete the rows that were replaced. Their content, which nobody reads any more, waits for company:
        a delete costs the same whatever its size."""
        if older:
            versions = [store.version_of(row) for row in older]
            store.delete(self._gate(), "observations", versions)
            if not state.unused:
                state.unused_since = version
            state.unused += versions

    def _delete_unused(self, state: _State) -> None:
        """Delete content of rows that were replaced a while ago; before anything new is written, so that a
        crash at any moment leaves only what the next start finds."""
        is_due = now_micros() - state.unused_since > UNUSED_FOR or len(state.unused) >= store.DELETED
        if state.unused and is_due:
            store.delete(self._gate(), "observation_io", state.unused)
            state.unused = []


def _store_content(opened: Gate, written: list[Stored]) -> None:
    opened.insert("observation_io", tables.content_block(written), purpose="writer: content")
    for stored in written:
        stored.input = stored.output = stored.attributes = None


def _store_summaries(opened: Gate, rows: list[tables.SummaryRow]) -> None:
    opened.insert("traces", tables.traces_block(rows), purpose="writer: summaries")


def _next_version(state: _State, traces: dict[Key, Known]) -> int:
    """Later than every version before, whatever the clock says."""
    stored = max((known.place.v for known in traces.values()), default=0)
    state.last_version = max(now_micros(), state.last_version + 1, stored + 1)
    return state.last_version


def write_trouble() -> Literal["", "full", "refused"]:
    """Why this process cannot store anything just now; empty when nothing speaks against it."""
    if gate().is_full():
        return "full"
    failed_at = _refusal.at
    return "refused" if failed_at is not None and time.monotonic() - failed_at < TROUBLE_SECONDS else ""


@contextmanager
def alone_with(keys: Collection[Key]) -> Iterator[Gate]:
    """Keep every commit away from these traces, and forget what is remembered of them: for whoever changes
    their rows otherwise. Raises Unavailable when that right cannot be had."""
    with _turn:
        opened = gate()
        with writing(keys):
            state = _states.get(opened)
            if state is not None and state.memory is not None:
                for key in keys:
                    state.memory.take(key)
            yield opened


def forget() -> None:
    """Forget everything, as a new process would: the next commit mends and looks up again."""
    with _turn:
        _states.clear()


def _trace_of(observation: Observation) -> Key:
    return observation.project_id, observation.trace_id


def _named(stored: Stored) -> tuple[Key, str]:
    return _trace_of(stored.observation), stored.observation.id


def _group(observations: Iterable[Observation], twice: dict[int, tuple[Observation, Stored]]) -> Arrivals:
    """Arrivals by trace and span; several of one span are merged in their order. Of each of those `twice`
    gets the first one with the row that all became, by that row's identity."""
    grouped: Arrivals = {}
    for observation in observations:
        stored = prepare(settled(observation) if observation.is_partial else observation)
        spans = grouped.setdefault(_trace_of(observation), {})
        before = spans.get(observation.id)
        if before is None:
            spans[observation.id] = stored
        elif not set(before.arrivals).issuperset(stored.arrivals):
            observation.outcome = MERGED
            row = spans[observation.id] = _merged(before, stored)
            first, _ = twice.pop(id(before), (before.observation, before))
            twice[id(row)] = first, row
        else:
            observation.outcome = REPEATED
    return grouped


def _news(
    arrivals: Arrivals, traces: dict[Key, Known], combine: Combine
) -> tuple[list[Stored], list[Stored]]:
    """Of the arrivals those of spans that are not stored, and those that change a stored one."""
    fresh: list[Stored] = []
    changed: list[Stored] = []
    for key, spans in arrivals.items():
        known = traces[key].spans
        for id, stored in spans.items():
            if id not in known:
                fresh.append(stored)
            elif combine is not _merged or not set(known[id]).issuperset(stored.arrivals):
                stored.observation.outcome = MERGED
                changed.append(stored)
            else:
                stored.observation.outcome = REPEATED
    return fresh if combine is _merged else [], changed


def remapped(older: Stored, newer: Stored) -> Stored:
    """The row in the place of a stored one when what was received is mapped anew. `newer` is priced: its cost
    counts, but a cost that nobody could work out any more stays."""
    parts = (newer, older) if newer.observation.total_cost is not None else (older,)
    return settle(replaced(older, newer), *parts)


def _remapped_if_same(older: Stored, newer: Stored) -> Stored:
    if older.arrivals == newer.arrivals:
        return remapped(older, newer)
    return prepare(older.observation, older.arrivals)


def _merged(older: Stored, newer: Stored) -> Stored:
    return settle(merge(older, newer), newer, older)
