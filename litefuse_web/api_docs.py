"""/docs/api: the OpenAPI document as a page for people, made here: nothing comes from elsewhere."""

from __future__ import annotations

import functools
import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.organizations.access import public
from litefuse_web.openapi import document

MAX_DEPTH = 3  # of fields within fields that are listed
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a body."""

    name: str
    kind: str
    note: str
    required: bool


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    security: str  # basic, bearer, or empty
    parameters: list[Field]
    body: list[Field]
    answer: list[Field]
    status: str
    request: str  # examples, as JSON; empty for none
    response: str
    call: str  # the same for a shell
    errors: list[str]


@dataclass(frozen=True, slots=True)
class Chapter:
    """Endpoints of one subject."""

    name: str
    slug: str
    endpoints: list[Endpoint]


@public
@require_safe
def api_docs(request: HttpRequest) -> HttpResponse:
    """The page."""
    return render(
        request,
        "docs/api.html",
        {"chapters": chapters(), "server": f"{settings.PUBLIC_URL}{settings.BASE_PATH}"},
    )


@functools.cache
def chapters() -> list[Chapter]:
    """All endpoints by subject, subjects in the order of the alphabet."""
    found: dict[str, list[Endpoint]] = {}
    whole = document()
    for path, operations in whole["paths"].items():
        for method, operation in operations.items():
            for tag in operation["tags"][:1]:
                found.setdefault(tag, []).append(_endpoint(path, method, operation, whole))
    return [
        Chapter(name, "".join(c if c.isalnum() else "-" for c in name.lower()), endpoints)
        for name, endpoints in sorted(found.items())
    ]


def _endpoint(path: str, method: str, operation: Json, whole: Json) -> Endpoint:
    schemas = whole["components"]["schemas"]
    body = _content(operation.get("requestBody", {}))
    status = min(status for status in operation["responses"] if status < "3")
    answer = _content(operation["responses"][status])
    request = _example(body)
    return Endpoint(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation.get("summary", ""),
        description=operation.get("description", ""),
        security=next((kind for kinds in operation.get("security", ()) for kind in kinds), ""),
        parameters=[_parameter(given) for given in operation.get("parameters", ())],
        body=list(_fields(body.get("schema", {}), schemas)),
        answer=list(_fields(answer.get("schema", {}), schemas)),
        status=status,
        request=_pretty(request),
        response=_pretty(_example(answer)),
        call=_call(path, method.upper(), operation, request),
        errors=[status for status in operation["responses"] if status >= "4"],
    )


def _content(part: Json) -> Json:
    """The JSON of a body or an answer."""
    content: Json = part.get("content", {}).get("application/json", {})
    return content


def _example(content: Json) -> Any:
    return next((example["value"] for example in content.get("examples", {}).values()), None)


def _pretty(value: Any) -> str:
    return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)


def _parameter(given: Json) -> Field:
    schema = given.get("schema", {})
    return Field(given["name"], _kind(schema, {}), given.get("description", ""), given.get("required", False))


def _fields(schema: Json, schemas: Json, prefix: str = "", depth: int = 0) -> Iterator[Field]:
    """The fields of a shape, those of objects within it after their own, with dots."""
    schema = _resolved(schema, schemas)
    if schema.get("type") == "array":
        yield from _fields(schema.get("items", {}), schemas, prefix or "[].", depth)
        return
    required = schema.get("required", ())
    for name, inner in schema.get("properties", {}).items():
        found = _resolved(inner, schemas)
        note = inner.get("description") or found.get("description", "")
        yield Field(f"{prefix}{name}", _kind(inner, schemas), note, name in required)
        items = _resolved(found.get("items", {}), schemas)
        if depth < MAX_DEPTH and found.get("type") == "object":
            yield from _fields(found, schemas, f"{prefix}{name}.", depth + 1)
        elif depth < MAX_DEPTH and items.get("type") == "object":
            yield from _fields(items, schemas, f"{prefix}{name}[].", depth + 1)


def _resolved(schema: Json, schemas: Json) -> Json:
    """What a reference, or a wrapper of one, stands for."""
    for inner in schema.get("allOf", ())[:1]:
        return _resolved(inner, schemas)
    if "$ref" in schema:
        return _resolved(schemas.get(schema["$ref"].rpartition("/")[2], {}), schemas)
    options = [one for one in schema.get("oneOf", ()) if one.get("type") != "array"]
    if options and "properties" not in schema:
        return _resolved(options[0], schemas)
    return schema


def _kind(schema: Json, schemas: Json) -> str:
    """A type in words."""
    found = _resolved(schema, schemas)
    if "enum" in found:
        return " | ".join(str(value) for value in found["enum"])
    kind = found.get("format") if found.get("format") in ("date-time", "binary") else found.get("type")
    if kind == "array":
        kind = f"{_kind(found.get('items', {}), schemas)}[]"
    return f"{kind or 'any'}{' | null' if schema.get('nullable') or found.get('nullable') else ''}"


def _call(path: str, method: str, operation: Json, request: Any) -> str:
    """How a shell would call it."""
    words = ["curl"] if method == "GET" else ["curl", "-X", method]
    kinds = [kind for kinds in operation.get("security", ()) for kind in kinds]
    if "basic" in kinds:
        words += ["-u", '"$LANGFUSE_PUBLIC_KEY:$LANGFUSE_SECRET_KEY"']
    elif "bearer" in kinds:
        words += ["-H", '"Authorization: Bearer $ADMIN_API_KEY"']
    if request is not None:
        words += ["-H", "'Content-Type: application/json'", "-d", shlex.quote(json.dumps(request))]
    needed = [given["name"] for given in operation.get("parameters", ()) if _is_needed(given)]
    query = f"?{'&'.join(f'{name}=…' for name in needed)}" if needed else ""
    return " ".join([*words, f'"$LANGFUSE_BASE_URL{path}{query}"'])


def _is_needed(given: Json) -> bool:
    return given["in"] == "query" and bool(given.get("required"))
