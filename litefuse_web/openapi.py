"""The public API's OpenAPI document: what views say of themselves, and the paths answered before Django."""

from __future__ import annotations

import functools
import re
from typing import Any

from django.conf import settings
from django.urls import include, path
from drf_spectacular.generators import SchemaGenerator
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.openapi import documented
from apps.core.rest import PublicView
from apps.ingestion.api_schema import PATHS

TITLE = "Litefuse API"
DESCRIPTION = (
    "What SDKs, integrations and scripts read and write. The same paths, shapes and errors as Langfuse's API."
    " Errors say in `message` what was wrong and what to do about it."
)
SECURITY = {
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "Public key as user name, secret key as password.",
    },
    "bearer": {"type": "http", "scheme": "bearer", "description": "ADMIN_API_KEY of the instance."},
}
_SNAKE = re.compile(r"_([a-z])")


@functools.cache
def document() -> dict[str, Any]:
    """The document; made once a process, in a few seconds."""
    routes = [
        path("api/public/", include("litefuse_web.api_urls")),
        path("api/admin/", include("apps.organizations.admin_urls")),
    ]
    found: dict[str, Any] = SchemaGenerator(patterns=routes).get_schema(request=None, public=True)
    paths: dict[str, dict[str, Any]] = {}
    for place, operations in found["paths"].items():
        paths[_camel(place)] = {method: _mended(operation) for method, operation in operations.items()}
    for place, operations in PATHS.items():
        paths[place] = paths.get(place, {}) | operations
    return found | {
        "info": {"title": TITLE, "version": settings.VERSION, "description": DESCRIPTION},
        "servers": [{"url": settings.BASE_PATH or "/"}],
        "paths": dict(sorted(paths.items())),
        "components": found["components"] | {"securitySchemes": SECURITY},
    }


def _camel(name: str) -> str:
    """`{trace_id}` as `{traceId}`, as clients know it."""
    return _SNAKE.sub(lambda found: found[1].upper(), name)


def _mended(operation: dict[str, Any]) -> dict[str, Any]:
    """An operation with the names of its path's parameters as clients know them."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            parameter["name"] = _camel(parameter["name"])
    return operation


class OpenApi(PublicView):
    """GET /api/public/openapi.json."""

    scope = "public"

    @documented(
        "Describe the API",
        tag="Instance",
        response={"type": "object"},
        example={"openapi": "3.0.3"},
        errors=(),
    )
    def get(self, request: Request) -> Response:
        """The OpenAPI document of this server."""
        return Response(document())
