"""Requests of the JSON protocol: an unpacked body in, records to store and the answer out. In a thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.core.clock import now_micros
from apps.core.errors import InvalidRequest, NotFound
from apps.core.ids import new_id
from apps.ingestion.batch import decode, scores, strays
from apps.ingestion.batch.events import Event
from apps.ingestion.batch.fields import MAX_NAME, Fields, Invalid, Missing, kind_of
from apps.ingestion.mapping.shapes import Context, Sender
from apps.ingestion.otlp import load_json
from apps.organizations.authentication import Access
from apps.tracing import repository
from apps.tracing.costs import add_prices
from apps.tracing.records import Observation, Score
from apps.tracing.score_configs.services import find_rules

MAX_SCORES = 10_000  # of one array; SDK 5 sends bodies of a megabyte at most

_OLD_NAMES = {"prompt": "input", "completion": "output"}  # of generations, before 2.0


@dataclass(frozen=True, slots=True)
class Body:
    """What arrived, unpacked, and who sent it."""

    content: bytes
    headers: Mapping[str, str]
    access: Access
    project_id: str

    def context(self, metadata: Mapping[str, Any]) -> Context:
        """What the request gives to each record; a batch may name its client in `metadata`."""

        def named(header: str, key: str) -> str:
            sent = self.headers.get(header) or metadata.get(key)
            return sent[:MAX_NAME] if isinstance(sent, str) else ""

        name = named("x-langfuse-sdk-name", "sdk_name").lower()
        sender = Sender(name, named("x-langfuse-sdk-version", "sdk_version"))
        return Context(
            self.project_id, received_at=now_micros(), api_key_id=self.access.key_id, sender=sender
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a request comes to: records to store, and the answer once they are."""

    records: Sequence[Observation | Score]
    status: int
    answer: dict[str, Any]
    refused: Sequence[str] = ()  # why the others are not among the records
    homes: Mapping[str, str] = field(default_factory=dict)  # traces of observations that stand elsewhere


Prepare = Callable[[Body], Prepared]


class InvalidBody(InvalidRequest):
    """400: fields that cannot be taken, listed."""

    def __init__(self, problem: Invalid) -> None:
        super().__init__(str(problem))
        self.issues = [problem.issue]

    def body(self) -> dict[str, object]:
        """The shape of schema violations."""
        return {"message": "Invalid request data", "error": self.issues}


def batch(body: Body) -> Prepared:
    """POST /api/public/ingestion."""
    try:
        events, metadata = decode.read_batch(body.content)
    except decode.NoBatch as problem:
        raise InvalidRequest(str(problem)) from None
    context = body.context(metadata)
    configs = find_rules(body.project_id, scores.configs_named(scores.bodies_in(events)))
    scores_only = body.access.kind == "public"
    decoded = decode.decode(events, context, scores_only=scores_only, configs=configs)
    homes = _place_in_traces(decoded, body.project_id)
    add_prices(decoded.observations)
    refused = [error["message"] for error in decoded.errors]
    return Prepared([*decoded.observations, *decoded.scores], 207, decoded.answer, refused, homes)


def single(kind: str, id_field: str = "id") -> Prepare:
    """Answers the paths of the oldest clients, which send one entity a request: as an event of now.

    `id_field` names the entity of an update; a new one needs no id.
    """

    def prepare(body: Body) -> Prepared:
        sent = load_json(body.content)
        context = body.context({})
        try:
            values = dict(Fields(sent).values)
            for old, new in _OLD_NAMES.items():
                if old in values:
                    values.setdefault(new, values[old])
            if kind.endswith("-update"):
                values["id"] = Fields(sent).required_id(id_field)
            elif not values.get("id"):
                values["id"] = new_id()
            event = Event(new_id(), kind, context.received_at, Fields(values))
            decoded = decode.take(event, context)
        except Invalid as problem:
            raise InvalidBody(problem) from None
        except RecursionError:
            raise InvalidRequest("The body is nested too deep to be stored.") from None
        homes = _place_in_traces(decoded, body.project_id)
        add_prices(decoded.observations)
        return Prepared(decoded.observations, 200, {"id": values["id"]}, homes=homes)

    return prepare


def _place_in_traces(decoded: decode.Decoded, project_id: str) -> dict[str, str]:
    """Observations whose event named no trace go where they are stored already. The traces, by observation,
    of those that are stored elsewhere because nobody had named theirs."""
    if decoded.untraced:
        ids = [observation.id for observation in decoded.untraced]
        decode.place_in_traces(decoded.untraced, repository.traces_of(project_id, ids))
        strays.note(project_id, [o for o in decoded.untraced if o.trace_id == o.id])
    return strays.homes(project_id, decoded.observations)


def post_scores(body: Body) -> Prepared:
    """POST /api/public/scores: an object answers with its id, an array with what of it was accepted."""
    sent = load_json(body.content)
    context = body.context({})
    items = sent if isinstance(sent, list) else [sent]
    configs = find_rules(body.project_id, scores.configs_named(items[:MAX_SCORES]))
    if not isinstance(sent, list):
        try:
            made = _score(sent, context, configs, 0)
        except Missing as problem:
            raise NotFound(str(problem)) from None
        except Invalid as problem:
            raise InvalidBody(problem) from None
        return Prepared([made], 200, {"id": made.id})
    accepted: list[Score] = []
    errors: list[dict[str, str]] = []
    for place, item in enumerate(sent):
        try:
            if place >= MAX_SCORES:
                raise Invalid(
                    (place,), f"at most {MAX_SCORES} scores are taken at once; send the rest again."
                )
            accepted.append(_score(item, context, configs, place, place))
        except Invalid as problem:
            errors.append({"message": str(problem)})
    if not errors:
        return Prepared(accepted, 202, {"message": "Accepted"})
    answer = {"accepted": len(accepted), "rejected": len(errors), "errors": errors}
    return Prepared(accepted, 207, answer, [error["message"] for error in errors])


def _score(sent: Any, context: Context, configs: scores.Configs, place: int, *path: int) -> Score:
    """A score that no event dates: of two of one id the one received later speaks."""
    if not isinstance(sent, dict):
        raise Invalid(path, f"a score must be an object, not {kind_of(sent)}.")
    try:
        return scores.score(
            Fields(sent, *path),
            context,
            stamp=2 * (context.received_at + place),
            time=context.received_at,
            configs=configs,
        )
    except RecursionError:
        raise Invalid(path, "is nested too deep to be stored.") from None
