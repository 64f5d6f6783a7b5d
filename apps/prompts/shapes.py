"""Prompts as the public API writes them. Pure but for related rows, which the reader has fetched."""

from __future__ import annotations

from typing import Any

from apps.core.clock import from_datetime, iso_millis
from apps.prompts.listing import PromptSummary
from apps.prompts.models import PRODUCTION, PromptVersion
from apps.prompts.references import Content


def version(row: PromptVersion, content: Content, graph: dict[str, Any] | None) -> dict[str, Any]:
    """A version; `content` may be what it was put together to, `graph` what of."""
    labels = [label.name for label in sorted(row.labels.all(), key=lambda label: label.pk)]
    return {
        "id": row.id,
        "createdAt": iso_millis(from_datetime(row.created_at)),
        "updatedAt": iso_millis(from_datetime(row.updated_at)),
        "projectId": row.prompt.project_id,
        "createdBy": row.created_by,
        "name": row.prompt.name,
        "version": row.number,
        "type": row.prompt.kind,
        "prompt": content,
        "config": row.config,
        "labels": labels,
        "tags": [tag.name for tag in sorted(row.prompt.tags.all(), key=lambda tag: tag.pk)],
        "commitMessage": row.commit_message or None,
        "isActive": PRODUCTION in labels,
        "resolutionGraph": graph,
    }


def summary(prompt: PromptSummary) -> dict[str, Any]:
    """A prompt in a list."""
    return {
        "name": prompt.name,
        "type": prompt.kind,
        "versions": list(prompt.numbers),
        "labels": list(prompt.labels),
        "tags": list(prompt.tags),
        "lastUpdatedAt": iso_millis(from_datetime(prompt.updated_at)),
        "lastConfig": prompt.config,
    }
