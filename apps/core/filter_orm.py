"""Conditions of the filter language as a condition of the relational database's query builder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from django.db.models import Q

from apps.core.clock import to_datetime
from apps.core.filters import Condition, Kind

# A lookup path of the model, or for what no path says a function that writes the whole condition.
Path = str | Callable[[Condition], Q]

_LOOKUPS = {
    "=": "exact", "contains": "contains", "matches": "contains", "starts with": "startswith",
    "ends with": "endswith", ">": "gt", "<": "lt", ">=": "gte", "<=": "lte", "any of": "in",
}  # fmt: skip
_NEGATED = {"does not contain": "contains", "none of": "in", "<>": "exact"}


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
    value: object = condition.value
    if condition.type == "datetime":
        assert isinstance(condition.value, int)
        value = to_datetime(condition.value)
    if condition.operator in _NEGATED:
        return ~Q(**{f"{path}__{_NEGATED[condition.operator]}": value}) | Q(**{f"{path}__isnull": True})
    return Q(**{f"{path}__{_LOOKUPS[condition.operator]}": value})
