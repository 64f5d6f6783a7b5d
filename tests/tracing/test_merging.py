"""Merging: any order, any grouping and any repetition of what was told makes the same row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from decimal import Decimal
from functools import reduce
from itertools import permutations
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.tracing.growth import LEFT_OUT
from apps.tracing.merging import merge
from apps.tracing.pieces import settled
from apps.tracing.records import Level, Observation, ObservationType, TraceFacts
from apps.tracing.stored import Stored, prepare

TEXTS = st.sampled_from(["", "a", "b", '{"x": 1}'])
JSON = st.recursive(
    st.sampled_from([1, 2, "t", None, True, [1], [{"x": 1}]]),
    lambda inner: st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=5,
)
STAMPS = st.integers(0, 9)


def record(**fields: Any) -> Observation:
    return Observation(**{"project_id": "p", "trace_id": "t", "id": "s", "start_time": 5, **fields})


@st.composite
def events(draw: st.DrawFn) -> Observation:
    """One event of a legacy batch: what it says is stamped, nulls too."""
    stamp = draw(STAMPS)
    made = record(start_time=draw(st.integers(1, 3)), received_at=draw(st.integers(1, 3)))
    made.said = {"start_time": stamp, "environment": stamp, "type": stamp}
    made.environment = draw(st.sampled_from(["default", "prod"]))
    made.type = draw(st.sampled_from([ObservationType.SPAN, ObservationType.GENERATION]))
    for name in draw(st.sets(st.sampled_from(["name", "model", "output", "parent_id", "status_message"]))):
        setattr(made, name, draw(TEXTS))
        made.said[name] = stamp
    for name in draw(st.sets(st.sampled_from(["user_id", "session_id", "input"]))):
        setattr(made.trace, name, draw(st.sampled_from([None, "u", "v"])))
        made.said[f"trace.{name}"] = stamp
    if draw(st.booleans()):
        made.trace.public, made.said["trace.public"] = draw(st.booleans()), stamp
    if draw(st.booleans()):
        made.level, made.said["level"] = draw(st.sampled_from(list(Level))), stamp
    if usage := draw(st.dictionaries(st.sampled_from(["input", "output"]), st.integers(0, 3))):
        made.usage, made.said["usage"] = usage, stamp
    if cost := draw(st.dictionaries(st.just("total"), st.sampled_from([Decimal(1), Decimal("0.5")]))):
        made.provided_cost, made.said["provided_cost"] = cost, stamp
    for key, value in draw(st.dictionaries(st.sampled_from(["k", "k.x", "m"]), JSON)).items():
        made.metadata[key] = value if isinstance(value, str) else orjson.dumps(value).decode()
        made.said[f"metadata.{key}"] = stamp
    if draw(st.booleans()):
        prompts = [("", None), ("p", 1), ("p", 2), ("q", 1)]
        made.prompt_name, made.prompt_version = draw(st.sampled_from(prompts))
        made.said["prompt_name"] = stamp
    told = [{"name": "span-update", "id": draw(TEXTS), "time": "2026-01-01T00:00:00Z"}]
    made.attributes = orjson.dumps({"events": told}).decode()
    made.trace.tags = draw(st.none() | st.lists(st.sampled_from("abc"), max_size=2))
    return made


@st.composite
def log_pieces(draw: st.DrawFn) -> Observation:
    """Log events of one request, about one span."""
    names = ["gen_ai.user.message", "gen_ai.choice", "gen_ai.system.message", "other"]
    logs = [
        {
            "name": draw(st.sampled_from(names)),
            "time": draw(st.integers(1, 3)),
            "body": {"content": draw(TEXTS)},
        }
        for _ in range(draw(st.integers(1, 3)))
    ]
    text = orjson.dumps({"logs": logs, "resource": {"r": draw(TEXTS)}}).decode()
    made = record(start_time=draw(st.integers(1, 9)), is_partial=True, attributes=text)
    made.service_name, made.model = draw(TEXTS), draw(TEXTS)
    made.metadata = draw(st.dictionaries(st.sampled_from("kl"), TEXTS, max_size=2))
    return made


def same(stored: Stored) -> dict[str, Any]:
    """What must be equal: everything but the order of arrival."""
    values = {field.name: getattr(stored, field.name) for field in fields(stored)}
    values["arrivals"] = sorted(stored.arrivals)
    said = stored.observation.trace
    facts = replace(
        said, **{name: getattr(said, name) or None for name in ("user_id", "session_id", "input")}
    )
    facts.tags = sorted(set(said.tags or ())) or None
    facts.metadata = said.metadata or None
    values["observation"] = replace(stored.observation, trace=facts)
    return values


def arrived(observation: Observation) -> Stored:
    copy = replace(observation, trace=replace(observation.trace))
    return prepare(settled(copy) if copy.is_partial else copy)


def merged(observations: Sequence[Observation]) -> Stored:
    return reduce(merge, map(arrived, observations))


@given(st.lists(events(), min_size=2, max_size=4), st.data())
@settings(max_examples=100, deadline=None)
def test_events_in_any_order_make_one_row(told: list[Observation], data: st.DataObject) -> None:
    once = same(merged(told))
    for order in permutations(told):
        assert same(merged(order)) == once
    again = data.draw(st.lists(st.sampled_from(told), max_size=4))
    assert same(merged([*told, *again])) == once
    middle = data.draw(st.integers(1, len(told) - 1))
    parts = merge(merged(told[:middle]), merged(told[middle:]))
    assert same(parts) == once


@given(st.lists(log_pieces(), min_size=1, max_size=3), TEXTS, TEXTS, st.data())
@settings(max_examples=100, deadline=None)
def test_a_span_and_its_pieces_in_any_order_make_one_row(
    told: list[Observation], said: str, model: str, data: st.DataObject
) -> None:
    span = record(
        start_time=4, end_time=8, name="call", type=ObservationType.GENERATION, input=said, model=model,
        parent_id="up", attributes='{"attributes":{"a":1}}', metadata={"k": "own"},
    )  # fmt: skip
    everything = [span, *told]
    once = merged(everything)
    for order in permutations(everything):
        assert same(merged(order)) == same(once)
    again = data.draw(st.lists(st.sampled_from(told), max_size=3))
    assert same(merged([*everything, *again])) == same(once)
    row = once.observation
    assert not row.is_partial
    assert (row.start_time, row.end_time, row.name, row.parent_id) == (4, 8, "call", "up")
    assert (
        row.metadata["k"] == "own" and (not said or row.input == said) and (not model or row.model == model)
    )


def test_the_last_word_counts_and_null_is_a_word() -> None:
    first = record(name="first", model="m", said={"name": 2, "model": 2, "start_time": 2})
    null = record(name="", start_time=1, said={"name": 4, "start_time": 4})
    row = merged([null, first]).observation
    assert (row.name, row.model, row.start_time) == ("", "m", 5)


@pytest.mark.parametrize(
    ("told", "result"),
    [
        ([{"a": 1}, {"b": 2}], {"a": 1, "b": 2}),
        ([{"a": {"x": 1, "y": 1}}, {"a": {"x": 2}}], {"a": {"x": 2, "y": 1}}),
        ([{"a": {"x": 1}}, "plain", {"a": {"y": 1}}], {"a": {"y": 1}}),
        ([{"a": {"x": 1}}, {"a": 5}, {"b": 1}], {"a": 5, "b": 1}),
        ([{"a": [1, 2]}, {"a": [3]}], {"a": [3]}),
        ([{"a": 1}, "plain"], "plain"),
    ],
)
def test_objects_in_metadata_merge_deeply(told: list[Any], result: Any) -> None:
    said = [
        record(
            metadata={"k": value if isinstance(value, str) else orjson.dumps(value).decode()},
            said={"metadata.k": stamp},
        )
        for stamp, value in enumerate(told)
    ]
    for order in permutations(said):
        text = merged(order).observation.metadata["k"]
        assert (text if isinstance(result, str) else orjson.loads(text)) == result


def test_what_is_too_large_to_merge_is_replaced_whole() -> None:
    large = orjson.dumps({str(number): number for number in range(3000)}).decode()
    said = [
        record(metadata={"k": large}, said={"metadata.k": 2}),
        record(metadata={"k": '{"a":1}'}, said={"metadata.k": 4}),
        record(metadata={"k": '{"b":1}'}, said={"metadata.k": 1}),
    ]
    for order in permutations(said):
        assert merged(order).observation.metadata == {"k": '{"a":1}'}


@pytest.mark.parametrize("depth", [3, 300, 1010])
def test_deep_values_merge_or_are_replaced(depth: int) -> None:
    deep = '{"a":' * depth + "1" + "}" * depth
    told = [
        record(metadata={"k": text}, attributes='{"events":[' + text + "]}", said={"metadata.k": stamp})
        for stamp, text in enumerate([deep, '{"b":2}', deep.replace("1", "3")])
    ]
    rows = [merged(order).observation for order in permutations(told)]
    assert all(row == rows[0] for row in rows)
    text = rows[0].metadata["k"]
    assert text == deep.replace("1", "3") if depth > 1000 else orjson.loads(text)["b"] == 2


def test_a_key_that_holds_the_separator_is_not_taken_apart() -> None:
    told = [
        record(metadata={"k": text}, said={"metadata.k": stamp})
        for stamp, text in enumerate(['{"a":{"b":1}}', '{"a\\u0000b":2}'])
    ]
    for order in permutations(told):
        assert merged(order).observation.metadata == {"k": '{"a\\u0000b":2}'}


def test_whole_spans_merge_as_they_arrive() -> None:
    facts = TraceFacts(user_id="u", tags=["b"])
    first = record(output="1", metadata={"k": "1", "l": "1"}, parent_id="up", trace=facts)
    later = record(start_time=7, output="2", metadata={"k": "2"}, trace=TraceFacts(tags=["a"]), is_root=True)
    row = merged([first, later]).observation
    assert (row.start_time, row.output, row.metadata, row.parent_id) == (5, "2", {"k": "2", "l": "1"}, "up")
    assert (row.trace.user_id, row.trace.tags, row.is_root) == ("u", ["a", "b"], False)


# --- how far a row grows -----------------------------------------------------------------------------------


@pytest.fixture
def small(settings: Any) -> int:
    """A row may grow to so many bytes."""
    settings.MAX_BODY_BYTES = 100_000
    return 100_000


def grown(number: int, kind: str) -> Observation:
    """The nth of many different arrivals that each add 2 kB."""
    text = str(number) * 2000
    made = record(received_at=1, level=Level.ERROR if number else Level.DEFAULT)
    match kind:
        case "span":
            made.metadata = {f"key {number}": text}
        case "event":
            made.metadata, made.said = {f"key {number}": text}, {f"metadata.key {number}": number}
        case "fact":
            made.trace.metadata = {f"key {number}": text}
        case "log":
            logs = [{"time": number, "name": "gen_ai.user.message", "body": {"content": text}}]
            made.attributes, made.is_partial = orjson.dumps({"logs": logs}).decode(), True
            made = settled(made)
    return made


@pytest.mark.parametrize("kind", ["span", "event", "fact", "log"])
def test_a_row_grows_no_larger_than_a_request(small: int, kind: str):
    row = prepare(grown(0, kind))
    for number in range(1, 200):
        row = merge(row, prepare(grown(number, kind)))
    o = row.observation
    texts = [*o.metadata.items(), *(o.trace.metadata or {}).items()]
    size = len(o.attributes) + sum(len(key) + len(value) for key, value in texts)
    assert small // 2 < size <= small
    assert "over 0 MB" in o.metadata[LEFT_OUT]
    assert "0" * 2000 in repr(o) and "199" * 600 not in repr(o)  # what was there stays
    assert o.level == Level.ERROR  # what adds nothing counts all the same
    again = merge(row, prepare(grown(150, kind)))
    assert again.observation == replace(o, received_at=again.observation.received_at)


def test_what_fits_bears_no_mark(small: int):
    row = merge(prepare(grown(0, "span")), prepare(grown(1, "span")))
    assert LEFT_OUT not in row.observation.metadata
