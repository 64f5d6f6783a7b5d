"""Conditions of the filter language as SQL for the telemetry store; every value is bound.

Comparisons are exact in case. What is not given (null, or an empty text) passes `none of`, `does not
contain`, `is not set` and `<>`, and nothing else but `is null`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.core.filters import Condition, Kind


@dataclass(slots=True)
class Binder:
    """Collects the values of a statement."""

    parameters: dict[str, Any] = field(default_factory=dict)

    def bind(self, value: Any, kind: str = "String") -> str:
        """The placeholder of a value of a ClickHouse type."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = list(value) if isinstance(value, tuple) else value
        return f"{{{name}:{kind}}}"

    def moment(self, micros: int) -> str:
        """The placeholder of a moment, for comparing with a DateTime64(6)."""
        return f"fromUnixTimestamp64Micro({self.bind(micros, 'Int64')}, 'UTC')"


class NeverNull(str):
    """SQL that is never null: comparisons of it stand bare, so that the store's indexes can be used."""


# A column's SQL, or for what no single expression says a function that writes the whole condition.
Expression = str | Callable[[Condition, Binder], str]


def compile_all(
    conditions: Iterable[Condition], expressions: Mapping[str, Expression], binder: Binder
) -> list[str]:
    """One SQL condition each; `expressions` has an entry for every column by name."""
    return [compile_one(condition, expressions[condition.column.name], binder) for condition in conditions]


def compile_one(condition: Condition, expression: Expression, binder: Binder) -> str:
    """One condition as SQL that is never null."""
    if callable(expression):
        return expression(condition, binder)
    if condition.type == "null":
        return _null(condition, expression)
    if isinstance(expression, NeverNull) and condition.type not in _MAY_FAIL:
        return _comparison(condition, expression, binder)
    return f"ifNull({_comparison(condition, expression, binder)}, {int(_passes_null(condition))})"


_MAY_FAIL = ("numberObject",)  # what is held may not be of the type that is asked for


def _passes_null(condition: Condition) -> bool:
    return condition.operator in ("none of", "does not contain", "is not set", "<>")


def _null(condition: Condition, expression: str) -> str:
    match condition.column.kind:
        case Kind.TEXT | Kind.LIST | Kind.TEXTS | Kind.NUMBERS | Kind.CATEGORIES | Kind.BOOLEANS:
            empty = f"ifNull(empty({expression}), 1)"
        case _:
            empty = f"isNull({expression})"
    return empty if condition.operator == "is null" else f"NOT {empty}"


def _comparison(condition: Condition, expression: str, binder: Binder) -> str:
    value, operator = condition.value, condition.operator
    match condition.type:
        case "string":
            return text(expression, operator, str(value), binder)
        case "stringObject":
            return text(f"{expression}[{binder.bind(condition.key)}]", operator, str(value), binder)
        case "number":
            return f"toFloat64({expression}) {operator} {binder.bind(value, 'Float64')}"
        case "numberObject":
            number = f"{expression}[{binder.bind(condition.key)}]"
            return f"toFloat64OrNull(toString({number})) {operator} {binder.bind(value, 'Float64')}"
        case "datetime":
            assert isinstance(value, int)
            return f"{expression} {operator} {binder.moment(value)}"
        case "boolean":
            return f"{expression} {operator} {binder.bind(bool(value), 'Bool')}"
        case "booleanObject":
            word = binder.bind("true" if value else "false")
            return f"lower(toString({expression}[{binder.bind(condition.key)}])) {operator} {word}"
        case "categoryOptions":
            return _lists(f"{expression}[{binder.bind(condition.key)}]", operator, value, binder)
        case "arrayOptions":
            return _lists(expression, operator, value, binder)
        case "stringOptions" if condition.column.kind is Kind.LIST:
            return _lists(expression, operator, value, binder)
        case "stringOptions":
            negated = "NOT " if operator == "none of" else ""
            return f"{expression} {negated}IN {binder.bind(value, 'Array(String)')}"
    raise LookupError(f"{condition.column.name} needs an expression of its own for {condition.type}")


def text(expression: str, operator: str, value: str, binder: Binder) -> str:
    """A comparison of texts. What is empty is not set."""
    if operator in ("is not empty", "is set", "is not set"):
        return f"{'empty' if operator == 'is not set' else 'notEmpty'}({expression})"
    bound = binder.bind(value)
    match operator:
        case "=":
            return f"{expression} = {bound}"
        case "contains" | "matches":
            return f"position({expression}, {bound}) > 0"
        case "does not contain":
            return f"position({expression}, {bound}) = 0"
        case "starts with":
            return f"startsWith({expression}, {bound})"
    return f"endsWith({expression}, {bound})"


def _lists(expression: str, operator: str, value: Any, binder: Binder) -> str:
    bound = binder.bind(value, "Array(String)")
    if operator == "all of":
        return f"hasAll({expression}, {bound})"
    return f"{'NOT ' if operator == 'none of' else ''}hasAny({expression}, {bound})"
