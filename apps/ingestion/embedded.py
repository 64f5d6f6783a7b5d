"""Files that spans bring inside their content are stored as media (LITEFUSE_EXTRACT_MEDIA)."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.conf import settings
from django.db import DatabaseError

from apps.core.errors import ApiError
from apps.tracing.media import services
from apps.tracing.media.extraction import Found, take_out
from apps.tracing.media.services import Announcement
from apps.tracing.records import Observation

logger = logging.getLogger(__name__)


def take_media_out(observations: Iterable[Observation], *, store: bool = True) -> None:
    """Put references in place of files in input, output and metadata, of spans and of what they say of their
    trace. A file that cannot be stored stays where it is: no span is lost for it. Without `store` nothing is
    stored, to see how it would be."""

    def without(row: Observation, text: str, field: str) -> str:
        return take_out(text, lambda found: _keep(row, field, found, store=store))

    for row in observations:
        if row.is_partial:  # made anew from the events it came from whenever another arrives
            continue
        row.input = without(row, row.input, "input")
        row.output = without(row, row.output, "output")
        row.metadata = {key: without(row, text, "metadata") for key, text in row.metadata.items()}
        facts = row.trace
        if facts.input:
            facts.input = without(row, facts.input, "input")
        if facts.output:
            facts.output = without(row, facts.output, "output")
        if facts.metadata:
            facts.metadata = {k: without(row, text, "metadata") for k, text in facts.metadata.items()}


def _keep(row: Observation, field: str, found: Found, *, store: bool) -> str | None:
    """Store a file; its id."""
    if len(found.content) > settings.MAX_MEDIA_BYTES:
        return None
    if not store:
        return services.media_id_of(found.sha256)
    wanted = Announcement(found.content_type, len(found.content), found.sha256, field, row.trace_id, row.id)
    try:
        return services.keep(row.project_id, wanted, found.content)
    except (ApiError, DatabaseError, OSError):
        logger.warning("a file inside trace %s could not be stored", row.trace_id, exc_info=True)
        return None
