"""`manage.py rebuild_rollups`: count the cost of a range of hours anew."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from apps.core.errors import Unavailable
from apps.organizations.models import Project
from apps.telemetry.gate import StoreInUse
from apps.usage import rollups


class Command(BaseCommand):
    """Thin over `rollups`."""

    help = (
        "Count the cost of every hour from --from up to but not including --to anew, in UTC: days"
        " (2026-11-01) or moments (2026-11-01T13:00). What was erased since stays in, and the meter of"
        " billable units is not touched. While a server has the embedded store, it does the work, within"
        " minutes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Which hours, and whose."""
        parser.add_argument("--from", required=True, dest="start", metavar="TIME")
        parser.add_argument("--to", required=True, dest="end", metavar="TIME")
        parser.add_argument("--project", default="", metavar="ID")

    def handle(self, **options: Any) -> None:
        """Rebuild, and say how many hours were."""
        start, end, project_id = _moment(options["start"]), _moment(options["end"]), options["project"]
        if start >= end:
            raise CommandError("--from must be before --to")
        if project_id and not Project.objects.filter(id=project_id).exists():
            raise CommandError(f"There is no project {project_id}")
        now = timezone.now()
        try:
            count = rollups.rebuild(start, end, now, project_id)
        except StoreInUse:
            marked = rollups.mark(start, end, now, project_id)
            self.stdout.write(
                f"{len(marked)} hours will be counted anew by the running server within minutes"
            )
        except Unavailable as error:
            raise CommandError(error.message) from None
        else:
            self.stdout.write(f"{count} hours were counted anew")


def _moment(text: str) -> datetime:
    try:
        day = parse_date(text)
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC) if day else parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise CommandError(f"{text!r} is no time: give a day (2026-11-01) or a moment (2026-11-01T13:00)")
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment != moment.replace(minute=0, second=0, microsecond=0):
        raise CommandError(f"{text!r} is within an hour: give a whole one")
    return moment
