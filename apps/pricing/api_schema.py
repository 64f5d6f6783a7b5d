"""What the documentation of the models' endpoints says about their shapes."""

from __future__ import annotations

from typing import Any

from apps.pricing.drafts import MAX_NAME, MAX_PATTERN, MAX_PRICES, MAX_TIERS
from apps.pricing.models import Tokenizer, Unit

_PRICE = {"type": "number", "minimum": 0, "maximum": 10**9}
_FLAT = {**_PRICE, "nullable": True, "description": "US dollars for one unit"}
_CONDITION = {
    "oneOf": [
        {
            "type": "object",
            "description": "The sum of all usage whose key fits the pattern, compared with a value",
            "required": ["usageDetailPattern", "operator", "value"],
            "properties": {
                "usageDetailPattern": {"type": "string", "minLength": 1, "maxLength": 200},
                "operator": {"type": "string", "enum": ["gt", "gte", "lt", "lte", "eq", "neq"]},
                "value": {"type": "number", "minimum": 0},
                "caseSensitive": {"type": "boolean"},
            },
        },
        {
            "type": "object",
            "description": "A model parameter or metadata value that is one of some texts",
            "required": ["source", "key", "operator", "values"],
            "properties": {
                "source": {"type": "string", "enum": ["model_parameters", "metadata"]},
                "key": {"type": "string", "minLength": 1, "maxLength": 200},
                "operator": {"type": "string", "enum": ["in"]},
                "values": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
            },
        },
    ]
}
_TIER: dict[str, Any] = {
    "name": {"type": "string", "minLength": 1, "maxLength": 100},
    "isDefault": {"type": "boolean"},
    "priority": {"type": "integer", "minimum": 0, "maximum": 999, "description": "0 for the default tier"},
    "conditions": {"type": "array", "items": _CONDITION, "description": "None for the default tier"},
    "prices": {
        "type": "object",
        "additionalProperties": _PRICE,
        "minProperties": 1,
        "maxProperties": MAX_PRICES,
        "description": "Usage key to US dollars for one unit",
    },
}

_NEW: dict[str, Any] = {
    "modelName": {"type": "string", "minLength": 1, "maxLength": MAX_NAME},
    "matchPattern": {
        "type": "string", "minLength": 1, "maxLength": MAX_PATTERN,
        "description": "Regular expression; (?i) at the start ignores case",
    },
    "startDate": {"type": "string", "format": "date-time", "nullable": True},
    "unit": {"type": "string", "enum": Unit.values, "nullable": True},
    "inputPrice": _FLAT,
    "outputPrice": _FLAT,
    "totalPrice": {**_FLAT, "description": "Not beside the other two"},
    "pricingTiers": {
        "type": "array", "items": {"type": "object", "required": list(_TIER), "properties": _TIER},
        "maxItems": MAX_TIERS, "nullable": True, "description": "In place of the three prices",
    },
    "tokenizerId": {"type": "string", "enum": Tokenizer.values, "nullable": True},
    "tokenizerConfig": {"type": "object", "nullable": True},
}  # fmt: skip
NewModel = {"type": "object", "required": ["modelName", "matchPattern"], "properties": _NEW}

_STORED_TIER = {"id": {"type": "string"}, **_TIER}
_MODEL: dict[str, Any] = {
    "id": {"type": "string"},
    **{name: shape for name, shape in _NEW.items() if name != "pricingTiers"},
    "isLangfuseManaged": {"type": "boolean", "description": "Whether every project sees it"},
    "createdAt": {"type": "string", "format": "date-time"},
    "prices": {
        "type": "object",
        "description": "Of the default tier",
        "additionalProperties": {"type": "object", "properties": {"price": _PRICE}},
    },
    "pricingTiers": {
        "type": "array",
        "items": {"type": "object", "required": list(_STORED_TIER), "properties": _STORED_TIER},
    },
}
Model = {"type": "object", "required": list(_MODEL), "properties": _MODEL}
_META = {
    "type": "object",
    "properties": {name: {"type": "integer"} for name in ("page", "limit", "totalItems", "totalPages")},
}
ModelList = {
    "type": "object",
    "required": ["data", "meta"],
    "properties": {"data": {"type": "array", "items": Model}, "meta": _META},
}

REQUEST_EXAMPLE = {
    "modelName": "house-7b",
    "matchPattern": "(?i)^(house-7b)$",
    "unit": "TOKENS",
    "inputPrice": 2e-7,
    "outputPrice": 6e-7,
}
EXAMPLE = {
    **REQUEST_EXAMPLE,
    "id": "01kaj3z5v8q2m0g7c4tw9xnr6e",
    "startDate": None,
    "totalPrice": None,
    "tokenizerId": None,
    "tokenizerConfig": None,
    "isLangfuseManaged": False,
    "createdAt": "2026-11-21T08:06:22.149Z",
    "prices": {"input": {"price": 2e-7}, "output": {"price": 6e-7}},
    "pricingTiers": [
        {
            "id": "01kaj3z5v8q2m0g7c4tw9xnr6e_tier_default",
            "name": "Standard",
            "isDefault": True,
            "priority": 0,
            "conditions": [],
            "prices": {"input": 2e-7, "output": 6e-7},
        }
    ],
}
LIST_EXAMPLE = {"data": [EXAMPLE], "meta": {"page": 1, "limit": 50, "totalItems": 1, "totalPages": 1}}
