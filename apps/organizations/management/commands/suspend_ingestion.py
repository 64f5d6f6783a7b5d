"""`manage.py suspend_ingestion`: refuse the telemetry of a project or an organization, or take it again."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.audit.services import SYSTEM
from apps.core.errors import InvalidRequest
from apps.organizations import services
from apps.organizations.models import Organization, Project


class Command(BaseCommand):
    """Thin over the services; a running server notices within seconds."""

    help = (
        "Refuse telemetry of one project, or of all projects of an organization: senders are answered 403"
        " with the reason, and the pages of the project show it. What is stored stays readable."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Whose, and why; or --resume."""
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("--project", metavar="ID")
        whose.add_argument("--organization", metavar="ID")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--reason", help="a sentence that senders and readers are shown")
        what.add_argument("--resume", action="store_true", help="take telemetry again")

    def handle(self, **options: Any) -> None:
        """Find the tenant and change it."""
        tenant = _tenant(options["project"], options["organization"])
        try:
            if options["resume"]:
                services.resume_ingestion(actor=SYSTEM, tenant=tenant)
            else:
                services.suspend_ingestion(actor=SYSTEM, tenant=tenant, reason=options["reason"])
        except InvalidRequest as refusal:
            raise CommandError(refusal.message) from None
        told = f"suspended: {tenant.ingestion_suspended}" if tenant.ingestion_suspended else "taken"
        self.stdout.write(f"{tenant.name}: ingestion is {told}")


def _tenant(project_id: str | None, organization_id: str | None) -> Organization | Project:
    found: Organization | Project | None
    if project_id is not None:
        found = Project.objects.filter(id=project_id).first()
    else:
        found = Organization.objects.filter(id=organization_id).first()
    if found is None:
        raise CommandError(f"There is no such id: {project_id or organization_id}")
    return found
