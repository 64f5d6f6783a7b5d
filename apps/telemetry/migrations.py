"""Numbered SQL migrations: `schema/NNN_name.sql`, applied in order, each noted in a table.

A statement ends with a semicolon at the end of its line. Every statement is written to be repeatable
(IF NOT EXISTS), because a crash may fall between a statement and its note.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apps.telemetry.gate import Gate

logger = logging.getLogger(__name__)

DIRECTORY = Path(__file__).with_name("schema")
_NAME = re.compile(r"\d{3}_[a-z0-9_]+\.sql")
_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name String COMMENT 'File name of the migration',
    applied_at DateTime DEFAULT now() COMMENT 'When it was applied'
) ENGINE = MergeTree ORDER BY name
"""


def files() -> list[Path]:
    """Every migration, in the order of application."""
    return sorted(path for path in DIRECTORY.iterdir() if _NAME.fullmatch(path.name))


def statements(text: str) -> list[str]:
    """The statements of a migration, without comment lines."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    return [part.strip() for part in re.split(r";[ \t]*(?:\n|$)", "\n".join(lines)) if part.strip()]


def apply(gate: Gate) -> list[str]:
    """Apply what is missing; the names of what was applied."""
    gate.execute(_LEDGER, purpose="migrate")
    done = {row[0] for row in gate.query("SELECT name FROM schema_migrations", purpose="migrate")}
    applied = []
    for path in files():
        if path.name in done:
            continue
        for statement in statements(path.read_text()):
            gate.execute(statement, purpose="migrate")
        gate.execute(
            "INSERT INTO schema_migrations (name) SELECT {name:String}",
            {"name": path.name},
            purpose="migrate",
        )
        applied.append(path.name)
    if applied:
        logger.info("telemetry migrations applied: %s", ", ".join(applied))
    return applied
