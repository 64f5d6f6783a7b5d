"""Conditions of the filter language as a condition of the relational database's query builder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from django.db.models import Q, Value
from django.db.models.functions import Right, StrIndex
from django.db.models.lookups import Exact, GreaterThan

from apps.core.clock import to_datetime
from apps.core.filters import Condition, Kind

# A lookup path of the model, or for what no path says a function that writes the whole condition.
Path = str | Callable[[Condition], Q]

_LOOKUPS = {"=": "exact", ">": "gt", "<": "lt", ">=": "gte", "<=": "lte", "any of": "in"}
_NEGATED = {"does not contain": "contains", "none of": "any of", "<>": "="}


def compile_all(conditions: Iterable[Condition], paths: Mapping[str, Path]) -> Q:
    """All conditions as one; `paths` has an entry for every column by name."""
    whole = Q()
    for condition in conditions:
        path = paths[condition.column.name]
        whole &= path(condition) if callable(path) else compile_one(condition, path)
    return whole


def compile_one(condition: Condition, path: str) -> Q:
    """A condition on a plain field. What is null passes the negative ones, as in `filter_sql`."""
    if condition.type == "null":
        nothing = Q(**{f"{path}__isnull": True})
        if condition.column.kind is Kind.TEXT:
            nothing |= Q(**{path: ""})
        return nothing if condition.operator == "is null" else ~nothing
    if condition.operator == "is not empty":
        return ~Q(**{path: ""}) & Q(**{f"{path}__isnull": False})
    if positive := _NEGATED.get(condition.operator):
        return ~_passes(condition, positive, path) | Q(**{f"{path}__isnull": True})
    return _passes(condition, condition.operator, path)


def _passes(condition: Condition, operator: str, path: str) -> Q:
    value = condition.value
    if condition.type == "datetime":
        assert isinstance(value, int)
        return Q(**{f"{path}__{_LOOKUPS[operator]}": to_datetime(value)})
    # Not the lookups of these names: on SQLite they take capitals and small letters for the same.
    match operator:
        case "contains" | "matches":
            return Q(GreaterThan(StrIndex(path, Value(value)), 0))
        case "starts with":
            return Q(Exact(StrIndex(path, Value(value)), 1))
        case "ends with" if value:
            return Q(Exact(Right(path, len(str(value))), Value(value)))
        case "ends with":
            return Q(**{f"{path}__isnull": False})
    return Q(**{f"{path}__{_LOOKUPS[operator]}": value})
