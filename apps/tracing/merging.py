"""Several arrivals of one observation as one row. Pure."""

from __future__ import annotations

from dataclasses import replace

from apps.tracing import growth, pieces, registers
from apps.tracing.records import Level, Observation, ObservationType, TraceFacts
from apps.tracing.stored import MAX_ARRIVALS, Stored, prepare

_TEXTS = (
    "name", "status_message", "version", "release", "input", "output", "model", "model_parameters",
    "parent_id", "api_key_id", "source", "sdk_name", "sdk_version", "service_name", "host_name",
    "attributes",
)  # fmt: skip
_WHOLE_MAPS = ("usage", "provided_cost", "experiment")
_FACTS = ("name", "user_id", "session_id", "release", "version", "input", "output")


def merge(older: Stored, newer: Stored) -> Stored:
    """Both arrivals as one row, without prices (see `costs.settle`); `older` with its content.

    Whole spans: what came later wins where it says something. Records of events and pieces of spans: the
    same row in any order, as far as rows may grow. Neither is changed.
    """
    arrivals = _remember(older.arrivals, newer.arrivals)
    first = without_estimate(older.observation)
    merged = _merge(first, newer.observation)
    if growth.is_too_large(merged):
        merged = _merge(first, growth.without_additions(newer.observation))
        merged.metadata = growth.marked(merged.metadata)
    if older.observation.is_estimated:
        _keep_estimate(merged, older.observation)
    return prepare(merged, arrivals)


def _merge(first: Observation, second: Observation) -> Observation:
    if not pieces.has_pieces(first) and not pieces.has_pieces(second):
        return _merge_wholes(first, second)
    (whole, piece), (other_whole, other_piece) = pieces.part(first), pieces.part(second)
    if piece and other_piece:
        piece = pieces.join(piece, other_piece)
    if whole and other_whole:
        whole = _merge_wholes(whole, other_whole)
    whole, piece = whole or other_whole, piece or other_piece
    if whole is None or piece is None:
        merged = whole or piece
        assert merged is not None
        return merged
    return pieces.fill(whole, piece)


def replaced(older: Stored, mapped: Stored) -> Stored:
    """A row as it is mapped now in the place of the stored one, which keeps its arrivals and its pieces."""
    row, piece = mapped.observation, pieces.part(older.observation)[1]
    if older.observation.is_partial:
        return prepare(pieces.copy(older.observation), older.arrivals)
    whole = pieces.part(row)[0] or row
    made = pieces.fill(whole, piece) if piece else pieces.copy(whole)
    made.received_at = older.observation.received_at
    if older.observation.is_estimated:
        _keep_estimate(made, older.observation)
    return prepare(made, older.arrivals)


def without_estimate(row: Observation) -> Observation:
    """What was said, without the usage that we estimated: it must not stand beside what a sender measured."""
    return replace(row, usage={}, is_estimated=False) if row.is_estimated else row


def _keep_estimate(merged: Observation, estimated: Observation) -> None:
    """The estimate holds as long as nobody gave usage or cost and what was counted is the same; otherwise
    it is made anew (`costing.estimates`)."""
    counted, now = ((o.model, o.input, o.output) for o in (estimated, merged))
    if not merged.usage and not merged.provided_cost and counted == now:
        merged.usage, merged.is_estimated = estimated.usage, True


def _merge_wholes(first: Observation, second: Observation) -> Observation:
    return registers.join(first, second) if first.said or second.said else _later(first, second)


def _later(first: Observation, second: Observation) -> Observation:
    """Second thoughts on a span: given values win, but first ones hold for what other things hang on."""
    merged = Observation(
        project_id=first.project_id,
        trace_id=first.trace_id,
        id=first.id,
        start_time=first.start_time,
        end_time=first.end_time if second.end_time is None else second.end_time,
        completion_start_time=(
            first.completion_start_time
            if second.completion_start_time is None
            else second.completion_start_time
        ),
        type=first.type if second.type == ObservationType.SPAN else second.type,
        level=first.level if second.level == Level.DEFAULT else second.level,
        environment=first.environment,
        metadata={**first.metadata, **second.metadata},
        is_root=_is_root(first, second),
        is_app_root=first.is_app_root or second.is_app_root,
        is_entry=first.is_entry or second.is_entry,
        is_infrastructure=second.is_infrastructure,
        trace=_merge_facts(first.trace, second.trace),
        received_at=first.received_at,
    )
    for name in (*_TEXTS, *_WHOLE_MAPS):
        setattr(merged, name, getattr(second, name) or getattr(first, name))
    named = second if second.prompt_name else first
    merged.prompt_name, merged.prompt_version = named.prompt_name, named.prompt_version
    return merged


def _remember(older: tuple[int, ...], newer: tuple[int, ...]) -> tuple[int, ...]:
    return (*older, *(arrival for arrival in newer if arrival not in older))[-MAX_ARRIVALS:]


def _is_root(first: Observation, second: Observation) -> bool:
    # A later arrival that names no parent says nothing against the parent named before.
    return first.is_root if first.parent_id and not second.parent_id else second.is_root


def _merge_facts(first: TraceFacts, second: TraceFacts) -> TraceFacts:
    merged = TraceFacts(
        tags=sorted({*(first.tags or ()), *(second.tags or ())}) or None,
        public=first.public if second.public is None else second.public,
        metadata={**(first.metadata or {}), **(second.metadata or {})} or None,
    )
    for name in _FACTS:
        setattr(merged, name, getattr(second, name) or getattr(first, name))
    return merged
