"""The wire inspector over the public API, for keys that may read."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.clock import iso_millis
from apps.core.errors import InvalidRequest, NotFound
from apps.core.openapi import documented, parameter
from apps.ingestion.inspector import looking, recording
from apps.ingestion.inspector.entries import Entry
from apps.ingestion.inspector.explain import Explanation, facts
from apps.ingestion.inspector.looking import Look
from apps.organizations.rest import KeyView, project_id

TAG = "Wire inspector"
MAX_LIMIT = 200
ENTRY = {
    "id": "01k8request", "time": "2026-11-21T08:00:00.000Z", "key": {"id": "01k8key", "publicKey": "pk-lf-…"},
    "way": "otlp", "path": "/api/public/otel/v1/traces", "status": 200, "problem": None, "bytes": 2048,
    "received": 2, "stored": 2, "merged": 0, "repeated": 0, "refused": 0, "reasons": [],
}  # fmt: skip
MAX_EXPLAINED = 20  # items of one answer: each attribute of each is mapped again


class WireInspector(KeyView):
    """GET /api/public/wire-inspector: the last requests of the project's keys, and their sums by key."""

    scope = "read"

    @documented(
        "List the last requests of the project's keys",
        tag=TAG,
        response={"type": "object"},
        example={"data": [ENTRY], "lastHour": {}},
        parameters=[
            parameter("limit", f"At most so many, up to {MAX_LIMIT}", int),
            parameter("key", "Only those of the key with this id"),
            parameter("trouble", "true: only those with something refused", bool),
        ],
    )
    def get(self, request: Request) -> Response:
        """Newest first. `key` (id) keeps those of one key, `trouble=true` those with something refused."""
        limit = _number(request, "limit", 50, 1, MAX_LIMIT)
        key, trouble = request.query_params.get("key", ""), request.query_params.get("trouble") == "true"
        log = recording.log()
        found = [
            entry
            for entry in log.entries(project_id(request))
            if (not key or entry.key_id == key) and (entry.is_trouble or not trouble)
        ]
        tallies = log.tallies(project_id(request)).items()
        sums = {key_id: asdict(tally) for key_id, tally in tallies if not key or key_id == key}
        return Response({"data": [_shape(entry) for entry in found[:limit]], "lastHour": sums})


class WireInspectorRequest(KeyView):
    """GET /api/public/wire-inspector/{id}: one request, with how each attribute of its items was read."""

    scope = "read"

    @documented(
        "Get a request with how each attribute was read",
        tag=TAG,
        response={"type": "object"},
        example=ENTRY | {"itemsDecoded": 2, "items": []},
        parameters=[
            parameter("from", "Number of the first item explained, from 0", int),
            parameter("limit", f"Items explained, up to {MAX_EXPLAINED}", int),
        ],
    )
    def get(self, request: Request, id: str) -> Response:
        """`from` is the number of the first item explained (from 0), at most `limit` are."""
        first = _number(request, "from", 0, 0, 1_000_000)
        limit = _number(request, "limit", MAX_EXPLAINED, 1, MAX_EXPLAINED)
        found = looking.look(project_id(request), id)
        if found is None:
            raise NotFound("There is no such request, or it is no longer kept.")
        until = min(first + limit, len(found.items))
        explained = [_explanation(found, number) for number in range(first, until)]
        shape = _shape(found.entry) | {"itemsDecoded": len(found.items), "items": explained}
        if found.trouble:
            shape["trouble"] = found.trouble
        return Response(shape)


def _number(request: Request, name: str, default: int, least: int, most: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not least <= int(text) <= most:
        raise InvalidRequest(f"{name} must be a whole number between {least} and {most}.")
    return int(text)


def _shape(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "time": iso_millis(entry.time),
        "key": {"id": entry.key_id, "publicKey": entry.public_key},
        "way": entry.way,
        "path": entry.path,
        "status": entry.status,
        "problem": entry.problem or None,
        "contentType": entry.content_type or None,
        "contentEncoding": entry.encoding or None,
        "userAgent": entry.agent or None,
        "sdk": entry.sdk or None,
        "bytes": entry.packed,
        "received": entry.received,
        "stored": entry.stored,
        "merged": entry.merged,
        "repeated": entry.repeated,
        "refused": entry.refused,
        "reasons": list(entry.reasons),
        "receipt": entry.receipt or None,
        "milliseconds": dict(entry.steps),
        "traceIds": list(entry.traces),
        "bodyKept": entry.has_body,
    }


def _explanation(found: Look, number: int) -> dict[str, Any]:
    explained: Explanation = found.explain(number)
    record = explained.record
    return {
        "number": number,
        "name": explained.name,
        "refusal": explained.refusal or None,
        "traceId": record.trace_id if record else None,
        "attributes": [
            {
                "place": reading.place.kind,
                "event": reading.place.number if reading.place.kind == "event" else None,
                "key": reading.place.key,
                "value": reading.value,
                "rule": reading.rule or None,
                "became": list(reading.became),
                "fate": reading.fate,
            }
            for reading in explained.readings
        ],
        "attributesLeftOut": explained.left_out,
        "decidedBy": explained.decided,
        "notes": [note._asdict() for note in explained.notes],
        "became": {name: value for name, value in facts(record) if value} if record else None,
    }
