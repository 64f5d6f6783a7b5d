"""`manage.py provision`: organization, project, key and user from LITEFUSE_INIT_*, safe to repeat."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.core.errors import ApiError
from apps.organizations.provisioning import provision


class Command(BaseCommand):
    """Thin over organizations.provisioning."""

    help = "Make the organization, project, API key and user named by LITEFUSE_INIT_*; repeating is safe."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run once."""
        try:
            provision(settings.PROVISION)
        except ApiError as error:
            raise CommandError(error.message) from error
