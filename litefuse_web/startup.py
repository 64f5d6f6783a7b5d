"""What happens between the command line and the first request, each step safe to repeat at every start."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Sequence

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.urls import reverse, set_script_prefix

from apps.accounts import bootstrap
from apps.core.errors import ApiError, Unavailable
from apps.pricing import seed
from apps.tracing.writer import Writer

logger = logging.getLogger(__name__)


def prepare() -> None:
    """Bring the stores up to date when this process is the only one; else demand that they are.

    Raises CommandError when several processes share a database that lacks migrations: two of them
    migrating at once would collide.
    """
    pending = _pending_migrations()
    if not settings.SEVERAL_PROCESSES:
        if pending:
            migrate()
        fill()
    elif pending:
        raise CommandError(
            f"the database lacks {pending} migrations. Run `python manage.py release` once"
            " (the Procfile's release step), then start again."
        )


def _pending_migrations() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def migrate() -> None:
    """Apply the migrations of the relational store."""
    logger.info("applying migrations")
    call_command("migrate", interactive=False, verbosity=0)


def fill() -> None:
    """Put in what every instance starts with: nothing that is there already changes."""
    if seed.is_empty():
        # In a process of its own: the price library takes 60 MB that this one would never get back.
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "seed_prices", "--apply"]
        subprocess.run([*command, "--verbosity=0", "--skip-checks"], check=True)  # noqa: S603
    elif not seed.is_seeded():  # prices are what people pay by: they change when somebody has seen how
        logger.warning("newer model prices are installed; `manage.py seed_prices` shows what would change")
    call_command("provision", verbosity=0)


def warm_up(open_store: Callable[[], None]) -> None:
    """Open the telemetry store, which takes a second, before somebody waits for it."""
    try:
        open_store()
    except Unavailable as error:
        # Not the end: pages that need no telemetry work, readiness says no, and the next use tries again.
        logger.error("the telemetry store cannot be opened: %s", error.message)


def load_demo(writer: Writer) -> None:
    """Tell the demo organization's story up to now. The server runs on without it when that fails."""
    from apps.ingestion.demo import load_demo as tell  # only who asks for the demo waits for it
    from apps.ingestion.demo.loader import PROJECT_ID
    from apps.usage import counting

    try:
        tell(writer)
        counting.count_now(PROJECT_ID)  # its pages are full when they are opened first
    except (ApiError, DatabaseError):
        logger.exception("the demo organization could not be loaded")


def banner(otlp: Sequence[str] = ()) -> list[str]:
    """Lines for the person who started the server; `otlp` are addresses of exporters' own ports."""
    set_script_prefix(f"{settings.BASE_PATH}/")  # kept by thread, and this one has answered no request
    lines = [
        "",
        f"  Litefuse {settings.VERSION} is ready",
        "",
        f"    Open        {settings.PUBLIC_URL}{reverse('home')}",
        *([f"    Exporters   {', '.join(otlp)}"] if otlp else []),
        f"    Data        {settings.DATA_DIR}",
        "    Stop        Ctrl-C",
        "",
    ]
    if bootstrap.is_empty():
        lines[-1:] = [
            "",
            "  No account yet: the first to sign up becomes this instance's admin. Here that needs nothing",
            "  more; on another machine, use this link, which works once:",
            "",
            f"    {settings.PUBLIC_URL}{reverse('account_signup')}?token={bootstrap.first_admin_token()}",
            "",
        ]
    return lines
