"""Scores as clients send them: one event, one object or an array. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from apps.core.ids import new_id
from apps.ingestion.batch.events import SCORE, Event
from apps.ingestion.batch.fields import MAX_NAME, Fields, Missing, kind_of
from apps.ingestion.mapping.generic import normalised_environment
from apps.ingestion.mapping.shapes import Context
from apps.tracing.records import Score, ScoreType
from apps.tracing.score_configs.rules import Broken, Rules

MAX_TEXT = 500  # characters of a TEXT score
CORRECTION_NAME = "output"  # what a correction corrects
SOURCES = ("API", "ANNOTATION")
_SUBJECTS = ("traceId", "sessionId", "datasetRunId")


Configs = Mapping[str, Rules]  # id -> what a score config demands


def configs_named(bodies: Iterable[Any]) -> set[str]:
    """Ids of the score configs that bodies of scores name; of anything else nothing."""
    named = (body.get("configId") for body in bodies if isinstance(body, dict))
    return {id for id in named if isinstance(id, str) and id}


def bodies_in(batch: Iterable[Any]) -> Iterable[Any]:
    """The bodies of the scores of a batch."""
    return (sent.get("body") for sent in batch if isinstance(sent, dict) and sent.get("type") == SCORE)


def from_event(event: Event, context: Context, configs: Configs | None = None) -> Score:
    """The score of a `score-create` event. Without an id the event's own is taken."""
    return score(event.body, context, stamp=event.stamp, time=event.time, id=event.id, configs=configs)


def score(
    body: Fields, context: Context, *, stamp: int, time: int, id: str = "", configs: Configs | None = None
) -> Score:
    """A score from a body. Raises Invalid, naming the field; Missing for a config that is not there.

    `stamp` and `time` are of the event; `id` is for a body that has none (a new one when empty). It is held
    to the config it names; where `configs` is None, to none.
    """
    rules = None if configs is None else _rules(body, configs)
    kind = _type(body, rules)
    made = Score(
        project_id=context.project_id,
        id=body.id("id") or id or new_id(),
        name=_name(body, kind),
        timestamp=time,
        type=kind,
        said=dict.fromkeys(("name", "value", "subject"), stamp),
        created_at=context.received_at,
        updated_at=context.received_at,
        api_key_id=context.api_key_id,
    )
    made.value, made.string_value = _value(body, kind)
    if rules is not None:
        made.name, made.value = rules.name, _keep_to(rules, body, made)
    _add_subject(made, body)
    _add_source(made, body, stamp)
    timestamp = body.time("timestamp")
    if timestamp is not None:
        made.timestamp, made.said["timestamp"] = timestamp, stamp
    if body.values.get("environment") is not None:
        made.environment = normalised_environment(body.values["environment"])
        made.said["environment"] = stamp
    for field, name, given in (
        ("comment", "comment", body.text("comment")),
        ("queue_id", "queueId", body.id("queueId")),
    ):
        if name in body.values:  # null empties
            setattr(made, field, given or "")
            made.said[field] = stamp
    made.metadata = body.metadata("metadata")
    made.said |= {f"metadata.{key}": stamp for key in made.metadata}
    return made


def _rules(body: Fields, configs: Configs) -> Rules | None:
    """The config that a score names; whether it may is told later, with the other fields."""
    id = body.id("configId")
    if id is None or body.values.get("dataType") == ScoreType.CORRECTION:
        return None
    if id not in configs:
        raise Missing((*body.path, "configId"), f"there is no score config {id[:100]} in this project.")
    return configs[id]


def _keep_to(rules: Rules, body: Fields, made: Score) -> float:
    """The number that a score which follows a config is stored with."""
    try:
        rules.check_use(made.type)
        return rules.number(made.value, made.string_value)
    except Broken as problem:
        raise body.invalid(problem.field, problem.reason) from None


def _type(body: Fields, rules: Rules | None) -> ScoreType:
    sent = body.text("dataType")
    if sent is not None:
        if sent not in ScoreType.__members__:
            raise body.invalid("dataType", f"must be one of {', '.join(ScoreType)}, not {sent[:100]!r}.")
        return ScoreType(sent)
    if rules is not None:
        return rules.type
    return ScoreType.CATEGORICAL if isinstance(body.values.get("value"), str) else ScoreType.NUMERIC


def _name(body: Fields, kind: ScoreType) -> str:
    name = body.text("name", MAX_NAME)
    if kind is ScoreType.CORRECTION:
        return CORRECTION_NAME
    if not name:
        raise body.invalid("name", "is required: text that is not empty.")
    return name


def _value(body: Fields, kind: ScoreType) -> tuple[float, str]:
    """The number and the text that are stored."""
    value = body.values.get("value")
    if kind is ScoreType.NUMERIC or kind is ScoreType.BOOLEAN:
        number = _number(body, value, kind)
        return (number, "") if kind is ScoreType.NUMERIC else (number, "True" if number else "False")
    if not isinstance(value, str):
        raise body.invalid("value", f"must be text for a {kind} score, not {kind_of(value)}.")
    if kind is ScoreType.TEXT and not 1 <= len(value) <= MAX_TEXT:
        raise body.invalid("value", f"must have 1 to {MAX_TEXT} characters for a TEXT score.")
    return 0.0, value


def _number(body: Fields, value: Any, kind: ScoreType) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise body.invalid("value", f"must be a finite number for a {kind} score, not {kind_of(value)}.")
    if kind is ScoreType.BOOLEAN and value not in (0, 1):
        raise body.invalid("value", "must be 0 or 1 for a BOOLEAN score.")
    return float(value)


def _add_subject(made: Score, body: Fields) -> None:
    """What is judged: exactly one of trace (or an observation of it), session and dataset run."""
    trace, session, run = (body.id(name) for name in _SUBJECTS)
    observation = body.id("observationId")
    if sum(subject is not None for subject in (trace, session, run)) != 1:
        raise body.invalid("traceId", f"exactly one of {', '.join(_SUBJECTS)} is required.")
    if observation is not None and trace is None:
        raise body.invalid("observationId", "needs the traceId of the observation's trace beside it.")
    if made.type is ScoreType.CORRECTION and trace is None:
        raise body.invalid("traceId", "is required: only traces and observations are corrected.")
    made.trace_id, made.observation_id = trace or "", observation or ""
    made.session_id, made.dataset_run_id = session or "", run or ""


def _add_source(made: Score, body: Fields, stamp: int) -> None:
    """Where the judgement comes from, and the config it follows."""
    config = body.id("configId")
    is_correction = made.type is ScoreType.CORRECTION
    if config is not None and is_correction:
        raise body.invalid("configId", "must be absent: a correction follows no config.")
    if "configId" in body.values:
        made.config_id, made.said["config_id"] = config or "", stamp
    source = body.text("source")
    if source is None:
        return
    if source not in SOURCES:
        raise body.invalid("source", f"must be one of {', '.join(SOURCES)}, not {source[:100]!r}.")
    if source == "ANNOTATION" and config is None and not is_correction:
        raise body.invalid("configId", "is required for a score of source ANNOTATION.")
    made.source, made.said["source"] = source, stamp
