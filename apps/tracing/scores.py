"""Scores: how several arrivals of one become one, how they are stored, how they are read.

Stored otherwise than spans: a score is small and counted nowhere else, so that a changed one is a whole new
row of a ReplacingMergeTree, and one insert is the commit. What it replaces is looked up before; the sort key
keeps the hour of the first arrival. Nothing is remembered between commits: a look-up costs a few
milliseconds, and scores are rare beside spans.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, Literal

from django.conf import settings

from apps.core.clock import MICROS_PER_HOUR, clamp_micros
from apps.telemetry.gate import Gate, gate
from apps.telemetry.native import Block, block
from apps.tracing import growth
from apps.tracing.records import Score, ScoreType
from apps.tracing.store import chunks

MAX_OF_TRACE = 1000  # scores of one trace, or of one session, in one answer

Key = tuple[str, str]  # project, score

_MARKED = "SETTINGS lightweight_delete_mode = 'lightweight_update'"  # no part is written anew

# --- several arrivals -----------------------------------------------------------------------------------

# What is said together, by its name in `said`.
_GROUPS = {
    "value": ("type", "value", "string_value"),
    "subject": ("trace_id", "observation_id", "session_id", "dataset_run_id"),
}
_FIRST = ("timestamp", "environment", "subject")  # the first to be said holds
_LAST = ("name", "value", "source", "comment", "config_id", "queue_id", "author_user_id")
_NEVER = 2**64  # later than every stamp


def merge(first: Score, second: Score) -> Score:
    """Both arrivals as one score, the same in any order: of each field the greatest stamp speaks, of what
    hangs on the first event the smallest; of values said at once the greater one. Only past what a row may
    grow to (`growth`) the metadata of `first` stays."""
    merged = replace(
        first,
        said={},
        metadata={},
        created_at=min(first.created_at, second.created_at),
        updated_at=max(first.updated_at, second.updated_at),
        api_key_id=min(first.api_key_id, second.api_key_id),
    )
    for name in (*_FIRST, *_LAST):
        speaker = _speaker(name, first, second)
        for field in _GROUPS.get(name, (name,)):
            setattr(merged, field, getattr(speaker, field))
        if name in speaker.said:
            merged.said[name] = speaker.said[name]
    for key in {**first.metadata, **second.metadata}:
        name = f"metadata.{key}"
        speaker = max(
            first, second, key=lambda score: (score.said.get(name, -1), score.metadata.get(key, ""))
        )
        merged.metadata[key], merged.said[name] = speaker.metadata[key], speaker.said.get(name, 0)
    if growth.weight(merged.metadata) > settings.MAX_BODY_BYTES:
        merged.metadata = growth.marked(first.metadata)
        merged.said = {name: stamp for name, stamp in merged.said.items() if "metadata." not in name}
        merged.said |= {name: stamp for name, stamp in first.said.items() if "metadata." in name}
    return merged


def _speaker(name: str, first: Score, second: Score) -> Score:
    get = attrgetter(*_GROUPS.get(name, (name,)))
    unsaid = _NEVER if name in _FIRST else -1  # what nobody said loses to what somebody did

    def order(score: Score) -> tuple[int, Any]:
        return score.said.get(name, unsaid), get(score)

    return min(first, second, key=order) if name in _FIRST else max(first, second, key=order)


def _changes(before: Score, after: Score) -> bool:
    return replace(before, updated_at=after.updated_at) != after


# --- writing ----------------------------------------------------------------------------------------------

_TEXT, _COMMON, _TIME = "String", "LowCardinality(String)", "DateTime64(6, 'UTC')"
_COLUMNS: list[tuple[str, str]] = [
    ("project_id", _COMMON), ("id", _TEXT), ("name", _COMMON), ("timestamp", _TIME), ("type", _COMMON),
    ("value", "Float64"), ("string_value", _TEXT), ("trace_id", _TEXT), ("observation_id", _TEXT),
    ("session_id", _TEXT), ("dataset_run_id", _TEXT), ("source", _COMMON), ("comment", _TEXT),
    ("metadata", "Map(String, String)"), ("environment", _COMMON), ("config_id", _COMMON),
    ("queue_id", _COMMON), ("author_user_id", _COMMON), ("created_at", _TIME), ("updated_at", _TIME),
    ("api_key_id", _COMMON), ("said", "Map(String, UInt64)"),
]  # fmt: skip
_SELECT = ", ".join(name for name, _ in _COLUMNS)
_Row = tuple[Score, int, int]  # score, hour of its sort key, version


def lock_keys(scores: Iterable[Score]) -> list[Key]:
    """What to lock (`locks.writing`) while these are written."""
    return [lock_key(score.project_id, score.id) for score in scores]


def lock_key(project_id: str, score_id: str) -> Key:
    """The same for one score."""
    return project_id, f"score {score_id}"


def write(store: Gate, scores: Sequence[Score], writer: str, version: int) -> list[Score]:
    """Store scores, merged with what is stored of them; those that changed, as they stand now.

    Durable and readable on return. The caller holds their locks; `version` is the commit's.
    """
    arrived: dict[Key, Score] = {}
    for score in scores:
        _bring_into_range(score)
        before = arrived.get((score.project_id, score.id))
        arrived[score.project_id, score.id] = score if before is None else merge(before, score)
    known = _look_up(store, arrived)
    rows: list[_Row] = []
    moved: list[_Row] = []
    for key, score in arrived.items():
        if key not in known:
            rows.append((score, score.timestamp // MICROS_PER_HOUR, version))
            continue
        before, hour, v = known[key]
        merged = merge(before, score)
        if _changes(before, merged):
            rows.append((merged, hour, max(version, v + 1)))
            if _subject(before) != _subject(merged):
                moved.append(rows[-1])
    store.insert("scores", _block(rows, writer), purpose="writer: scores")
    store.sync()
    for score, hour, v in moved:
        _forget_before(store, score, hour, v)
    return [score for score, _, _ in rows]


_subject = attrgetter(*_GROUPS["subject"])


def _forget_before(store: Gate, score: Score, hour: int, version: int) -> None:
    """Delete the versions that stand with what an event that came late says is not judged. A crash before
    this leaves one in sight until the engine merges it away."""
    store.execute(
        "DELETE FROM scores WHERE project_id = {project:String} AND hour = {hour:UInt32} AND id = {id:String}"
        f" AND v < {{version:UInt64}} {_MARKED}",
        {"project": score.project_id, "hour": hour, "id": score.id, "version": version},
        purpose="writer: scores",
    )


def _bring_into_range(score: Score) -> None:
    for name in ("timestamp", "created_at", "updated_at"):
        setattr(score, name, clamp_micros(getattr(score, name)))


def _block(rows: Sequence[_Row], writer: str) -> Block:
    columns = [(name, kind, [getattr(score, name) for score, _, _ in rows]) for name, kind in _COLUMNS]
    return block(
        [
            *columns,
            ("hour", "UInt32", [hour for _, hour, _ in rows]),
            ("v", "UInt64", [v for _, _, v in rows]),
            ("writer", _COMMON, [writer] * len(rows)),
        ],
        len(rows),
    )


def _look_up(store: Gate, keys: Collection[Key]) -> dict[Key, _Row]:
    found: dict[Key, _Row] = {}
    for chunk in chunks(keys):
        projects, ids = zip(*chunk, strict=True)
        for hour, v, *row in store.query(
            f"SELECT hour, v, {_SELECT} FROM scores WHERE project_id IN {{projects:Array(String)}}"
            " AND id IN {ids:Array(String)} ORDER BY v DESC LIMIT 1 BY project_id, id",
            {"projects": sorted(set(projects)), "ids": sorted(set(ids))},
            purpose="writer: known scores",
        ):
            score = _score(row)
            found[score.project_id, score.id] = score, hour, v
    return found


def _score(row: Sequence[Any]) -> Score:
    values = {name: value for (name, _), value in zip(_COLUMNS, row, strict=True)}
    return Score(**values | {"type": ScoreType(values["type"])})


# --- reading ----------------------------------------------------------------------------------------------


_judged: set[str] = set()  # projects that have, or had, scores


def may_be_judged(project_id: str) -> bool:
    """False where the project is known to have no scores: to find none takes the engine 4 ms a trace."""
    if project_id not in _judged and gate().embedded:  # elsewhere others write too, and nothing is remembered
        any_score = "SELECT count() FROM (SELECT 1 FROM scores WHERE project_id = {project:String} LIMIT 1)"
        if not gate().count(any_score, {"project": project_id}, purpose="any score"):
            return False
        _judged.add(project_id)
    return True


def scores_of_trace(project_id: str, trace_id: str, *, limit: int = MAX_OF_TRACE) -> list[Score]:
    """Scores of a trace and of its observations, oldest first."""
    if not may_be_judged(project_id):
        return []
    return _read(project_id, "trace_id = {subject:String}", trace_id, limit)


def scores_of_session(project_id: str, session_id: str, *, limit: int = MAX_OF_TRACE) -> list[Score]:
    """Scores given to a session itself, oldest first."""
    return _read(project_id, "session_id = {subject:String}", session_id, limit)


def newest_scores(
    project_id: str, subject: Literal["trace_id", "dataset_run_id"], ids: Collection[str], *, each: int
) -> dict[str, list[Score]]:
    """Of some traces (with their observations) or runs of datasets the newest scores, at most `each`."""
    if not ids:
        return {}
    rows = gate().query(
        f"SELECT * FROM (SELECT {_SELECT} FROM scores WHERE project_id = {{project:String}}"
        f" AND {subject} IN {{ids:Array(String)}} ORDER BY v DESC LIMIT 1 BY id)"
        f" ORDER BY timestamp DESC, id DESC LIMIT {int(each)} BY {subject}",
        {"project": project_id, "ids": sorted(ids)},
        purpose="scores",
    )
    found: dict[str, list[Score]] = {}
    for score in map(_score, rows):
        found.setdefault(getattr(score, subject), []).append(score)
    return found


def get_score(project_id: str, score_id: str) -> Score | None:
    """One score, or None: not there, or another project's."""
    return next(iter(_read(project_id, "id = {subject:String}", score_id, 1)), None)


def by_keys(project_id: str, keys: Sequence[tuple[int, str]]) -> dict[str, Score]:
    """Scores by id, of which hour (of their sort key) and id are known; those that are still there."""
    if not keys:
        return {}
    hours, ids = zip(*keys, strict=True)
    rows = gate().query(
        f"SELECT {_SELECT} FROM scores WHERE project_id = {{project:String}}"
        " AND hour IN {hours:Array(UInt32)} AND id IN {ids:Array(String)} ORDER BY v DESC LIMIT 1 BY id",
        {"project": project_id, "hours": sorted(set(hours)), "ids": list(ids)},
        purpose="score list",
    )
    return {score.id: score for score in map(_score, rows)}


def _read(project_id: str, condition: str, subject: str, limit: int) -> list[Score]:
    """Scores, oldest first; of more than `limit` those that were written last."""
    rows = gate().query(
        f"SELECT {_SELECT} FROM scores WHERE project_id = {{project:String}} AND {condition}"
        f" ORDER BY v DESC LIMIT 1 BY id LIMIT {int(limit)}",
        {"project": project_id, "subject": subject},
        purpose="scores",
    )
    return sorted(map(_score, rows), key=lambda score: (score.timestamp, score.id))
