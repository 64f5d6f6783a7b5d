"""`manage.py remap`: map once more what a project received, after showing what would change."""

from __future__ import annotations

import re
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.audit.services import SYSTEM
from apps.core.clock import now_micros
from apps.core.errors import ApiError
from apps.ingestion.inspector import remap
from apps.ingestion.models import Remap
from apps.organizations.models import Project

_UNITS = {"m": 60, "h": 3600, "d": 86400}


class Command(BaseCommand):
    """Without --apply nothing changes."""

    help = (
        "Re-run the mapping over what a project received. Shows what would change; --apply changes it."
        " With the embedded store, stop the server first: it owns the store."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Options."""
        parser.add_argument("project", help="id of the project")
        parser.add_argument("--last", default="1h", help="how far back: 30m, 1h, 7d (default: 1h)")
        parser.add_argument("--service", default="", help="only of this service.name")
        parser.add_argument("--apply", action="store_true", help="change what would change")

    def handle(self, *, project: str, last: str, service: str, apply: bool, **options: Any) -> None:
        """Show, then apply when asked to."""
        found = Project.objects.filter(id=project).first()
        if found is None:
            raise CommandError(f"There is no project {project!r}.")
        until = now_micros()
        since = until - _micros(last)
        try:
            seen = remap.preview(found.id, since, until, service)
            self._show(seen)
            if apply:
                run = remap.start(actor=SYSTEM, project=found, since=since, until=until, service=service)
                remap.run(run.id)
                run.refresh_from_db()
                self._tell(run)
        except ApiError as error:
            raise CommandError(error.message) from error

    def _show(self, seen: remap.Preview) -> None:
        outcome = seen.outcome
        looked = "" if seen.is_whole else f" (looked at the first {outcome.read})"
        self.stdout.write(f"{outcome.changed} of {seen.total} observations would change{looked}")
        for name, count in outcome.fields.most_common():
            self.stdout.write(f"  {name}: {count}")
        for example in outcome.examples:
            self.stdout.write(
                f"  {example.observation_id} {example.field}: {example.before!r} -> {example.after!r}"
            )
        for reason, count in outcome.skipped.items():
            self.stdout.write(f"  skipped, {reason}: {count}")

    def _tell(self, run: Remap) -> None:
        self.stdout.write(f"{run.state}: {run.changed} of {run.read} observations changed")
        if run.problem:
            raise CommandError(run.problem)
        if run.is_unfinished:
            raise CommandError("The run was interrupted, see the log; a server that runs goes on with it.")


def _micros(text: str) -> int:
    match = re.fullmatch(r"(\d{1,6})([mhd])", text)
    if match is None:
        raise CommandError("--last takes a number with a unit: 30m, 1h, 7d.")
    return int(match[1]) * _UNITS[match[2]] * 1_000_000
