"""Deleting traces and scores for good: summaries, observations, content, and every copy elsewhere.

What is to be deleted is written down first, in the relational store, and crossed out once nothing is left;
each step may be repeated, and a clock goes on with what a crash cut off. Only versions up to the one of that
moment are deleted: what arrives later, be it the same request again, makes the trace anew.

Summaries go first. From then on lists do not show the trace, and a commit that comes before the end finds
nothing to merge with. Then what goes is counted (`settlement`), and only then the rest is deleted. A trace
that only loses its oldest rows keeps its summary, which is made anew at the end.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, transaction

from apps.audit import services as audit
from apps.audit.services import Actor
from apps.core.clock import now_micros
from apps.core.errors import ApiError
from apps.telemetry.gate import Gate, QueryFailed
from apps.tracing import erasure, scores, store
from apps.tracing.deletions import TraceDeletion
from apps.tracing.repair import repair
from apps.tracing.settlement import Shared, as_text, before_hour, cross_out, settle
from apps.tracing.store import Key
from apps.tracing.writer import alone_with

logger = logging.getLogger(__name__)

MAX_TRACES = 1_000  # of one request

_MARKED = "SETTINGS lightweight_delete_mode = 'lightweight_update'"
_NAMED = "project_id = {project:String} AND trace_id IN {traces:Array(String)}"
_SUMMARIES = (
    "DELETE FROM traces WHERE project_id = {project:String} AND id IN {traces:Array(String)}"
    f" AND v <= {{until:UInt64}} {_MARKED}"
)
_OBSERVATIONS = (
    f"DELETE FROM observations WHERE {_NAMED} AND hour BETWEEN {{first:UInt32}} AND {{last:UInt32}}"
    f" AND hour < {{before:UInt64}} AND event_ts <= {{until:UInt64}} {_MARKED}"
)
_CONTENT = (
    f"DELETE FROM observation_io WHERE {_NAMED} AND hour < {{before:UInt64}} AND event_ts <= {{until:UInt64}}"
    f" {_MARKED}"
)
_SCORES = f"DELETE FROM scores WHERE {_NAMED} AND v <= {{until:UInt64}} {_MARKED}"
_SCORES_NAMED = (
    "DELETE FROM scores WHERE project_id = {project:String} AND id IN {ids:Array(String)}"
    f" AND v <= {{until:UInt64}} {_MARKED}"
)
_TROUBLE = (ApiError, QueryFailed, DatabaseError, OSError)


def delete_traces(actor: Actor, project_id: str, trace_ids: Sequence[str]) -> bool:
    """Delete these traces of a project; unknown ones are no error. True: nothing is left of them. False: it
    is written down, and what is left goes within minutes. Raises Unavailable when not even that could be."""
    ids = sorted({id for id in trace_ids if "\0" not in id})[:MAX_TRACES]
    _finish_earlier(project_id, set(ids))
    with in_turn(project_id, _keys(project_id, ids)) as opened:
        deletion = planned(opened, project_id, ids)
        with transaction.atomic():
            audit.record(
                actor,
                "delete",
                "trace",
                ids[0] if len(ids) == 1 else "",
                before={"ids": ids},
                project_id=project_id,
            )
            deletion.save()
        return try_to_finish(opened, deletion)


def delete_score(actor: Actor, project_id: str, score_id: str) -> bool:
    """Delete a score in all its versions; whether there was one. If it is not gone on return it goes within
    minutes. Raises Unavailable when not even that could be written down."""
    if "\0" in score_id:
        return False
    _finish_earlier(project_id, {score_id})
    with in_turn(project_id, [scores.lock_key(project_id, score_id)]) as opened:
        newest = opened.query(
            "SELECT max(v) FROM scores WHERE project_id = {project:String} AND id = {id:String}",
            {"project": project_id, "id": score_id},
            purpose="deletion",
        )[0][0]
        if not newest:
            return False
        deletion = planned_scores(project_id, [score_id], newest)
        with transaction.atomic():
            audit.record(actor, "delete", "score", score_id, project_id=project_id)
            deletion.save()
        try_to_finish(opened, deletion)
        return True


def finish_deletions(project_id: str | None = None) -> int:
    """Go on with every deletion that was cut off, or with those of a project; how many are done now. For the
    clock."""
    waiting = TraceDeletion.objects.order_by("-settled", "pk")  # for those that have counted others may wait
    if project_id is not None:
        waiting = waiting.filter(project_id=project_id)
    # All of them, so that those which fail again and again keep nobody waiting.
    return sum(_go_on(pk) for pk in list(waiting.values_list("pk", flat=True)))


def _go_on(pk: int) -> bool:
    deletion = TraceDeletion.objects.filter(pk=pk).first()
    if deletion is None:  # its request has just done it
        return False
    with in_turn(deletion.project_id, keys_of(deletion)) as opened:
        deletion = TraceDeletion.objects.filter(pk=pk).first()  # whoever held its traces may be done with it
        return deletion is not None and try_to_finish(opened, deletion)


def _finish_earlier(project_id: str, ids: set[str]) -> None:
    """What was cut off and these traces or scores would wait for."""
    for deletion in TraceDeletion.objects.filter(project_id=project_id, settled=True).order_by("pk"):
        if not ids.isdisjoint((*deletion.trace_ids, *deletion.score_ids)):
            _go_on(deletion.pk)


@contextmanager
def in_turn(project_id: str, keys: Collection[Key]) -> Iterator[Gate]:
    """Keep commits away from what is to be deleted, and other deletions of the project too."""
    with alone_with([*keys, (project_id, "deletion")]) as opened:
        yield opened


def _keys(project_id: str, ids: Collection[str]) -> list[Key]:
    return [(project_id, id) for id in ids]


def keys_of(deletion: TraceDeletion) -> list[Key]:
    """What nobody else may write meanwhile (`in_turn`)."""
    if deletion.trace_ids:
        return _keys(deletion.project_id, deletion.trace_ids)
    return [scores.lock_key(deletion.project_id, id) for id in deletion.score_ids]


def planned(opened: Gate, project_id: str, ids: Sequence[str], keep_from: int | None = None) -> TraceDeletion:
    """The deletion of these traces, or of their rows of hours before `keep_from`; to be saved. The caller
    keeps commits away from them until then, and until `try_to_finish` returns."""
    summaries = list(store.summaries(opened, _keys(project_id, ids)).values())
    places = [row.place for row in summaries]
    newest_score = opened.query(
        f"SELECT max(v) FROM scores WHERE {_NAMED}",
        {"project": project_id, "traces": ids},
        purpose="deletion",
    )[0][0]
    return TraceDeletion(
        project_id=project_id,
        trace_ids=list(ids),
        # Other machines' clocks may be ahead of this one's.
        until=max([now_micros(), int(newest_score), *(place.v for place in places)]),
        first_hour=min((place.first_hour for place in places), default=1),
        last_hour=max((place.last_hour for place in places), default=0),
        keep_from=keep_from,
        users={row.summary.id: as_text(row.summary.user_id) for row in summaries if row.summary.user_id},
    )


def planned_scores(project_id: str, ids: Sequence[str], newest: int) -> TraceDeletion:
    """The deletion of these scores, whose newest version is `newest`; as `planned`."""
    until = max(now_micros(), newest)
    return TraceDeletion(
        project_id=project_id, trace_ids=[], score_ids=list(ids), until=until, first_hour=1, last_hour=0
    )


def try_to_finish(opened: Gate, deletion: TraceDeletion) -> bool:
    """Delete what is written down; False: not all of it could be, the clock will go on."""
    try:
        _finish(opened, deletion)
    except Shared as error:
        logger.info("%s waits for deletion %d", _called(deletion), error.other)
    except _TROUBLE as error:
        logger.warning("%s is not done yet, it will be tried again: %s", _called(deletion), error)
    except Exception:  # a fault of ours, which must keep no other deletion
        logger.exception("%s fails, it will be tried again", _called(deletion))
    else:
        return True
    return False


def _called(deletion: TraceDeletion) -> str:
    begun = f"{deletion.created_at:%Y-%m-%d %H:%M}"
    return f"deletion {deletion.pk} of project {deletion.project_id}, begun {begun} UTC,"


def _finish(opened: Gate, deletion: TraceDeletion) -> None:
    """All steps, each safe to repeat. The caller keeps commits away from these traces."""
    project_id, ids = deletion.project_id, deletion.trace_ids
    parameters: dict[str, Any] = {
        "project": project_id,
        "traces": ids,
        "until": deletion.until,
        "first": deletion.first_hour,
        "last": deletion.last_hour,
        "before": before_hour(deletion),
    }

    def execute(sql: str, **more: Any) -> None:
        opened.execute(sql, parameters | more, purpose="deletion")

    is_there, stays = deletion.first_hour <= deletion.last_hour, deletion.keep_from is not None
    if is_there and not stays:
        execute(_SUMMARIES)
    settle(opened, deletion)
    if not ids:
        execute(_SCORES_NAMED, ids=deletion.score_ids)
    elif not stays:
        execute(_SCORES)
    if is_there:
        execute(_OBSERVATIONS)
        execute(_CONTENT)
        repair(opened, _keys(project_id, ids), shorten=stays)  # what came meanwhile may tell of what is gone
    opened.sync()
    if ids and not stays:
        erasure.erase_copies(project_id, frozenset(ids))
    cross_out(opened, deletion)
