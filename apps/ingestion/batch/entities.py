"""Events to records: what one event says of an observation or of a trace, each field stamped. Pure."""

from __future__ import annotations

from typing import Any

from apps.core.clock import iso_micros
from apps.ingestion.batch.events import OBSERVATIONS, Event
from apps.ingestion.batch.fields import MAX_NAME, Fields
from apps.ingestion.mapping import entry
from apps.ingestion.mapping.generic import normalised_environment
from apps.ingestion.mapping.shapes import Context
from apps.ingestion.mapping.values import dump
from apps.pricing.usage import legacy_cost, merge_legacy, normalise_cost, normalise_usage
from apps.tracing.received import without_credentials
from apps.tracing.records import Level, Observation, ObservationType, TraceFacts

SOURCE = "ingestion"
MAX_REST = 64 * 1024  # characters of what is kept of a body besides its content and metadata
MAX_REST_VALUE = 1024  # of one field, where all of it is over MAX_REST
_OPENAI_USAGE = {"promptTokens", "completionTokens", "totalTokens"}
_SIDES = ("input", "output")
_KEPT_ELSEWHERE = (*_SIDES, "metadata")  # stored once: as content, as metadata
# Observation field -> body field, for texts that an explicit null empties.
_TEXTS = {"name": "name", "model": "model"}
_FACTS = {
    "name": "name",
    "user_id": "userId",
    "session_id": "sessionId",
    "release": "release",
    "version": "version",
}
_TIMES = {"start_time": "startTime", "end_time": "endTime", "completion_start_time": "completionStartTime"}


def observation(event: Event, context: Context) -> Observation:
    """What an event says of its observation. Raises Invalid, naming the field.

    Without `traceId` the trace gets the observation's own id.
    """
    body, said = event.body, {"type": event.stamp}
    id = body.required_id("id")
    record = Observation(
        project_id=context.project_id,
        trace_id=body.id("traceId") or id,
        id=id,
        start_time=event.time,
        type=OBSERVATIONS[event.type] or _type(body),
        said=said,
    )
    given: dict[str, Any] = {field: body.time(name) for field, name in _TIMES.items()}
    given["parent_id"] = body.id("parentObservationId")
    given["version"] = body.text("version", MAX_NAME)
    given["status_message"] = body.text("statusMessage")
    given["level"] = _level(body)
    for field, value in given.items():
        if value is not None:
            setattr(record, field, value)
            said[field] = event.stamp
    record.is_root = not record.parent_id
    for field, name in _TEXTS.items():
        if name in body.values:
            setattr(record, field, body.text(name, MAX_NAME) or "")
            said[field] = event.stamp
    record.input, record.output, record.metadata = _content(body)
    said |= {side: event.stamp for side in _SIDES if getattr(record, side)}
    said |= {f"metadata.{key}": event.stamp for key in record.metadata}
    record.is_entry = entry.is_marked_in(record.metadata)
    _add_model(record, event)
    _add_origin(record, event, context)
    return record


def trace(event: Event, context: Context) -> Observation:
    """What an event says of its trace: the trace's own record. Raises Invalid, naming the field.

    Without an id the event's own is taken, so that nothing that is acknowledged goes unstored.
    """
    body, said = event.body, {}
    timestamp = body.time("timestamp")
    facts = TraceFacts()
    for field, name in _FACTS.items():
        value = body.text(name, MAX_NAME)
        if name in body.values:
            setattr(facts, field, value or None)
            said[field] = event.stamp
    facts.public = body.boolean("public") or False  # every event says it, as in Langfuse
    said["public"] = event.stamp
    facts.tags = body.tags("tags") or None
    sent, returned, metadata = _content(body)
    facts.input, facts.output, facts.metadata = sent or None, returned or None, metadata or None
    said |= {side: event.stamp for side in _SIDES if getattr(facts, side)}
    said |= {f"metadata.{key}": event.stamp for key in metadata}
    said = {f"trace.{field}": stamp for field, stamp in said.items()}
    if timestamp is not None:
        said["start_time"] = event.stamp
    record = Observation(
        project_id=context.project_id,
        trace_id=body.id("id") or event.id,
        id="",
        start_time=event.time if timestamp is None else timestamp,
        trace=facts,
        said=said,
    )
    _add_origin(record, event, context)
    return record


def _type(body: Fields) -> ObservationType:
    sent = body.text("type")
    if sent is None or sent not in ObservationType.__members__:
        raise body.invalid("type", f"is required, one of {', '.join(ObservationType.__members__)}.")
    return ObservationType(sent)


def _level(body: Fields) -> Level | None:
    sent = body.text("level")
    if sent is None:
        return None
    if sent not in Level.__members__:
        raise body.invalid("level", f"must be one of {', '.join(Level.__members__)}, not {sent[:100]!r}.")
    return Level(sent)


def _content(body: Fields) -> tuple[str, str, dict[str, str]]:
    return body.content("input"), body.content("output"), body.metadata("metadata")


def _add_model(record: Observation, event: Event) -> None:
    """Parameters, usage, cost, prompt link."""
    body, said = event.body, record.said
    parameters = body.object("modelParameters")
    if parameters or (parameters is None and "modelParameters" in body.values):
        record.model_parameters = body.written("modelParameters", parameters) if parameters else ""
        said["model_parameters"] = event.stamp
    legacy, details = body.object("usage") or {}, body.object("usageDetails") or {}
    record.usage = merge_legacy(normalise_usage(details), legacy, details_given=bool(details))
    costs = {} if _OPENAI_USAGE & legacy.keys() else legacy_cost(legacy)
    record.provided_cost = costs | normalise_cost(body.object("costDetails") or {})
    said |= {field: event.stamp for field in ("usage", "provided_cost") if getattr(record, field)}
    name, version = body.text("promptName", MAX_NAME), body.whole("promptVersion")
    if bool(name) != (version is not None):
        missing = "promptVersion" if name else "promptName"
        raise body.invalid(
            missing, "is required: a prompt is named by promptName and promptVersion together."
        )
    if "promptName" in body.values:
        record.prompt_name, record.prompt_version = name or "", version
        said["prompt_name"] = event.stamp


def _add_origin(record: Observation, event: Event, context: Context) -> None:
    """Where it came from, and what arrived."""
    body = event.body
    environment = body.values.get("environment")
    if environment is not None:
        record.environment = normalised_environment(environment)
        record.said["environment"] = event.stamp
    record.received_at, record.api_key_id, record.source = context.received_at, context.api_key_id, SOURCE
    record.sdk_name = context.sender.sdk_name[:MAX_NAME]
    record.sdk_version = context.sender.sdk_version[:MAX_NAME]
    record.attributes = dump({"events": [_received(event)]})


def _received(event: Event) -> dict[str, Any]:
    """The event as it arrived; what is stored as content or metadata is only named."""
    values = event.body.values
    rest = without_credentials({key: value for key, value in values.items() if key not in _KEPT_ELSEWHERE})
    if len(dump(rest)) > MAX_REST:
        rest = {key[:MAX_NAME]: value for key, value in rest.items() if len(dump(value)) <= MAX_REST_VALUE}
    kept = {"name": event.type, "id": event.id, "time": iso_micros(event.time), "attributes": rest}
    held = {key: key for key in _KEPT_ELSEWHERE if values.get(key) not in (None, "")}
    return kept | ({"held": held} if held else {})
