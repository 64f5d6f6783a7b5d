"""Erasing what deleted projects hold: rows of the telemetry store, every copy elsewhere, the relational rest.

That a project was deleted is written on it (organizations.administration), and crossed out by deleting its
row last: each step may be repeated, and a clock goes on with what a crash cut off.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db import DatabaseError, transaction
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.services import SYSTEM
from apps.core.errors import ApiError
from apps.organizations.models import Project
from apps.pricing.models import ModelDefinition
from apps.telemetry.gate import Gate, QueryFailed, gate
from apps.tracing import erasure
from apps.tracing.deletions import Expired, Settled, TraceDeletion

logger = logging.getLogger(__name__)

# By then no process remembers its keys, and requests that were let in before have ended.
ERASE_AFTER = timedelta(minutes=3)
_SECONDS = 600.0  # that one table may take
_TROUBLE = (ApiError, QueryFailed, DatabaseError, OSError)


def erase_deleted_projects() -> int:
    """Erase every project that was deleted a while ago; how many are gone now. For the clock."""
    done = 0
    for project in Project.everything.filter(deleted_at__lt=timezone.now() - ERASE_AFTER):
        try:
            _erase(project)
            done += 1
        except _TROUBLE as error:
            logger.warning("project %s is not erased yet, it will be tried again: %s", project.id, error)
    return done


def _erase(project: Project) -> None:
    opened = gate()
    erasure.count_for_good(project.id)
    for table in _tables(opened):
        opened.execute(
            f"DELETE FROM {table} WHERE project_id = {{project:String}}",
            {"project": project.id},
            purpose="deletion",
            seconds=_SECONDS,
        )
    opened.sync()
    erasure.erase_copies(project.id, None)
    with transaction.atomic():
        ModelDefinition.objects.filter(project_id=project.id).delete()
        TraceDeletion.objects.filter(project_id=project.id).delete()
        Settled.objects.filter(project_id=project.id).delete()
        Expired.objects.filter(project_id=project.id).delete()
        audit.record(
            SYSTEM,
            "erase",
            "project",
            project.id,
            before={"name": project.name},
            organization_id=project.organization_id,
            project_id=project.id,
        )
        project.delete()


def _tables(opened: Gate) -> list[str]:
    """All tables with rows of projects, whatever versions to come will add."""
    rows = opened.query(
        "SELECT name FROM system.tables WHERE database = {database:String} AND engine LIKE '%MergeTree'"
        " AND name IN (SELECT table FROM system.columns WHERE database = {database:String}"
        " AND name = 'project_id') ORDER BY name",
        {"database": opened.database},
        purpose="deletion",
    )
    return [row[0] for row in rows]
