"""Whatever is sent: an answer that says what was wrong, no failure; what is acknowledged is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.errors import ApiError
from apps.ingestion.batch import requests
from apps.ingestion.batch.events import TYPES
from apps.organizations.authentication import Access
from apps.tracing import repository, scores
from apps.tracing.records import Score
from apps.tracing.writer import Writer
from tests.ingestion.batch.support import INGESTION, event, send
from tests.support.program import Sender

pytestmark = pytest.mark.django_db

ACCESS = Access("k", "pk-lf-1", "project", "full", "o", "hostile")
NAMES = [
    "id", "traceId", "name", "userId", "sessionId", "environment", "metadata", "release", "version",
    "public", "tags", "timestamp", "startTime", "endTime", "completionStartTime", "level", "statusMessage",
    "parentObservationId", "input", "output", "model", "modelParameters", "usage", "usageDetails",
    "costDetails", "promptName", "promptVersion", "type", "value", "dataType", "comment", "configId",
    "queueId", "observationId", "datasetRunId", "source", "input_tokens", "total", "unit", "promptTokens",
    "totalCost",
]  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.sampled_from([*TYPES, "2026-08-01T12:00:00Z", "9999-12-31T23:59:59-23:59", "NUMERIC", "ERROR", "\0"]),
)  # fmt: skip
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner, max_size=6),
    ),
    max_leaves=12,
)
BODIES = st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=8)
EVENTS = st.builds(
    lambda type, body, at: event(type, at=at, **body), st.sampled_from(TYPES), BODIES, st.integers(0, 9)
)


def ask(prepare: requests.Prepare, content: bytes) -> requests.Prepared | None:
    """What a body comes to, stored; None when it was refused with a reason."""
    try:
        prepared = prepare(requests.Body(content, {}, ACCESS, "hostile"))
    except ApiError as error:
        assert 400 <= error.status < 500 and error.message
        return None
    Writer().commit(prepared.records)
    return prepared


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EVENTS | ANYTHING, max_size=5))
def test_arbitrary_batches(batch: list[Any]):
    prepared = ask(requests.batch, json.dumps({"batch": batch}).encode("utf-8", "replace"))
    assert prepared is not None
    answer = prepared.answer
    logs = sum(isinstance(item, dict) and item.get("type") == "sdk-log" for item in batch)
    assert len(batch) - logs <= len(answer["successes"]) + len(answer["errors"]) <= len(batch)
    for record in prepared.records:
        if isinstance(record, Score):
            assert scores.get_score("hostile", record.id) is not None
        else:
            assert repository.get_trace("hostile", record.trace_id) is not None


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(BODIES | ANYTHING)
def test_arbitrary_scores(sent: Any):
    ask(requests.post_scores, json.dumps(sent).encode("utf-8", "replace"))


@settings(max_examples=50)
@given(st.binary(max_size=60) | ANYTHING.map(lambda value: json.dumps(value).encode()))
def test_arbitrary_bytes(content: bytes):
    ask(requests.batch, content)


async def test_deep_nesting_is_told(sender: Sender):
    deep = json.loads("[" * 900 + "]" * 900)
    response = await send(
        sender, event("trace-create", id="deep", input=deep), event("trace-create", id="flat")
    )
    assert response.status_code == 207
    answer = response.json()
    assert len(answer["successes"]) + len(answer["errors"]) == 2
    assert repository.get_trace(sender.project.id, "flat") is not None
    bottomless = b'{"batch": ' + b"[" * 200_000
    response = await sender.http.post(
        INGESTION, content=bottomless, headers={"authorization": sender.authorization}
    )
    assert response.status_code == 400


async def test_nan_and_lone_surrogates_are_mended(sender: Sender):
    body = (
        b'{"batch": [%s]}'
        % json.dumps(
            event("span-create", id="odd", traceId="odd", input={"x": float("nan")}, name="\ud800")
        ).encode()
    )
    response = await sender.http.post(
        INGESTION, content=body, headers={"authorization": sender.authorization}
    )
    assert response.json()["errors"] == []
    [row] = repository.list_observations(sender.project.id, "odd", content=True)
    assert (row.name, row.input) == ("?", '{"x":"NaN"}')


@pytest.mark.parametrize("digits", ["1" + "0" * 400, "-1e400"])
async def test_numbers_beyond_doubles_are_mended(sender: Sender, digits: str):
    large = json.dumps(event("span-create", id="large", traceId="large", input={"x": "DIGITS", "y": 5}))
    body = f'{{"batch": [{large}]}}'.replace('"DIGITS"', digits).encode()
    headers = {"authorization": sender.authorization}
    response = await sender.http.post(INGESTION, content=body, headers=headers)
    assert (response.status_code, response.json()["errors"]) == (207, [])
    [row] = repository.list_observations(sender.project.id, "large", content=True)
    assert json.loads(row.input) == {"x": digits, "y": 5}


async def test_secrets_in_bodies_are_not_kept(sender: Sender):
    secret = "sk-very-secret"
    await send(sender, event("span-create", id="s", traceId="t", extra={"api_key": secret}, token=secret))
    [row] = repository.list_observations(sender.project.id, "t", content=True)
    assert secret not in row.attributes
    assert '"name":"span-create"' in row.attributes


async def test_too_many_events_are_refused_whole(sender: Sender):
    response = await send(sender, *([None] * 20_001))
    assert response.status_code == 413
