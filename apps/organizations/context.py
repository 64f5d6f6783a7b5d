"""What every page's shell shows: where the reader is and where else they could go."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


def shell(request: HttpRequest) -> dict[str, Any]:
    """Organization, project and role of the page; set on the request by `access` decorators."""
    return {
        "organization": getattr(request, "organization", None),
        "project": getattr(request, "project", None),
        "role": getattr(request, "role", None),
    }
