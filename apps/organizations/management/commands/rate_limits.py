"""`manage.py rate_limits`: show or change how often an organization may call the API."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.audit.services import SYSTEM
from apps.core.errors import InvalidRequest
from apps.organizations import limits, services
from apps.organizations.models import Organization


class Command(BaseCommand):
    """Thin over the services; a running server notices within seconds."""

    help = (
        "Show the rate limits of an organization, or change them: its plan, and limits of its own as"
        " RESOURCE=COUNT/SECONDS, RESOURCE=none or RESOURCE=default. They hold while LITEFUSE_RATE_LIMIT_PLAN"
        f" is set. Resources: {', '.join(sorted(limits.RESOURCES - {''}))}."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Whose, and what."""
        parser.add_argument("organization", metavar="ID")
        parser.add_argument("own", nargs="*", metavar="RESOURCE=LIMIT")
        parser.add_argument("--plan", choices=[*limits.PLANS, "default"])

    def handle(self, **options: Any) -> None:
        """Find the organization, change what was asked for, and show the outcome."""
        organization = Organization.objects.filter(id=options["organization"]).first()
        if organization is None:
            raise CommandError(f"There is no organization {options['organization']}")
        plan = organization.plan
        if options["plan"]:
            plan = "" if options["plan"] == "default" else options["plan"]
        own = dict(organization.rate_limits)
        for given in options["own"]:
            resource, _, limit = given.partition("=")
            own.pop(resource, None)
            if limit != "default":
                own[resource] = _limit(limit)
        try:
            services.change_limits(actor=SYSTEM, organization=organization, plan=plan, own=own)
        except InvalidRequest as refusal:
            raise CommandError(refusal.message) from None
        self.stdout.write(f"plan: {plan or 'of the instance'}")
        for resource, limit in sorted(own.items()):
            self.stdout.write(f"{resource}: {'none' if limit is None else '{}/{}'.format(*limit)}")


def _limit(text: str) -> list[int] | None:
    if text == "none":
        return None
    count, _, seconds = text.partition("/")
    if not (count.isascii() and count.isdigit() and seconds.isascii() and seconds.isdigit()):
        raise CommandError(f"{text!r} is no limit: give COUNT/SECONDS, none or default")
    return [int(count), int(seconds)]
