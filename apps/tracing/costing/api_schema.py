"""What the documentation of the endpoints about costs says about their shapes."""

from __future__ import annotations

from typing import Any

_AMOUNT = {"type": "string", "description": "US dollars, decimal text", "example": "0.000125"}
_MAYBE = {**_AMOUNT, "nullable": True}
_TEXT = {"type": "string", "nullable": True}
_PART: dict[str, Any] = {
    "kind": {"type": "string", "description": "Usage key"},
    "units": {"type": "integer", "nullable": True},
    "unitPrice": {**_MAYBE, "description": "Of one unit, by the rule that was applied"},
    "pricedAs": {**_TEXT, "description": "The kind whose price it takes"},
    "product": {**_MAYBE, "description": "Units x price before rounding"},
    "amount": {**_MAYBE, "description": "As stored, rounded to 12 places"},
    "counts": {"type": "boolean", "description": "Whether the amount is part of the total"},
    "isSum": {"type": "boolean", "description": "Whether the units are those of all other kinds together"},
}
_PARTS = {"type": "array", "items": {"type": "object", "required": list(_PART), "properties": _PART}}
_REST = {**_AMOUNT, "description": "Total less the parts that count: rounding, or what a sent total has more"}
_ORIGIN = {"type": "string", "enum": ["sent", "computed", "unknown"], "description": "Whose number it is"}
_REVISION: dict[str, Any] = {
    "modelId": {"type": "string"},
    "modelName": {"type": "string"},
    "provider": _TEXT,
    "unit": {"type": "string"},
    "revision": {"type": "integer"},
    "setBy": {"type": "string"},
    "setAt": {"type": "string", "format": "date-time"},
    "inForce": {"type": "boolean", "description": "Whether it is the definition's of today"},
    "tier": {"type": "string"},
}
_TIERS = {
    "type": "array",
    "description": "As tried, up to the one that was taken; each with its conditions and whether they hold",
    "items": {"type": "object"},
}
_OBSERVATION: dict[str, Any] = {
    "observationId": {"type": "string"},
    "traceId": {"type": "string"},
    "model": _TEXT,
    "modelId": _TEXT,
    "origin": _ORIGIN,
    "usageOrigin": {"type": "string", "enum": ["sent", "estimated", "none"]},
    "total": _MAYBE,
    "parts": _PARTS,
    "rest": _REST,
    "rule": {"type": "object", "nullable": True, "properties": {**_REVISION, "tiers": _TIERS}},
    "priceVersion": _TEXT,
    "today": {
        "type": "object",
        "nullable": True,
        "description": "What the prices of now come to, where that is not what is stored",
        "properties": {"total": _MAYBE, "priceVersion": _TEXT, "tier": _TEXT},
    },
    "missing": {
        "type": "string",
        "nullable": True,
        "enum": ["no-model", "no-usage", "no-definition", "no-price"],
        "description": "Why there is no cost",
    },
    "notes": {
        "type": "array",
        "description": "What does not fit in what was sent; it was stored as it is",
        "items": {
            "type": "object",
            "properties": {
                "doubt": {
                    "type": "string",
                    "enum": ["total-differs", "parts-exceed-total", "kind-without-price"],
                },
                "kinds": {"type": "array", "items": {"type": "string"}},
                "said": _TEXT,
                "found": _TEXT,
            },
        },
    },
}
ObservationCost = {"type": "object", "required": list(_OBSERVATION), "properties": _OBSERVATION}

_GROUP: dict[str, Any] = {
    "model": _TEXT,
    "modelId": _TEXT,
    "origin": _ORIGIN,
    "isEstimated": {"type": "boolean"},
    "priceVersion": _TEXT,
    "tier": _TEXT,
    "rule": {"type": "object", "nullable": True, "properties": _REVISION},
    "observations": {"type": "integer"},
    "withoutCost": {"type": "integer"},
    "total": _AMOUNT,
    "parts": _PARTS,
    "rest": _REST,
}
_TOTAL: dict[str, Any] = {
    "total": _AMOUNT,
    "observations": {"type": "integer", "description": "With usage, cost or a model"},
    "withoutCost": {"type": "integer"},
    "estimated": {"type": "integer"},
    "groups": {
        "type": "array",
        "description": "By model, rule, tier and origin, the dearest first; at most 500",
        "items": {"type": "object", "required": list(_GROUP), "properties": _GROUP},
    },
    "leftOut": {
        "type": "object",
        "properties": {"groups": {"type": "integer"}, "total": _AMOUNT},
    },
}
TotalCost = {"type": "object", "required": list(_TOTAL), "properties": _TOTAL}

_PART_EXAMPLE = {
    "kind": "input", "units": 1200, "unitPrice": "0.0000025", "pricedAs": "input", "product": "0.003",
    "amount": "0.003", "counts": True, "isSum": False,
}  # fmt: skip
_RULE_EXAMPLE = {
    "modelId": "openai:gpt-4o", "modelName": "gpt-4o", "provider": "openai", "unit": "TOKENS",
    "revision": 1, "setBy": "genai-prices 0.0.40", "setAt": "2026-11-20T08:00:00.000Z", "inForce": True,
    "tier": "Standard",
}  # fmt: skip
OBSERVATION_EXAMPLE = {
    "observationId": "b7ad6b7169203331", "traceId": "0af7651916cd43dd8448eb211c80319c", "model": "gpt-4o",
    "modelId": "openai:gpt-4o", "origin": "computed", "usageOrigin": "sent", "total": "0.003",
    "parts": [_PART_EXAMPLE], "rest": "0",
    "rule": {
        **_RULE_EXAMPLE,
        "tiers": [
            {"name": "Standard", "priority": 0, "holds": True, "chosen": True, "conditions": []}
        ],
    },
    "priceVersion": "openai:gpt-4o@1", "today": None, "missing": None, "notes": [],
}  # fmt: skip
TOTAL_EXAMPLE = {
    "total": "0.003", "observations": 1, "withoutCost": 0, "estimated": 0,
    "groups": [
        {
            "model": "gpt-4o", "modelId": "openai:gpt-4o", "origin": "computed", "isEstimated": False,
            "priceVersion": "openai:gpt-4o@1", "tier": "Standard", "rule": _RULE_EXAMPLE, "observations": 1,
            "withoutCost": 0, "total": "0.003", "parts": [_PART_EXAMPLE], "rest": "0",
        }
    ],
    "leftOut": {"groups": 0, "total": "0"},
}  # fmt: skip
