"""JSON Schemas that people write for their items: checked, and applied within a time limit.

Schemas are programs: patterns can run for ages, references multiply work. So patterns run on an engine that
can be stopped, every keyword looks at the clock, and nothing is ever fetched from an address.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import orjson
import regex
from jsonschema import validators
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import Draft202012Validator
from referencing import Registry
from referencing.exceptions import Unresolvable

from apps.core.patterns import MAX_SIZE, compile_pattern, written_out

MAX_SCHEMA = 100_000  # bytes
SECONDS = 5.0  # for all that one request has to check
_PATTERN_SECONDS = 0.05
_MAX_MESSAGE = 300

Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


class BadSchema(ValueError):
    """This is no JSON Schema that can be applied; the message says why."""


class Misfit(ValueError):
    """A value does not fit its schema; the message says where and why."""


class TooSlow(ValueError):
    """Checking takes longer than it may."""


class Clock:
    """How long the checks of one request may still take."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._until = time.monotonic() + seconds

    def look(self) -> None:
        """Raises TooSlow when the time is over."""
        if time.monotonic() > self._until:
            raise TooSlow("Checking against the JSON Schema takes too long. Simplify the schema.")


class _Validator(Protocol):
    def iter_errors(self, instance: Any) -> Iterator[ValidationError]: ...


def check_schema(schema: Any, clock: Clock) -> None:
    """Raises BadSchema for what is no JSON Schema, TooSlow for one that takes too long to check."""
    validator(schema, clock)


def validator(schema: Any, clock: Clock) -> _Validator:
    """What applies a schema; the draft is the one it names, else 2020-12. Raises BadSchema."""
    if not isinstance(schema, dict):
        raise BadSchema("Expected a JSON Schema, an object")
    if len(orjson.dumps(schema)) > MAX_SCHEMA:
        raise BadSchema(f"The JSON Schema must be at most {MAX_SCHEMA} bytes")
    if not isinstance(schema.get("$schema", ""), str):
        raise BadSchema("$schema: Expected the address of a draft, a text")
    draft = validators.validator_for(schema, default=Draft202012Validator)
    try:
        # No formats: patterns would be checked by another engine's rules.
        draft.check_schema(schema, format_checker=None)  # type: ignore[call-arg]
        words = set(_words(schema))
    except SchemaError as error:
        raise BadSchema(f"This is not a JSON Schema: {_told(error)}") from None
    except RecursionError:
        raise BadSchema("The JSON Schema is nested too deep") from None
    if {"patternProperties", "unevaluatedProperties"} <= words:
        raise BadSchema("patternProperties and unevaluatedProperties cannot be used in one schema here")
    patterns = set(_patterns(schema))
    if sum(map(written_out, patterns)) > MAX_SIZE:
        raise BadSchema("The patterns' counted repeats, as in {10}, come to too many in all")
    for pattern in patterns:
        _compiled(pattern)
    keywords = {**draft.VALIDATORS, **{name: own for name, own in _OWN.items() if name in draft.VALIDATORS}}
    timed = {name: _timed(keyword, clock) for name, keyword in keywords.items()}
    made: _Validator = validators.extend(draft, timed)(schema, registry=Registry())
    return made


def check(apply: _Validator, value: Any) -> None:
    """Raises Misfit, BadSchema (a reference that leads nowhere), TooSlow."""
    try:
        error = next(iter(apply.iter_errors(value)), None)
    except RecursionError:
        raise BadSchema("The JSON Schema refers to itself without end") from None
    except Exception as fault:
        if isinstance(fault, Unresolvable) or isinstance(fault.__cause__, Unresolvable):
            raise BadSchema(f"A reference in the JSON Schema leads nowhere: {fault!s:.200}") from None
        raise
    if error is not None:
        raise Misfit(_told(error))


def _told(error: ValidationError | SchemaError) -> str:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    return f"${place[:100]}: {error.message[:_MAX_MESSAGE]}"


def _timed(keyword: Keyword, clock: Clock) -> Keyword:
    def look_first(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        clock.look()
        yield from keyword(validator, value, instance, schema) or ()

    return look_first


# --- keywords that run patterns or compare all with all ---------------------------------------------------


def _words(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from _words(part)


def _patterns(schema: Any) -> Iterator[str]:
    """Every pattern; what only looks like one, as a property of that name, does no harm."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        if isinstance(schema.get("patternProperties"), dict):
            yield from schema["patternProperties"]
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from _patterns(part)


def _compiled(pattern: str) -> regex.Pattern[str]:
    try:
        return compile_pattern(pattern)
    except (ValueError, RecursionError) as error:
        raise BadSchema(f"The pattern {pattern[:100]} cannot be used: {error!s:.100}") from None


def _found(pattern: str, text: str) -> bool:
    try:
        return _compiled(pattern).search(text, timeout=_PATTERN_SECONDS) is not None
    except TimeoutError:
        raise TooSlow(f"The pattern {pattern[:100]} takes too long. Simplify it.") from None


def _pattern(validator: Any, pattern: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not _found(pattern, value):
        yield ValidationError(f"{value[:100]!r} does not match {pattern[:100]!r}")


def _pattern_properties(
    validator: Any, patterns: Mapping[str, Any], value: Any, schema: Any
) -> Iterator[ValidationError]:
    if isinstance(value, dict):
        for pattern, subschema in patterns.items():
            for key, item in value.items():
                if _found(pattern, key):
                    yield from validator.descend(item, subschema, path=key, schema_path=pattern)


def _additional_properties(
    validator: Any, allowed: Any, value: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if not isinstance(value, dict):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    others = [
        key for key in value if key not in known and not any(_found(pattern, key) for pattern in patterns)
    ]
    if isinstance(allowed, dict):
        for key in others:
            yield from validator.descend(value[key], allowed, path=key)
    elif allowed is False and others:
        yield ValidationError(f"{', '.join(others)[:200]}: there may be no such properties")


def _unique_items(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if wanted and isinstance(value, list):
        seen = {orjson.dumps(_plain(item), option=orjson.OPT_SORT_KEYS) for item in value}
        if len(seen) < len(value):
            yield ValidationError("the items are not all different")


def _plain(value: Any) -> Any:
    """With 1.0 as 1: they are the same number to JSON Schema."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


_OWN: Mapping[str, Keyword] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
}
