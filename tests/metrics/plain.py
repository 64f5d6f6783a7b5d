"""The metrics query language once more, slowly and plainly: over Python objects, to compare with.

Rows are made at random, kept as dictionaries, and stored through the writer. An answer is computed from the
dictionaries alone.
"""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson

from apps.tracing.records import Level, Observation, ObservationType, Score, ScoreType, TraceFacts
from tests.metrics.rows import DAY, HOUR, MONDAY, store

Item = dict[str, Any]
SPAN = 4 * DAY  # the days of the rows


@dataclass(slots=True)
class Rows:
    """What there is: traces with their observations, and scores."""

    traces: list[Item] = field(default_factory=list)
    observations: list[Item] = field(default_factory=list)  # `trace` is theirs
    scores: list[Item] = field(default_factory=list)  # `trace` and `observation` are theirs, or None


# --- rows -------------------------------------------------------------------------------------------------


def make(draw: random.Random, traces: int = 40, scores: int = 80) -> Rows:
    """Rows at random; a trace in ten has no observation."""
    rows = Rows()
    for number in range(traces):
        _trace(draw, number, rows)
    for number in range(scores):
        _score(draw, number, rows)
    return rows


def _trace(draw: random.Random, number: int, rows: Rows) -> None:
    start = MONDAY + draw.randrange(SPAN)
    trace = {
        "id": f"t{number}",
        "timestamp": start,
        "name": draw.choice(["ask", "sum up", "Ask"]),
        "user": draw.choice(["", "ann", "bob", "ann's"]),
        "session": draw.choice(["", "s1", "s2"]),
        "tags": sorted(draw.sample(["a", "b", "c"], draw.randrange(4))),
        "release": draw.choice(["", "r1"]),
        "version": draw.choice(["", "v1", "v2"]),
        "environment": draw.choice(["default", "prod"]),
        "observations": [],
    }
    rows.traces.append(trace)
    for place in range(0 if number % 10 == 9 else draw.randrange(1, 6)):
        item = _observation(draw, trace, place)
        trace["observations"].append(item)
        rows.observations.append(item)


def _observation(draw: random.Random, trace: Item, place: int) -> Item:
    start = trace["timestamp"] + (draw.randrange(3 * HOUR) if place else 0)
    end = None if draw.random() < 0.2 else start + draw.randrange(6_000_000)
    usage = {
        kind: draw.randrange(500)
        for kind in ("input", "output", "input_cached", "other")
        if draw.random() < 0.6
    }
    if usage and draw.random() < 0.8:
        usage["total"] = sum(usage.values())
    cost = {
        kind: Decimal(draw.randrange(10**6)) / 10**6 for kind in ("input", "output") if draw.random() < 0.5
    }
    return {
        "id": f"{trace['id']}-o{place}",
        "trace": trace,
        "root": place == 0,
        "parent": "" if place == 0 else f"{trace['id']}-o0",
        "name": draw.choice(["chat", "search", "answer"]),
        "type": draw.choice([ObservationType.GENERATION, ObservationType.TOOL, ObservationType.SPAN]),
        "level": draw.choice([Level.DEFAULT, Level.ERROR]),
        "environment": trace["environment"] if place == 0 else draw.choice(["default", "prod"]),
        "version": draw.choice(["", "v1"]),
        "release": draw.choice(["", "r9"]),
        "model": draw.choice(["", "gpt-5", "claude"]),
        "prompt": draw.choice(["", "greet"]),
        "prompt_version": draw.choice([None, 1, 2]),
        "start": start,
        "end": end,
        "first_token": None if draw.random() < 0.5 else start + draw.randrange(2_000_000),
        "usage": usage,
        "cost": cost,
        "total_cost": sum(cost.values(), Decimal(0)) if cost else None,
        "tools": draw.sample(["find", "buy"], draw.randrange(3)),
        "called": draw.choices(["find", "buy"], k=draw.randrange(4)),
        "scores": [],
    }


def _score(draw: random.Random, number: int, rows: Rows) -> None:
    observation = draw.choice(rows.observations) if draw.random() < 0.5 else None
    trace = observation["trace"] if observation else draw.choice([*rows.traces, None])
    type_ = draw.choice(list(ScoreType))
    value = draw.choice([0.0, 1.0, 1.0]) if type_ is ScoreType.BOOLEAN else round(draw.uniform(-5, 5), 3)
    item = {
        "id": f"c{number}",
        "timestamp": MONDAY + draw.randrange(SPAN),
        "name": draw.choice(["thumbs", "tone"]),
        "type": type_,
        "value": value,
        "string": draw.choice(["good", "bad"]),
        "source": draw.choice(["API", "EVAL"]),
        "environment": draw.choice(["default", "prod"]),
        "config": draw.choice(["", "k1"]),
        "evaluator": draw.choice(["", "e1"]),
        "session": draw.choice(["", "s1"]),
        "run": draw.choice(["", "run1"]),
        "trace": trace,
        "observation": observation,
    }
    rows.scores.append(item)
    if trace:
        trace.setdefault("scores", []).append(item)
    if observation:
        observation["scores"].append(item)


def write(project: str, rows: Rows) -> None:
    """Store them; what a trace says comes with its last observation, or by itself."""
    records: list[Observation | Score] = []
    for trace in rows.traces:
        facts = TraceFacts(
            name=trace["name"], user_id=trace["user"] or None, session_id=trace["session"] or None,
            tags=trace["tags"] or None, release=trace["release"] or None, version=trace["version"] or None,
        )  # fmt: skip
        items = trace["observations"]
        records += [_stored(project, item, facts if item is items[-1] else TraceFacts()) for item in items]
        if not items:
            records.append(
                Observation(
                    project, trace["id"], "", trace["timestamp"],
                    environment=trace["environment"], trace=facts,
                )
            )  # fmt: skip
    store(*records, *(_stored_score(project, item) for item in rows.scores))


def _stored(project: str, item: Item, facts: TraceFacts) -> Observation:
    return Observation(
        project, item["trace"]["id"], item["id"], item["start"],
        end_time=item["end"], completion_start_time=item["first_token"], parent_id=item["parent"],
        is_root=item["root"], name=item["name"], type=item["type"], level=item["level"],
        environment=item["environment"], version=item["version"], release=item["release"],
        model=item["model"], prompt_name=item["prompt"], prompt_version=item["prompt_version"],
        input=_offer(item["tools"]), output=_calls(item["called"]),
        usage=dict(item["usage"]), cost=dict(item["cost"]), total_cost=item["total_cost"], trace=facts,
    )  # fmt: skip


def _offer(tools: list[str]) -> str:
    functions = [{"type": "function", "function": {"name": name}} for name in tools]
    return orjson.dumps({"messages": [{"role": "user", "content": "go"}], "tools": functions}).decode()


def _calls(called: list[str]) -> str:
    functions = [
        {"id": str(place), "type": "function", "function": {"name": name, "arguments": "{}"}}
        for place, name in enumerate(called)
    ]
    return orjson.dumps({"role": "assistant", "content": "", "tool_calls": functions}).decode()


def _stored_score(project: str, item: Item) -> Score:
    trace, observation = item["trace"], item["observation"]
    return Score(
        project, item["id"], item["name"], item["timestamp"], type=item["type"], value=item["value"],
        string_value=item["string"], source=item["source"], environment=item["environment"],
        config_id=item["config"], session_id=item["session"], dataset_run_id=item["run"],
        metadata={"evaluatorId": item["evaluator"]} if item["evaluator"] else {},
        trace_id=trace["id"] if trace else "", observation_id=observation["id"] if observation else "",
    )  # fmt: skip


# --- what can be asked --------------------------------------------------------------------------------------

Value = Callable[[Item], Any]


def _day(micros: int) -> datetime:
    return datetime.fromtimestamp(micros // 1_000_000, UTC)


def _matching(pairs: Item, word: str) -> Any:
    return sum(amount for kind, amount in pairs.items() if word in kind)


def _between(start: str, end: str) -> Value:
    return lambda o: None if None in (o[start], o[end]) else math.trunc((o[end] - o[start]) / 1000)


def _rate(count: Value, start: str) -> Value:
    def rate(o: Item) -> float | None:
        if None in (o[start], o["end"]):
            return None
        seconds = o["end"] // 1_000_000 - o[start] // 1_000_000
        return count(o) / seconds if seconds > 0 else None

    return rate


def _tokens(o: Item) -> int:
    usage = o["usage"]
    return usage["total"] if "total" in usage else sum(usage.values())


def _trace_latency(t: Item) -> int:
    last = max(max(o["end"] or 0, o["start"]) for o in t["observations"])
    return (last - min(o["start"] for o in t["observations"])) // 1000


def _trace_cost(t: Item) -> Decimal | None:
    known = [o["total_cost"] for o in t["observations"] if o["total_cost"] is not None]
    return sum(known, Decimal(0)) if known else None


def _month(name: str) -> Value:
    return lambda item: _day(item[name]).strftime("%Y-%m")


def _get(*path: str) -> Value:
    """A field of the item, or of what it belongs to."""

    def get(item: Item) -> Any:
        for name in path:
            item = item[name]
        return item

    return get


OF_TRACE: dict[str, Value] = {
    "traceName": _get("trace", "name"), "tags": _get("trace", "tags"), "userId": _get("trace", "user"),
    "sessionId": _get("trace", "session"), "traceRelease": _get("trace", "release"),
    "traceVersion": _get("trace", "version"),
}  # fmt: skip
OF_OBSERVATION: dict[str, Value] = {
    "observationName": _get("observation", "name"), "observationModelName": _get("observation", "model"),
    "observationPromptName": _get("observation", "prompt"),
    "observationPromptVersion": _get("observation", "prompt_version"),
}  # fmt: skip
_OF_SCORE: dict[str, Value] = {
    "id": _get("id"), "environment": _get("environment"), "name": _get("name"), "source": _get("source"),
    "dataType": lambda s: s["type"].value, "traceId": lambda s: s["trace"]["id"] if s["trace"] else "",
    "configId": _get("config"), "timestampMonth": _month("timestamp"),
    "timestampDay": lambda s: _day(s["timestamp"]).strftime("%Y-%m-%d"),
    "observationId": lambda s: s["observation"]["id"] if s["observation"] else "",
    "evaluatorId": _get("evaluator"), **OF_TRACE, **OF_OBSERVATION,
}  # fmt: skip

DIMENSIONS: dict[str, dict[str, Value]] = {
    "traces": {
        "id": _get("id"), "name": _get("name"), "tags": _get("tags"), "userId": _get("user"),
        "sessionId": _get("session"), "release": _get("release"), "version": _get("version"),
        "environment": _get("environment"), "timestampMonth": _month("timestamp"),
    },
    "observations": {
        "id": _get("id"), "traceId": _get("trace", "id"), **OF_TRACE, "environment": _get("environment"),
        "parentObservationId": _get("parent"), "type": lambda o: o["type"].value, "name": _get("name"),
        "level": lambda o: o["level"].value, "version": _get("version"), "providedModelName": _get("model"),
        "promptName": _get("prompt"), "promptVersion": _get("prompt_version"),
        "startTimeMonth": _month("start"), "toolNames": _get("tools"), "calledToolNames": _get("called"),
    },
    "scores-numeric": {**_OF_SCORE, "value": _get("value")},
    "scores-categorical": {**_OF_SCORE, "stringValue": _get("string")},
    "scores-boolean": {**_OF_SCORE, "booleanValue": lambda s: s["value"] == 1},
}  # fmt: skip
_OF_SCORE_V2 = {"sessionId": _get("session"), "datasetRunId": _get("run")}
DIMENSIONS_V2: dict[str, dict[str, Value]] = {
    "observations": {
        **DIMENSIONS["observations"], "isRootObservation": _get("root"), "release": _get("release"),
    },
    **{
        view: {**dimensions, **_OF_SCORE_V2} for view, dimensions in DIMENSIONS.items() if "scores" in view
    },
}  # fmt: skip

_one: Value = lambda _: 1  # noqa: E731
MEASURES: dict[str, dict[str, Value]] = {
    "traces": {
        "count": _one, "observationsCount": lambda t: len(t["observations"]),
        "scoresCount": lambda t: len(t["scores"]), "uniqueUserIds": lambda t: int(t["user"] != ""),
        "uniqueSessionIds": lambda t: int(t["session"] != ""), "latency": _trace_latency,
        "totalTokens": lambda t: sum(map(_tokens, t["observations"])), "totalCost": _trace_cost,
    },
    "observations": {
        "count": _one, "latency": _between("start", "end"),
        "streamingLatency": _between("first_token", "end"),
        "timeToFirstToken": _between("start", "first_token"),
        "inputTokens": lambda o: _matching(o["usage"], "input"),
        "outputTokens": lambda o: _matching(o["usage"], "output"), "totalTokens": _tokens,
        "outputTokensPerSecond": _rate(lambda o: _matching(o["usage"], "output"), "first_token"),
        "tokensPerSecond": _rate(_tokens, "start"), "inputCost": lambda o: _matching(o["cost"], "input"),
        "outputCost": lambda o: _matching(o["cost"], "output"), "totalCost": _get("total_cost"),
        "countScores": lambda o: len(o["scores"]), "toolDefinitions": lambda o: len(o["tools"]) or None,
        "toolCalls": lambda o: len(o["called"]) or None,
    },
    "scores-numeric": {"count": _one, "value": _get("value")},
    "scores-categorical": {"count": _one},
    "scores-boolean": {"count": _one, "value": _get("value")},
}  # fmt: skip
_TEXTS: dict[str, Value] = {
    "traceId": _get("trace", "id"),
    "uniqueUserIds": lambda o: o["trace"]["user"] or None,
    "uniqueSessionIds": lambda o: o["trace"]["session"] or None,
}
MEASURES_V2 = {**MEASURES, "observations": {**MEASURES["observations"], **_TEXTS}}
# What `uniq` counts where the measure itself is a number: of a trace, that is.
_UNIQUE: dict[str, Value] = {
    "uniqueUserIds": lambda t: t["user"] or None,
    "uniqueSessionIds": lambda t: t["session"] or None,
}

_TYPES = {
    "scores-numeric": (ScoreType.NUMERIC, ScoreType.BOOLEAN),
    "scores-categorical": (ScoreType.CATEGORICAL,),
    "scores-boolean": (ScoreType.BOOLEAN,),
}
_OBSERVED = {"observationsCount", "latency", "totalTokens", "totalCost"}  # of traces


# --- answering ----------------------------------------------------------------------------------------------


def chosen(rows: Rows, question: Item, first: int, last: int, dimensions: dict[str, Value]) -> list[Item]:
    """The rows of the view that count."""
    view = question["view"]
    time = "start" if view == "observations" else "timestamp"
    items = {"traces": rows.traces, "observations": rows.observations}.get(view)
    if items is None:
        items = [score for score in rows.scores if score["type"] in _TYPES[view]]
    items = [item for item in items if first <= item[time] <= last]
    named = {each["field"] for each in question["dimensions"]}
    named |= {each["column"] for each in question["filters"]}
    measures = {each["measure"] for each in question["metrics"]}
    if view == "traces" and measures & _OBSERVED:
        items = [item for item in items if item["observations"]]
    if measures & {"scoresCount", "countScores"}:
        items = [item for item in items if item.get("scores")]
    if view.startswith("scores"):
        if any(name in OF_TRACE and dimensions[name] is OF_TRACE[name] for name in named):
            items = [item for item in items if item["trace"]]
        if named & OF_OBSERVATION.keys():
            items = [item for item in items if item["observation"]]
    return [item for item in items if all(passes(item, each, dimensions) for each in question["filters"])]


def passes(item: Item, condition: Item, dimensions: dict[str, Value]) -> bool:
    """Whether a condition holds."""
    value, asked = dimensions[condition["column"]](item), condition["value"]
    found = {
        "=": lambda: value == asked,
        "<>": lambda: value != asked,
        ">": lambda: value is not None and value > asked,
        "<=": lambda: value is not None and value <= asked,
        "contains": lambda: asked in value,
        "does not contain": lambda: asked not in value,
        "starts with": lambda: value.startswith(asked),
        "ends with": lambda: value.endswith(asked),
        "any of": lambda: bool(_set(value) & set(asked)),
        "none of": lambda: not _set(value) & set(asked),
        "all of": lambda: _set(value) >= set(asked),
        "is null": lambda: value in ("", None, []),
        "is not null": lambda: value not in ("", None, []),
    }
    return found[condition["operator"]]()


def _set(value: Any) -> set[Any]:
    return set(value) if isinstance(value, list) else {value}


def groups(
    items: Iterable[Item], question: Item, dimensions: dict[str, Value], granularity: str | None
) -> dict[tuple[Any, ...], list[Item]]:
    """The rows by bucket and dimensions, as an answer tells these."""
    time = "start" if question["view"] == "observations" else "timestamp"
    found: dict[tuple[Any, ...], list[Item]] = {}
    if not question["dimensions"] and granularity is None:
        found[()] = []  # there even when nothing is
    for item in items:
        parts = [[bucket(granularity, item[time])]] if granularity else []
        parts += [_told(each["field"], dimensions[each["field"]](item)) for each in question["dimensions"]]
        for key in itertools.product(*parts):
            found.setdefault(key, []).append(item)
    return found


def _told(name: str, value: Any) -> list[Any]:
    """The groups that a row with this value is in."""
    if name in ("toolNames", "calledToolNames"):
        return sorted(set(value))
    return [tuple(value) if isinstance(value, list) else None if value == "" else value]


def bucket(granularity: str, micros: int) -> str:
    """The bucket of a moment, as told."""
    moment = _day(micros)
    match granularity:
        case "minute":
            return moment.strftime("%Y-%m-%dT%H:%M:00.000Z")
        case "hour":
            return moment.strftime("%Y-%m-%dT%H:00:00.000Z")
        case "week":
            moment -= timedelta(moment.weekday())
        case "month":
            moment = moment.replace(day=1)
    return moment.strftime("%Y-%m-%d")


def check(value: Any, metric: Item, items: list[Item], measures: dict[str, Value], bins: int) -> None:
    """Assert that this is the metric over these rows."""
    aggregation, measure = metric["aggregation"], metric["measure"]
    get = measures[measure]
    if aggregation == "uniq" and measures is MEASURES["traces"]:
        get = _UNIQUE.get(measure, get)
    values = [found for item in items if (found := get(item)) is not None]
    if aggregation == "count":
        assert value == len(values)
    elif aggregation == "uniq":
        assert value == len(set(values))
    elif aggregation == "histogram":
        _check_histogram(value, values, bins)
    elif aggregation == "sum" and not values:
        assert not value  # 0 or null
    elif not values:
        assert value is None
    elif aggregation in ("sum", "avg", "max", "min"):
        plain = {"sum": sum, "avg": statistics.mean, "max": max, "min": min}[aggregation](values)
        assert math.isclose(value, plain, rel_tol=1e-9, abs_tol=1e-9), (metric, value, plain)
    else:
        _check_quantile(value, values, int(aggregation[1:]) / 100)


def _check_quantile(value: float, values: list[Any], level: float) -> None:
    """Approximate: no farther away than the next value on each side."""
    ordered = sorted(map(float, values))
    place = level * (len(ordered) - 1)
    low = ordered[max(math.floor(place) - 1, 0)]
    high = ordered[min(math.ceil(place) + 1, len(ordered) - 1)]
    slack = 1e-5 * max(abs(low), abs(high), 1e-9)  # it keeps values as short floats
    assert low - slack <= value <= high + slack, (level, ordered, value)


def _check_histogram(bars: list[list[float]], values: list[Any], bins: int) -> None:
    assert len(bars) <= bins
    assert math.isclose(sum(height for _, _, height in bars), len(values), abs_tol=1e-6)
    if values:
        low, high = float(min(values)), float(max(values))
        assert all(low - 1e-6 <= left <= right <= high + 1e-6 for left, right, _ in bars)
