"""A batch: bytes in, records and the answer out. Pure."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from apps.core.errors import TooLarge
from apps.ingestion.batch import entities, scores
from apps.ingestion.batch.events import LOG, OBSERVATIONS, SCORE, Event, id_of, in_order, read_event
from apps.ingestion.batch.fields import Invalid, kind_of
from apps.ingestion.batch.scores import Configs
from apps.ingestion.mapping.shapes import Context
from apps.ingestion.otlp import load_json
from apps.tracing.records import Observation, Score

logger = logging.getLogger(__name__)

MAX_EVENTS = 20_000  # of one batch; SDKs send 15 to 100


class NoBatch(Exception):
    """The body is JSON, but holds no array of events; the message says what it holds."""


@dataclass(slots=True)
class Decoded:
    """What a batch comes to. Every event is in one of the two lists, but for logs."""

    observations: list[Observation] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    successes: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    untraced: list[Observation] = field(default_factory=list)  # of `observations`: their event named no trace

    @property
    def answer(self) -> dict[str, Any]:
        """The body of the answer."""
        return {"successes": self.successes, "errors": self.errors}

    def refuse(self, id: str, status: int, message: str, error: str) -> None:
        """Tell that an event was not taken."""
        self.errors.append({"id": id, "status": status, "message": message, "error": error})


def read_batch(body: bytes) -> tuple[list[Any], dict[str, Any]]:
    """Events and metadata of a body. Raises InvalidRequest for no JSON, NoBatch for no array, TooLarge."""
    sent = load_json(body)
    if not isinstance(sent, dict):
        raise NoBatch(f"The body must be an object with an array `batch`, not {kind_of(sent)}.")
    batch, metadata = sent.get("batch"), sent.get("metadata")
    if not isinstance(batch, list):
        raise NoBatch(f"`batch` must be an array of events, not {kind_of(batch)}.")
    if len(batch) > MAX_EVENTS:
        raise TooLarge(
            f"The batch has {len(batch)} events, at most {MAX_EVENTS} are taken at once. Split it."
        )
    return batch, metadata if isinstance(metadata, dict) else {}


def decode(
    batch: list[Any], context: Context, *, scores_only: bool, configs: Configs | None = None
) -> Decoded:
    """Records of all events that can be stored; one that cannot takes none of the others along.

    Scores are held to the score config they name; without `configs` to none.
    """
    decoded = Decoded()
    events = []
    for sent in batch:
        try:
            event = read_event(sent)
        except Invalid as problem:
            decoded.refuse(id_of(sent), 400, str(problem), "InvalidRequestError")
            continue
        if event.type == LOG:
            logger.debug("sdk-log event %s of project %s", event.id, context.project_id)
        elif scores_only and event.type != SCORE:
            decoded.refuse(event.id, 401, _SCORES_ONLY, "UnauthorizedError")
        else:
            events.append(event)
    for event in in_order(events):
        try:
            take(event, context, decoded, configs)
        except Invalid as problem:
            decoded.refuse(event.id, problem.status, str(problem), problem.error)
        except RecursionError:
            decoded.refuse(event.id, 400, "body: is nested too deep to be stored.", "InvalidRequestError")
        else:
            decoded.successes.append({"id": event.id, "status": 201})
    _name_traces(decoded)
    return decoded


_SCORES_ONLY = "A public key alone writes scores only. Use Basic auth with the secret key for other events."


def take(
    event: Event, context: Context, decoded: Decoded | None = None, configs: Configs | None = None
) -> Decoded:
    """Add the record of one event. Raises Invalid, naming the field."""
    decoded = Decoded() if decoded is None else decoded
    if event.type == SCORE:
        decoded.scores.append(scores.from_event(event, context, configs))
    elif event.type in OBSERVATIONS:
        observation = entities.observation(event, context)
        decoded.observations.append(observation)
        if not event.body.values.get("traceId"):
            decoded.untraced.append(observation)
    else:
        decoded.observations.append(entities.trace(event, context))
    return decoded


def _name_traces(decoded: Decoded) -> None:
    """Events that name no trace belong to that of the others of their observation."""
    if not decoded.untraced:
        return
    named = {o.id: o.trace_id for o in reversed(decoded.observations) if o.id and o.trace_id != o.id}
    place_in_traces(decoded.untraced, named)
    decoded.untraced = [o for o in decoded.untraced if o.trace_id == o.id]


def place_in_traces(untraced: list[Observation], traces: dict[str, str]) -> None:
    """Set the trace of each observation that is known (observation -> trace)."""
    for observation in untraced:
        observation.trace_id = traces.get(observation.id, observation.trace_id)
