"""References made ready to be shown: what each file is, and where a page finds it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from django.urls import reverse

from apps.core.formats import visible
from apps.tracing.media import services, types
from apps.tracing.media.models import Media
from apps.tracing.media.references import Reference

MAX_FILES = 200  # of one panel; what is referenced beyond stays words

State = Literal["here", "waiting", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class File:
    """A file that content refers to. Only one that is here has an address and a size."""

    id: str
    state: State
    kind: types.Kind
    content_type: str
    name: str
    size: int = 0  # bytes
    url: str = ""
    reason: str = ""  # why an upload failed, as its client said


def files(project_id: str, wanted: Iterable[Reference]) -> dict[str, File]:
    """The files that references mean, by id. One question to the database."""
    by_id: dict[str, Reference] = {}
    for reference in wanted:
        by_id.setdefault(reference.media_id, reference)
        if len(by_id) == MAX_FILES:
            break
    known = services.find(project_id, by_id)
    return {media_id: _file(project_id, by_id[media_id], known.get(media_id)) for media_id in by_id}


def _file(project_id: str, reference: Reference, media: Media | None) -> File:
    media_id, said = reference.media_id, visible(reference.content_type)
    if media is None or media.uploaded_at is None:
        failed = media is not None and media.upload_status not in (None, 200, 201)
        state: State = "unknown" if media is None else "failed" if failed else "waiting"
        reason = visible(media.upload_error or f"HTTP {media.upload_status}") if media and failed else ""
        return File(visible(media_id), state, types.kind(said), said, "", reason=reason)
    return File(
        media_id,
        "here",
        types.kind(media.content_type),
        media.content_type,
        types.file_name(media_id, media.content_type),
        media.content_length,
        reverse("tracing:media", args=[project_id, media_id]),
    )
