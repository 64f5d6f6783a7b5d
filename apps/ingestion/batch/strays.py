"""Updates that name no trace and come in an earlier request than their observation: they stand in a trace of
their own, named like the observation, until an event says where it belongs; then they move there.

Which these are is written down in the relational store, where asking costs next to nothing: few clients do
this. Every step may be repeated, and a crash between two is made good by the next event of the observation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from apps.ingestion.models import Stray
from apps.telemetry.gate import gate
from apps.tracing import store, tables
from apps.tracing.knowledge import newest
from apps.tracing.records import Observation
from apps.tracing.repair import repair
from apps.tracing.store import Version, chunks
from apps.tracing.writer import alone_with

KEPT = timedelta(days=1)  # that an observation may come later than its update
_NAMED = 500  # in one query


@dataclass(frozen=True, slots=True)
class Moving:
    """What goes into other traces, and the versions of rows that it leaves."""

    observations: list[Observation]
    versions: list[Version]


def note(project_id: str, untraced: Iterable[Observation]) -> None:
    """Write down the updates among observations whose trace nobody knows yet."""
    updated = {o.id for o in untraced if o.said.get("type", 0) % 2}  # see Observation.said
    if updated:
        _reconnect()
        Stray.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
        rows = [Stray(key=_key(project_id, id)) for id in updated]
        Stray.objects.bulk_create(rows, ignore_conflicts=True)


def homes(project_id: str, observations: Iterable[Observation]) -> dict[str, str]:
    """The traces, by observation, that strays are told to be in."""
    _reconnect()
    if not Stray.objects.exists():  # nearly always
        return {}
    told = {_key(project_id, o.id): o for o in observations if o.id and o.trace_id != o.id}
    found: dict[str, str] = {}
    for keys in chunks(told, _NAMED):
        for key in Stray.objects.filter(key__in=keys).values_list("key", flat=True):
            found[told[key].id] = told[key].trace_id
    return found


def find(project_id: str, homes: Mapping[str, str]) -> Moving:
    """What is stored of strays, as it is to be stored where they belong. Raises Unavailable."""
    opened = gate()
    summaries = store.summaries(opened, [(project_id, id) for id in homes])
    places = {key: row.place for key, row in summaries.items()}
    rows = store.rows(opened, places, list(homes)) if places else {}
    strays = [row for of_trace in rows.values() for row in newest(of_trace) if _is_stray(row.observation)]
    contents = store.contents(opened, strays) if strays else {}
    moving = Moving([], [])
    for row in strays:
        version = store.version_of(row)
        if version in contents:
            observation = tables.fill(row, contents[version]).observation
            moving.observations.append(replace(observation, trace_id=homes[observation.id]))
            moving.versions.append(version)
    return moving


def leave(project_id: str, moving: Moving) -> None:
    """Remove what was moved from where it was. What has come there meanwhile stays, and moves next time."""
    keys = [(project, trace) for project, trace, _, _ in moving.versions]
    with alone_with(keys) as opened:
        store.delete(opened, "observations", moving.versions)
        store.delete(opened, "observation_io", moving.versions)
        repair(opened, keys)
    Stray.objects.filter(key__in=[_key(project_id, o.id) for o in moving.observations]).delete()


def _reconnect() -> None:
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()  # threads here outlive a lost connection


def _is_stray(observation: Observation) -> bool:
    return observation.id == observation.trace_id and bool(observation.said)


def _key(project_id: str, observation_id: str) -> str:
    return hashlib.sha256(f"{project_id}\0{observation_id}".encode("utf-8", "replace")).hexdigest()
