"""What the API's documentation says of the paths answered before Django (`asgi`)."""

from __future__ import annotations

from typing import Any

TAG = "Ingestion"
_KEYS: list[dict[str, list[str]]] = [{"basic": []}]
_MOMENT = "2026-11-21T08:00:00.000Z"
_TEXT = {"type": "string"}
_PROBLEM = {
    "type": "object",
    "properties": {"message": _TEXT, "error": {}},
}
_REFUSALS = {
    400: "The body cannot be read",
    401: "No key, or one that is not ours",
    403: "The key does not allow this, or ingestion is suspended",
    413: "The body is too large",
    429: "Too many requests",
    503: "Nothing was stored; send it again",
}


def _json(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema, "examples": {"Example": {"value": example}}}}


def _operation(
    name: str,
    summary: str,
    description: str,
    body: dict[str, Any],
    answers: dict[str, tuple[str, dict[str, Any], Any]],
) -> dict[str, Any]:
    """One operation; `answers`: by status, what it means, its schema, an example."""
    refusals = {
        str(status): {"description": told, "content": {"application/json": {"schema": _PROBLEM}}}
        for status, told in _REFUSALS.items()
    }
    told = {
        status: {"description": meaning, "content": _json(schema, example)}
        for status, (meaning, schema, example) in answers.items()
    }
    return {
        "operationId": f"ingestion_{name}",
        "summary": summary,
        "description": description,
        "tags": [TAG],
        "security": _KEYS,
        "requestBody": {"required": True, "content": body},
        "responses": refusals | told,
    }


_EVENT = {
    "type": "object",
    "required": ["id", "timestamp", "type", "body"],
    "properties": {
        "id": _TEXT | {"description": "Of the event; the same one again changes nothing"},
        "timestamp": {"type": "string", "format": "date-time"},
        "type": _TEXT | {"description": "trace-create, span-create, generation-update, score-create, …"},
        "body": {"type": "object"},
    },
}
_BATCH = _operation(
    "batch",
    "Send events of traces, observations and scores",
    "For clients from before OpenTelemetry. Every event is answered by itself.",
    _json(
        {
            "type": "object",
            "required": ["batch"],
            "properties": {"batch": {"type": "array", "items": _EVENT}},
        },
        {"batch": [{"id": "e-1", "timestamp": _MOMENT, "type": "trace-create", "body": {"id": "t-1"}}]},
    ),
    {
        "207": (
            "What became of each event",
            {
                "type": "object",
                "required": ["successes", "errors"],
                "properties": {
                    "successes": {"type": "array", "items": {"type": "object"}},
                    "errors": {"type": "array", "items": {"type": "object"}},
                },
            },
            {"successes": [{"id": "e-1", "status": 201}], "errors": []},
        )
    },
)
_SCORE = {
    "type": "object",
    "required": ["name", "value"],
    "properties": {
        "id": _TEXT | {"description": "Scores of the same id replace each other"},
        "name": _TEXT,
        "value": {"oneOf": [{"type": "number"}, _TEXT]},
        "dataType": {
            "type": "string",
            "enum": ["NUMERIC", "CATEGORICAL", "BOOLEAN", "TEXT", "CORRECTION"],
        },
        "traceId": _TEXT,
        "observationId": _TEXT,
        "sessionId": _TEXT,
        "datasetRunId": _TEXT,
        "comment": _TEXT,
        "configId": _TEXT,
        "metadata": {},
    },
}
_SCORES = _operation(
    "scores",
    "Create scores",
    "One score, or an array of them. A public key alone, as Bearer, may do this too.",
    _json(
        {"oneOf": [_SCORE, {"type": "array", "items": _SCORE}]},
        {"name": "helpful", "value": 1, "dataType": "BOOLEAN", "traceId": "t-1"},
    ),
    {
        "200": ("The score's id", {"type": "object", "properties": {"id": _TEXT}}, {"id": "s-1"}),
        "202": ("All were taken", {"type": "object"}, {"message": "Accepted"}),
        "207": (
            "Some were refused",
            {"type": "object"},
            {"accepted": 1, "rejected": 1, "errors": [{"message": "…"}]},
        ),
    },
)
_OTLP = {"type": "object", "properties": {"resourceSpans": {"type": "array", "items": {"type": "object"}}}}
_SPANS = _operation(
    "otlp",
    "Send spans by OTLP",
    "Protobuf or JSON, plain, gzip or deflate. An answer of 200 means stored and readable; its receipt makes"
    " a read wait for it (minReceipt).",
    _json(_OTLP, {"resourceSpans": []})
    | {"application/x-protobuf": {"schema": {"format": "binary"} | _TEXT}},
    {
        "200": (
            "Stored",
            {
                "type": "object",
                "properties": {"receipt": _TEXT, "partialSuccess": {"type": "object"}},
            },
            {"receipt": "1.1763712000000000"},
        )
    },
)

PATHS: dict[str, dict[str, Any]] = {
    "/api/public/ingestion": {"post": _BATCH},
    "/api/public/scores": {"post": _SCORES},
    "/api/public/otel/v1/traces": {"post": _SPANS},
}
