"""Tier conditions as a line of text that people read and write, and back to their JSON shape. Pure.

usage (input|prompt|cache) > 200000       the sum of all usage whose key fits a pattern
model_parameters.service_tier in flex     a model parameter or metadata value that is one of some texts
hours 00:30-16:30                         hours of the day in UTC
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from apps.core.errors import InvalidRequest

_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "=", "neq": "!="}
_NAMES = {sign: name for name, sign in _SIGNS.items()}
_USAGE = re.compile(r"usage (.{1,200}) (>=|<=|!=|>|<|=) (\d{1,18}(?:\.\d{1,18})?)( case)?", re.DOTALL)
_ATTRIBUTE = re.compile(r'(model_parameters|metadata)\.("(?:[^"\\]|\\.)*"|[^\s"]+) in (.+)', re.DOTALL)
_PLAIN_KEY = re.compile(r'[^\s"]+')
_PLAIN_VALUE = re.compile(r"[^\s,\[\]\"][^,\r\n]*(?<!\s)|[^\s,\[\]\"]")


def condition_text(condition: Mapping[str, Any]) -> str:
    """One condition as a line; `read_condition` reads it back."""
    if "usageDetailPattern" in condition:
        case = " case" if condition.get("caseSensitive") else ""
        value = condition["value"]
        number = int(value) if value == int(value) else value
        return f"usage {condition['usageDetailPattern']} {_SIGNS[condition['operator']]} {number}{case}"
    if "hoursUtc" in condition:
        return f"hours {condition['hoursUtc']}"
    key, values = condition["key"], condition["values"]
    key = key if _PLAIN_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)
    plain = all(_PLAIN_VALUE.fullmatch(value) for value in values)
    told = ", ".join(values) if plain else json.dumps(values, ensure_ascii=False)
    return f"{condition['source']}.{key} in {told}"


def read_condition(line: str) -> dict[str, Any]:
    """The JSON shape of a line. InvalidRequest when it is none; what it says is checked elsewhere."""
    line = line.strip()
    if usage := _USAGE.fullmatch(line):
        number = float(usage[3]) if "." in usage[3] else int(usage[3])
        shape = {"usageDetailPattern": usage[1], "operator": _NAMES[usage[2]], "value": number}
        return {**shape, "caseSensitive": True} if usage[4] else shape
    if line.startswith("hours "):
        return {"hoursUtc": line.removeprefix("hours ").strip()}
    if attribute := _ATTRIBUTE.fullmatch(line):
        source, key, values = attribute.groups()
        return {"source": source, "key": _key(key, line), "operator": "in", "values": _values(values, line)}
    raise _not_one(line)


def _key(text: str, line: str) -> Any:
    try:
        return json.loads(text) if text.startswith('"') else text
    except ValueError as error:
        raise _not_one(line) from error


def _values(text: str, line: str) -> Any:
    """Texts between commas, or a JSON list where they have commas of their own."""
    try:
        return json.loads(text) if text.startswith("[") else [value.strip() for value in text.split(",")]
    except ValueError as error:
        raise _not_one(line) from error


def _not_one(line: str) -> InvalidRequest:
    return InvalidRequest(
        _(
            "“%(line)s” is not a condition. Write, for example: usage input > 200000 · "
            "model_parameters.service_tier in flex, priority · hours 00:30-16:30"
        )
        % {"line": line[:80]}
    )
