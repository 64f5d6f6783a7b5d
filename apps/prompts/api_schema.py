"""What the documentation of the prompts' endpoints says about their shapes."""

from __future__ import annotations

from typing import Any

from apps.core.openapi import PAGE, parameter
from apps.prompts.models import LABEL_LENGTH, NAME_LENGTH, Kind

_MESSAGE = {
    "oneOf": [
        {
            "type": "object",
            "required": ["role", "content"],
            "properties": {
                "type": {"type": "string", "enum": ["chatmessage"]},
                "role": {"type": "string"},
                "content": {"type": "string"},
            },
        },
        {
            "type": "object",
            "required": ["type", "name"],
            "properties": {
                "type": {"type": "string", "enum": ["placeholder"]},
                "name": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]*$"},
            },
        },
    ]
}
_CONTENT = {
    "oneOf": [{"type": "string"}, {"type": "array", "items": _MESSAGE}],
    "description": "A text, or the messages and placeholders of a chat",
}
_LABELS = {
    "type": "array",
    "items": {"type": "string", "pattern": "^[a-z0-9_.-]+$", "minLength": 1, "maxLength": LABEL_LENGTH},
    "maxItems": 100,
}
_TAGS = {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 200}, "maxItems": 100}
_TYPE = {"type": "string", "enum": Kind.values}

_NEW: dict[str, Any] = {
    "name": {
        "type": "string", "minLength": 1, "maxLength": NAME_LENGTH,
        "description": "Slashes make folders; no |, no HTML",
    },
    "type": {**_TYPE, "nullable": True, "description": "text when not given"},
    "prompt": _CONTENT,
    "labels": {**_LABELS, "nullable": True, "description": "Taken away from other versions"},
    "tags": {**_TAGS, "nullable": True, "description": "Of all versions; unchanged when not given"},
    "config": {"nullable": True, "description": "Any JSON"},
    "commitMessage": {"type": "string", "maxLength": 500, "nullable": True},
}  # fmt: skip
NewVersion = {"type": "object", "required": ["name", "prompt"], "properties": _NEW}
NewVersionV1 = {
    "type": "object",
    "required": ["name", "prompt"],
    "properties": {**_NEW, "isActive": {"type": "boolean", "nullable": True}},
}
NewLabels = {"type": "object", "required": ["newLabels"], "properties": {"newLabels": _LABELS}}

_MADE_OF = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "version": {"type": "integer"}, "id": {"type": "string"}},
}
_VERSION: dict[str, Any] = {
    "id": {"type": "string"},
    "createdAt": {"type": "string", "format": "date-time"},
    "updatedAt": {"type": "string", "format": "date-time"},
    "projectId": {"type": "string"},
    "createdBy": {"type": "string", "description": "A person's id, or API"},
    "name": {"type": "string"},
    "version": {"type": "integer"},
    "type": _TYPE,
    "prompt": _CONTENT,
    "config": {"description": "Any JSON; {} when none was given", "nullable": True},
    "labels": {"type": "array", "items": {"type": "string"}},
    "tags": {"type": "array", "items": {"type": "string"}},
    "commitMessage": {"type": "string", "nullable": True},
    "isActive": {"type": "boolean", "description": "Whether it is labelled production"},
    "resolutionGraph": {
        "type": "object",
        "nullable": True,
        "description": "Which prompts were put in; null when none was",
        "properties": {
            "root": _MADE_OF,
            "dependencies": {
                "type": "object",
                "additionalProperties": {"type": "array", "items": _MADE_OF},
            },
        },
    },
}
Version = {"type": "object", "required": list(_VERSION), "properties": _VERSION}


_META = {
    "type": "object",
    "properties": {name: {"type": "integer"} for name in ("page", "limit", "totalItems", "totalPages")},
}
_PROMPT: dict[str, Any] = {
    "name": {"type": "string"},
    "type": _TYPE,
    "versions": {"type": "array", "items": {"type": "integer"}},
    "labels": {"type": "array", "items": {"type": "string"}},
    "tags": {"type": "array", "items": {"type": "string"}},
    "lastUpdatedAt": {"type": "string", "format": "date-time"},
    "lastConfig": {"description": "Of the newest version shown", "nullable": True},
}
PromptList = {
    "type": "object",
    "required": ["data", "meta", "pagination"],
    "properties": {
        "data": {
            "type": "array",
            "items": {"type": "object", "required": list(_PROMPT), "properties": _PROMPT},
        },
        "meta": _META,
        "pagination": {**_META, "description": "The same as meta"},
    },
}


_WHICH = (
    parameter("version", "Number of a version, from 1", int),
    parameter("label", "A label that is on the version"),
)
GET_PARAMETERS = (
    *_WHICH,
    parameter("resolve", "false leaves references to other prompts as they were written", bool),
)
DELETE_PARAMETERS = _WHICH
V1_PARAMETERS = (parameter("name", "Of the prompt", required=True), _WHICH[0])
LIST_PARAMETERS = (
    *PAGE,
    parameter("name", "Exactly this name"),
    parameter("label", "With a version of this label"),
    parameter("tag", "With this tag"),
    _WHICH[0],
    parameter("fromUpdatedAt", "Versions changed then or later: a date-time with an offset"),
    parameter("toUpdatedAt", "Versions changed earlier: a date-time with an offset"),
    parameter(
        "filter",
        "Conditions on versions as a JSON array, in place of the parameters above. Columns: id, name, type,"
        " version, createdAt, updatedAt, labels, tags, config (with a key). Texts are compared whatever the"
        " case but for '='; % and _ stand for any text and any character.",
    ),
)

REQUEST_EXAMPLE = {
    "name": "support/greeting",
    "prompt": "Say hello to {{who}}.",
    "labels": ["production"],
    "tags": ["support"],
    "config": {"model": "gpt-4o"},
    "commitMessage": "First words",
}
EXAMPLE = {
    "id": "01kaj3z5v8q2m0g7c4tw9xnr6e",
    "createdAt": "2026-11-21T08:06:22.149Z",
    "updatedAt": "2026-11-21T08:06:22.149Z",
    "projectId": "acme-support",
    "createdBy": "API",
    "version": 1,
    "type": "text",
    **REQUEST_EXAMPLE,
    "labels": ["latest", "production"],
    "isActive": True,
    "resolutionGraph": None,
}
_META_EXAMPLE = {"page": 1, "limit": 10, "totalItems": 1, "totalPages": 1}
LIST_EXAMPLE = {
    "data": [
        {
            "name": "support/greeting",
            "type": "text",
            "versions": [1, 2],
            "labels": ["production", "latest"],
            "tags": ["support"],
            "lastUpdatedAt": "2026-11-21T08:06:22.149Z",
            "lastConfig": {"model": "gpt-4o"},
        }
    ],
    "meta": _META_EXAMPLE,
    "pagination": _META_EXAMPLE,
}
