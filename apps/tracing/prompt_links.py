"""Which versions of prompts observations were made with: they name one, answers give its id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from apps.prompts import queries
from apps.tracing.records import ObservationRow

PromptIds = Mapping[tuple[str, int | None], str]  # by name and version


def prompt_ids(project_id: str, rows: Iterable[ObservationRow]) -> PromptIds:
    """Ids of the prompts that these observations name: one query, none when they name none."""
    named = {(row.prompt_name, row.prompt_version) for row in rows if row.prompt_name}
    return queries.version_ids(
        project_id, [(name, version) for name, version in named if version is not None]
    )


def prompt_id(row: ObservationRow, ids: PromptIds) -> str | None:
    """The id of an observation's prompt; None when it names none, or one that is not there."""
    return ids.get((row.prompt_name, row.prompt_version)) if row.prompt_name else None
