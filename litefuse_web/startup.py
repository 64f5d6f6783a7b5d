"""What happens between the command line and the first request, each step safe to repeat at every start."""

from __future__ import annotations

import logging

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

logger = logging.getLogger(__name__)


def prepare_database() -> None:
    """Bring the relational schema up to date when this process is the only one; else demand that it is.

    Raises CommandError when several processes share a database that lacks migrations: two of them
    migrating at once would collide.
    """
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not pending:
        return
    if settings.SEVERAL_PROCESSES:
        raise CommandError(
            f"the database lacks {len(pending)} migrations. Run `python manage.py release` once"
            " (the Procfile's release step), then start again."
        )
    logger.info("applying %d migrations", len(pending))
    call_command("migrate", interactive=False, verbosity=0)


def banner() -> list[str]:
    """Lines for the person who started the server."""
    version = getattr(settings, "VERSION", "")
    return [
        "",
        f"  Litefuse {version} is ready",
        "",
        f"    Open        {settings.PUBLIC_URL}{settings.BASE_PATH}/",
        f"    Data        {settings.DATA_DIR}",
        "    Stop        Ctrl-C",
        "",
    ]
