"""OTLP logs: GenAI events reach their span, whichever comes first; all else is accepted and not kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from itertools import permutations
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from grpc import aio
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

from apps.core.errors import ApiError, TooLarge
from apps.ingestion import otlp_logs, otlp_values
from apps.ingestion.grpc_server import GrpcServer
from apps.ingestion.mapping.logs import map_logs
from apps.ingestion.mapping.shapes import Context
from apps.ingestion.otlp_logs import DecodedLogs
from apps.tracing import repository
from tests import factories
from tests.support.otlp import START, any_value, pairs, request
from tests.support.ports import free_port
from tests.support.program import Sender

LOGS = "/api/public/otel/v1/logs"
TRACE, SPAN = bytes(range(16)), bytes(range(1, 9))


def logs(*records: dict[str, Any], resource: Mapping[str, Any] | None = None) -> ExportLogsServiceRequest:
    """A request; each record is keyword arguments of `add_record`."""
    message = ExportLogsServiceRequest()
    group = message.resource_logs.add()
    group.resource.attributes.extend(pairs(resource or {}))
    scoped = group.scope_logs.add()
    scoped.scope.name = "opentelemetry.instrumentation.openai_v2"
    for record in records:
        add_record(scoped.log_records.add(), **record)
    return message


def add_record(
    record: Any,
    name: str = "",
    body: Any = None,
    *,
    trace_id: bytes = TRACE,
    span_id: bytes = SPAN,
    time: int = START,
    observed: int = 0,
    **attributes: Any,
) -> None:
    """Fill in one record; attribute names have `__` for dots."""
    record.event_name, record.trace_id, record.span_id = name, trace_id, span_id
    record.time_unix_nano, record.observed_time_unix_nano = time, observed
    if body is not None:
        record.body.CopyFrom(any_value(body))
    record.attributes.extend(pairs({key.replace("__", "."): value for key, value in attributes.items()}))


def as_json(message: ExportLogsServiceRequest) -> bytes:
    """OTLP's JSON of a request: ids in hex."""
    sent = MessageToDict(message)
    for group in sent.get("resourceLogs", []):
        for scoped in group.get("scopeLogs", []):
            for record, made in zip(
                scoped.get("logRecords", []), message.resource_logs[0].scope_logs[0].log_records, strict=True
            ):
                record["traceId"], record["spanId"] = made.trace_id.hex(), made.span_id.hex()
    return json.dumps(sent).encode()


QUESTION = {"name": "gen_ai.user.message", "body": {"content": "why?"}, "time": START + 1000}
SYSTEM = {"name": "gen_ai.system.message", "body": {"content": "be brief"}}
ANSWER = {
    "name": "gen_ai.choice",
    "body": {"index": 0, "message": {"role": "assistant", "content": "because"}},
    "time": START + 2000,
}


def both(message: ExportLogsServiceRequest) -> list[DecodedLogs]:
    """Decoded from protobuf and from JSON."""
    return [
        otlp_logs.decode_protobuf(message.SerializeToString(), 7),
        otlp_logs.decode_json(as_json(message), 7),
    ]


# --- decoding ---------------------------------------------------------------------------------------------


def test_events_are_found_by_name_wherever_it_stands():
    named = [
        {"name": "gen_ai.choice"},
        {"event__name": "gen_ai.choice"},
        {"name": "log", "event__name": "gen_ai.choice"},
    ]
    for decoded in both(logs(*named)):
        assert [event.name for event in decoded.events] == ["gen_ai.choice"] * 3
        assert {event.trace_id for event in decoded.events} == {TRACE.hex()}
        assert {event.span_id for event in decoded.events} == {SPAN.hex()}
    message = logs({})
    message.resource_logs[0].scope_logs[0].log_records[0].attributes.extend(
        pairs({"event_name": "gen_ai.content.prompt"})
    )
    for decoded in both(message):
        assert [event.name for event in decoded.events] == ["gen_ai.content.prompt"]


def test_other_records_are_not_events():
    others = [
        {"name": "exception"},
        {"body": "gen_ai.choice"},
        {"event__name": 7},
        {**QUESTION, "trace_id": b""},
        {**QUESTION, "span_id": b""},
        {**QUESTION, "trace_id": bytes(16)},
        {**QUESTION, "span_id": bytes(8)},
    ]
    for decoded in both(logs(*others)):
        assert (decoded.events, decoded.refused) == ([], [])


def test_values_and_times_come_out_as_sent():
    body = {"content": "é", "parts": [1, 2.5, True, None, {"deep": ["x"]}]}
    message = logs(
        {"name": "gen_ai.choice", "body": body, "gen_ai__system": "openai"},
        {"name": "gen_ai.choice", "body": "text", "time": 0, "observed": START + 5000},
        {"name": "gen_ai.choice", "time": 0},
        resource={"service.name": "shop"},
    )
    for decoded in both(message):
        first, second, third = decoded.events
        assert (first.body, first.attributes) == (body, {"gen_ai.system": "openai"})
        assert (first.time, second.time, third.time) == (START // 1000, START // 1000 + 5, 7)
        assert (second.body, third.body) == ("text", None)
        assert first.resource.attributes == {"service.name": "shop"}
        assert first.scope.name == "opentelemetry.instrumentation.openai_v2"


def test_a_damaged_record_leaves_its_siblings():
    message = logs(QUESTION)
    scoped = message.resource_logs[0].scope_logs[0].SerializeToString() + b"\x12\x03\xff\xff\xff"
    group = b"\x12" + bytes(varint(len(scoped))) + scoped
    body = b"\x0a" + bytes(varint(len(group))) + group
    decoded = otlp_logs.decode_protobuf(body, 1)
    assert [event.name for event in decoded.events] == ["gen_ai.user.message"]
    assert decoded.refused == ["log record is damaged: not a protobuf message"]
    sent = {"resourceLogs": [{"scopeLogs": [{"logRecords": [7, {"traceId": 3.5, "spanId": "1"}]}]}]}
    assert len(otlp_logs.decode_json(json.dumps(sent).encode(), 1).refused) == 2


def varint(number: int) -> list[int]:
    """A length as protobuf writes it."""
    found = []
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return [*found, number]


def test_bounds(monkeypatch: pytest.MonkeyPatch):
    message = logs(*[{"body": "x"}] * 5)
    monkeypatch.setattr(otlp_logs, "MAX_RECORDS", 4)
    with pytest.raises(TooLarge):
        otlp_logs.decode_protobuf(message.SerializeToString(), 1)
    with pytest.raises(TooLarge):
        otlp_logs.decode_json(as_json(message), 1)
    monkeypatch.undo()
    monkeypatch.setattr(otlp_values, "MAX_ITEMS", 10)
    many = logs({**QUESTION, **{f"a{n}": n for n in range(20)}})
    for body, decode in (
        (many.SerializeToString(), otlp_logs.decode_protobuf),
        (as_json(many), otlp_logs.decode_json),
    ):
        with pytest.raises(TooLarge):
            decode(body, 1)


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(raw: bytes):
    whole = logs(QUESTION, ANSWER, resource={"service.name": "shop"}).SerializeToString()
    cut = len(raw) * len(whole) // 200
    for body in (raw, whole[:cut] + raw + whole[cut:], whole[:cut] + raw + whole[cut + len(raw) :]):
        for decode in (otlp_logs.decode_protobuf, otlp_logs.decode_json):
            try:
                decoded = decode(body, 1)
            except ApiError as error:
                assert error.status in (400, 413)
            else:
                map_logs(decoded.events, Context("p"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
PAIR = st.fixed_dictionaries({"key": st.text(max_size=3), "value": JSON})
RECORD = st.fixed_dictionaries(
    {},
    optional={
        "traceId": st.just("a1") | JSON, "spanId": st.just("b2") | JSON,
        "timeUnixNano": JSON, "observedTimeUnixNano": JSON, "body": JSON,
        "eventName": st.just("gen_ai.choice") | JSON,
        "attributes": JSON | st.lists(PAIR, max_size=3),
    },
)  # fmt: skip


@given(st.lists(RECORD | JSON, max_size=3), JSON)
def test_any_json_is_decoded_or_refused(records: list[Any], resource: Any):
    groups = [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]
    for sent in ({"resourceLogs": groups}, {"resourceLogs": records}, resource):
        try:
            decoded = otlp_logs.decode_json(json.dumps(sent).encode(), 1)
        except ApiError as error:
            assert error.status in (400, 413)
        else:
            assert all(piece.is_partial for piece in map_logs(decoded.events, Context("p")))


# --- mapping ----------------------------------------------------------------------------------------------


def test_one_piece_a_span():
    secret = {"name": "gen_ai.tool.message", "body": {"content": "x", "api_key": "hush"}, "token": "hush"}
    message = logs(QUESTION, SYSTEM, {**ANSWER, "span_id": b"another1"}, secret,
                   resource={"service.name": "shop", "host.name": "h1", "api_key": "hush",
                             "deployment.environment.name": "live"})  # fmt: skip
    first, second = map_logs(both(message)[0].events, Context("p", received_at=5, api_key_id="k"))
    assert (first.trace_id, first.id, second.id) == (TRACE.hex(), SPAN.hex(), b"another1".hex())
    assert (first.start_time, first.received_at, first.api_key_id) == (START // 1000, 5, "k")
    assert (first.service_name, first.host_name, first.environment) == ("shop", "h1", "live")
    assert first.is_partial and "hush" not in first.attributes
    stored = json.loads(first.attributes)
    assert [log["name"] for log in stored["logs"]] == [
        "gen_ai.user.message", "gen_ai.system.message", "gen_ai.tool.message",
    ]  # fmt: skip
    assert stored["logs"][0] == {
        "name": "gen_ai.user.message",
        "time": START // 1000 + 1,
        "body": {"content": "why?"},
        "attributes": {},
    }


# --- the whole way ----------------------------------------------------------------------------------------


async def send(sender: Sender, message: ExportLogsServiceRequest, *, is_json: bool = False) -> Any:
    """POST to the logs' address."""
    headers = {"authorization": sender.authorization, "content-type": "application/x-protobuf"}
    body = message.SerializeToString()
    if is_json:
        headers["content-type"], body = "application/json", as_json(message)
    return await sender.http.post(LOGS, content=body, headers=headers)


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_events_reach_their_span_whichever_comes_first(sender: Sender, order: tuple[int, ...]):
    said = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
    span = request({"trace_id": TRACE, "span_id": SPAN, "name": "chat gpt-4o", "attributes": said})
    for step in order:
        if step == 0:
            assert (await sender.export(span)).status_code == 200
        else:
            response = await send(
                sender, logs(*([SYSTEM, QUESTION] if step == 1 else [ANSWER])), is_json=step == 1
            )
            assert (response.status_code, set(response.json())) == (200, {"receipt"})
    [row] = repository.list_observations(sender.project.id, TRACE.hex(), content=True)
    assert (row.name, row.type, row.model, row.is_partial) == ("chat gpt-4o", "GENERATION", "gpt-4o", False)
    assert [message["content"] for message in json.loads(row.input)] == ["be brief", "why?"]
    assert "because" in row.output
    summary = repository.get_trace(sender.project.id, TRACE.hex())
    assert summary is not None and summary.observation_count == 1


async def test_sending_again_changes_nothing(sender: Sender):
    rows = []
    for _ in range(2):
        await send(sender, logs(QUESTION, ANSWER))
        rows.append(repository.list_observations(sender.project.id, TRACE.hex(), content=True))
    assert rows[0] == rows[1]


async def test_other_logs_are_accepted_and_not_kept(sender: Sender):
    response = await send(sender, logs({"body": "GET /"}, {"name": "exception", "body": "boom"}))
    assert (response.status_code, response.json()) == (200, {})
    assert not repository.has_traces(sender.project.id)


async def test_damaged_records_are_told(sender: Sender):
    sent = {"resourceLogs": [{"scopeLogs": [{"logRecords": [7]}]}]}
    headers = {"authorization": sender.authorization, "content-type": "application/json"}
    response = await sender.http.post(LOGS, content=json.dumps(sent).encode(), headers=headers)
    assert response.json() == {
        "partialSuccess": {"rejectedLogRecords": 1, "errorMessage": "log record is not an object"}
    }


async def test_tokens_open_logs_too(sender: Sender):
    made = await asyncio.to_thread(factories.key, sender.project)
    headers = {"content-type": "application/x-protobuf"}
    for token, status in ((made.secret, 200), ("sk-lf-wrong", 401)):
        body = logs(QUESTION, resource={"token": token}).SerializeToString()
        assert (await sender.http.post(LOGS, content=body, headers=headers)).status_code == status
    [row] = repository.list_observations(sender.project.id, TRACE.hex(), content=True)
    assert row.is_partial and "why?" in row.input and made.secret not in row.attributes


async def test_over_grpc(sender: Sender):
    port = free_port()
    server = GrpcServer(sender.application.intake, "127.0.0.1", port)
    await server.start()
    path = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        metadata = [("authorization", sender.authorization)]
        call = channel.unary_unary(path)(logs(QUESTION).SerializeToString(), metadata=metadata)
        assert not ExportLogsServiceResponse.FromString(await call).partial_success.rejected_log_records
    await server.stop(0)
    [row] = repository.list_observations(sender.project.id, TRACE.hex(), content=True)
    assert "why?" in row.input
