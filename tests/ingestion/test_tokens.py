"""Credentials by resource: several projects in a request, senders without headers, and what is never kept."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from django.test import Client
from grpc import StatusCode, aio
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import ApiError
from apps.ingestion import credentials, otlp
from apps.ingestion.bodies import Budget
from apps.ingestion.grpc_server import GrpcServer
from apps.ingestion.inspector import recording
from apps.organizations.models import KeyScope, Project
from apps.organizations.services import NewKey
from apps.tracing import receipts, repository
from tests import factories
from tests.support.otlp import pairs, recorded_grpc, request
from tests.support.ports import free_port
from tests.support.program import TRACES, Sender

TRACE = bytes(range(16))
PROTOBUF = {"content-type": "application/x-protobuf"}


def pair(made: NewKey) -> str:
    """A key as a resource carries it."""
    return f"{made.key.public_key}:{made.secret}"


def of(token: Any, name: str = "span", **span: Any) -> bytes:
    """A request of one resource; requests put one after the other are one with all resources."""
    resource = {"service.name": name} | ({} if token is None else {"token": token})
    return request({"trace_id": TRACE, "name": name, **span}, resource=resource)


@dataclass
class Two:
    """Two projects of two organizations, and keys of them."""

    sender: Sender
    first: Project
    second: Project
    keys: dict[str, NewKey]

    async def post(self, body: bytes, **headers: str) -> httpx.Response:
        """Send without credentials in a header, unless one is given."""
        sent = PROTOBUF | {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.sender.http.post(TRACES, content=body, headers=sent)

    def stored(self, project: Project) -> list[str]:
        """Names of the observations a project has."""
        rows = repository.list_observations(project.id, TRACE.hex())
        return sorted(row.name for row in rows)


@pytest.fixture
def two_projects(transactional_db: None, project: Project) -> tuple[Project, Project, dict[str, NewKey]]:
    """Made before the event loop runs."""
    second = factories.project()
    keys = {
        "first": factories.key(project),
        "second": factories.key(second, scope=KeyScope.INGEST),
        "read": factories.key(second, scope=KeyScope.READ),
        "organization": factories.organization_key(second.organization),
    }
    return project, second, keys


@pytest.fixture
def two(two_projects: tuple[Project, Project, dict[str, NewKey]], sender: Sender) -> Two:
    """A client that may write to two projects."""
    return Two(sender, *two_projects)


async def test_a_token_opens_its_project(two: Two):
    for token in (pair(two.keys["second"]), two.keys["second"].secret):
        response = await two.post(of(token))
        assert response.status_code == 200
        assert response.headers["x-litefuse-receipt"] == response.json()["receipt"]
        receipts.verify(two.second.id, response.json()["receipt"])
    assert two.stored(two.second) == ["span", "span"]
    assert two.stored(two.first) == []


@pytest.mark.parametrize("packed", [False, True])
async def test_a_request_of_several_projects(two: Two, packed: bool):
    body = (
        of(pair(two.keys["first"]), "a")
        + of(two.keys["second"].secret, "b")
        + of(two.keys["first"].secret, "c")
    )
    if packed:
        response = await two.post(gzip.compress(body), content_encoding="gzip")
    else:
        response = await two.post(body)
    answer = response.json()
    assert response.status_code == 200
    assert set(answer) == {"receipts"}
    assert "x-litefuse-receipt" not in response.headers
    assert (two.stored(two.first), two.stored(two.second)) == (["a", "c"], ["b"])
    for project in (two.first, two.second):
        receipts.verify(project.id, answer["receipts"][project.id])
    with pytest.raises(ApiError):
        receipts.verify(two.first.id, answer["receipts"][two.second.id])
    [row] = repository.list_observations(two.second.id, TRACE.hex())
    assert row.service_name == "b"


async def test_what_a_bad_token_covers_is_refused_and_told(two: Two):
    bad = [f"{two.keys['first'].key.public_key}:sk-lf-wrong", "pk-lf-x:sk-lf-y", "another vendor's", None, 7,
           pair(two.keys["read"]), two.keys["first"].key.public_key, pair(two.keys["organization"]),
           f"{two.keys['first'].key.public_key}:{two.keys['second'].secret}"]  # fmt: skip
    body = of(pair(two.keys["first"]), "good") + b"".join(of(token, f"bad {token}") for token in bad)
    response = await two.post(body)
    assert response.status_code == 200
    partial = response.json()["partialSuccess"]
    assert partial["rejectedSpans"] == len(bad)
    assert "Unknown API key" in partial["errorMessage"] and "'token'" in partial["errorMessage"]
    assert "sk-lf-" not in partial["errorMessage"]
    assert (two.stored(two.first), two.stored(two.second)) == (["good"], [])
    for token in bad:
        response = await two.post(of(token))
        assert response.status_code in (401, 403), token
    assert two.stored(two.second) == []


async def test_all_bad_is_401(two: Two):
    for body in (of("pk-lf-x:sk-lf-y") + of("sk-lf-z"), of("another vendor's"), of(None), b""):
        response = await two.post(body)
        assert response.status_code == 401
        assert response.json()["message"]
    assert "x-litefuse-api-key" in response.json()["message"]


async def test_a_valid_header_wins_and_the_token_is_dropped(two: Two):
    tokens = [
        "another vendor's",
        pair(two.keys["second"]),
        "pk-lf-x:sk-lf-y",
        7,
        *(f"sk-lf-{n}" for n in range(20)),
    ]
    response = await two.sender.export(b"".join(of(token, "x") for token in tokens))
    assert (response.status_code, set(response.json())) == (200, {"receipt"})
    assert len(two.stored(two.first)) == len(tokens)
    assert two.stored(two.second) == []
    for row in repository.list_observations(two.first.id, TRACE.hex(), content=True):
        assert "token" not in json.loads(row.attributes)["resource"]
        assert "vendor" not in str(row) and "sk-lf-" not in str(row)


async def test_a_bad_header_is_not_mended_by_tokens(two: Two):
    assert (await two.post(of(pair(two.keys["second"])), authorization="Basic eDp5")).status_code == 401


async def test_at_most_sixteen_tokens(two: Two):
    def body(count: int) -> bytes:
        keys = [f"sk-lf-{n}" for n in range(count - 1)]
        others = [f"vendor {n}" for n in range(20)]  # not ours: never looked up
        return b"".join(of(token) for token in [*keys, *keys, *others, pair(two.keys["second"])])

    assert (await two.post(body(16))).status_code == 200
    response = await two.post(body(17))
    assert response.status_code == 400
    assert "16" in response.json()["error"]


async def test_json_too(two: Two):
    span = {"traceId": TRACE.hex(), "spanId": "1"}
    groups = [
        {
            "resource": {"attributes": [{"key": "token", "value": {"stringValue": token}}]},
            "scopeSpans": [{"spans": [span | {"name": name}]}],
        }
        for name, token in (("a", pair(two.keys["first"])), ("b", two.keys["second"].secret))
    ]
    body = json.dumps({"resourceSpans": groups}).encode()
    assert (await two.post(body, content_type="application/json")).status_code == 200
    assert (two.stored(two.first), two.stored(two.second)) == (["a"], ["b"])


@pytest.mark.parametrize("signal", ["logs", "metrics"])
async def test_other_signals_too(two: Two, signal: str):
    path = TRACES.replace("traces", signal)
    for body, status in ((of(pair(two.keys["first"])), 200), (of("sk-lf-z"), 401), (b"", 401)):
        assert (await two.sender.http.post(path, content=body, headers=PROTOBUF)).status_code == status


async def test_no_token_is_kept_or_logged(two: Two, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    secrets = [two.keys["first"].secret, two.keys["second"].secret]
    await two.post(of(pair(two.keys["first"]), "a") + of(secrets[1], "b") + of("sk-lf-wrong"))
    await two.post(of(secrets[1], "b"))
    await two.post(gzip.compress(of(secrets[1], "b")), content_encoding="gzip")
    await two.post(of(secrets[1]) + b"\xff")
    await two.sender.export(of(secrets[1]))
    await two.sender.export(gzip.compress(of(secrets[1])), content_encoding="gzip")
    await two.sender.export(of(secrets[1]) + b"\xff")
    await two.sender.export(of(None) + request(resource={"token": secrets[1]}))  # without any span
    kept = [
        str(repository.list_observations(p.id, TRACE.hex(), content=True)) for p in (two.first, two.second)
    ]
    kept += [str(repository.get_trace(p.id, TRACE.hex())) for p in (two.first, two.second)]
    kept += [*bodies_of_inspector(), caplog.text]
    for text in kept:
        assert not any(secret in text for secret in [*secrets, "sk-lf-wrong"])


def bodies_of_inspector() -> list[str]:
    """All that the wire inspector remembers, unpacked."""
    kept = list(recording.log()._kept.values())
    assert any(each.body for each in kept)
    return [
        f"{each.entry} {gzip.decompress(each.body) if each.body[:2] == bytes([31, 139]) else each.body}"
        for each in kept
    ]


async def test_the_inspector_shows_each_project_its_own_only(two: Two):
    both = of(pair(two.keys["first"]), "a") + of(two.keys["second"].secret, "b")
    for body in (both, of(two.keys["second"].secret, "alone")):
        assert (await two.post(gzip.compress(body), content_encoding="gzip")).status_code == 200
    log = recording.log()
    [alone, shared] = log.entries(two.second.id)
    assert (alone.status, alone.received, shared.received) == (200, 1, 1)
    assert json.loads(log.readable(two.second.id, alone.id))["resourceSpans"]
    assert log.readable(two.second.id, shared.id) == b""
    assert alone.key_id == two.keys["second"].key.id
    [entry] = log.entries(two.first.id)
    assert entry.received == 1 and log.readable(two.first.id, entry.id) == b""


# --- gRPC -------------------------------------------------------------------------------------------------


@pytest.fixture
async def channel(two: Two) -> AsyncIterator[aio.Channel]:
    """A client of a gRPC port on the same program."""
    port = free_port()
    server = GrpcServer(two.sender.application.intake, "127.0.0.1", port)
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(0)


def service(signal: str) -> str:
    """Path of a collector service."""
    return f"/opentelemetry.proto.collector.{signal.lower()}.v1.{signal}Service/Export"


async def test_grpc_too(two: Two, channel: aio.Channel):
    call = channel.unary_unary(service("Trace"))(
        of(pair(two.keys["first"]), "a") + of(two.keys["second"].secret, "b")
    )
    await call
    assert (two.stored(two.first), two.stored(two.second)) == (["a"], ["b"])
    told = [value for key, value in await call.trailing_metadata() if key == "x-litefuse-receipts"]
    assert {value.partition("=")[0] for value in told} == {two.first.id, two.second.id}
    for value in told:
        project_id, _, receipt = value.partition("=")
        receipts.verify(project_id, receipt)


async def test_a_dual_export_over_grpc(two: Two, channel: aio.Channel):
    [body] = recorded_grpc("py_dual_export")  # with another vendor's token
    with pytest.raises(aio.AioRpcError) as refused:
        await channel.unary_unary(service("Trace"))(body)
    assert refused.value.code() is StatusCode.UNAUTHENTICATED
    await channel.unary_unary(service("Trace"))(body, metadata=[("authorization", two.sender.authorization)])
    assert repository.has_traces(two.first.id)


async def test_grpc_without_credentials(two: Two, channel: aio.Channel, settings):
    for signal in ("Trace", "Logs", "Metrics"):
        with pytest.raises(aio.AioRpcError) as refused:
            await channel.unary_unary(service(signal))(of(None))
        assert refused.value.code() is StatusCode.UNAUTHENTICATED
        assert "x-litefuse-api-key" in refused.value.details()
    settings.OTLP_DEFAULT_PROJECT = two.second.id
    for signal in ("Trace", "Logs", "Metrics"):
        await channel.unary_unary(service(signal))(of(None))
    assert two.stored(two.second) == ["span"]
    with pytest.raises(aio.AioRpcError):
        await channel.unary_unary(service("Trace"))(of(None), metadata=[("x-forwarded-for", "127.0.0.1")])


# --- without any credentials, on this machine -------------------------------------------------------------


@pytest.fixture
def by_default(two: Two, settings) -> Two:
    """The second project takes what programs here send; `test` is what the client calls this machine."""
    settings.OTLP_DEFAULT_PROJECT = two.second.id
    return two


LOCAL = {"host": "localhost:4318"}


async def test_a_local_sender_needs_no_credentials(by_default: Two):
    for token in (None, "another vendor's"):
        response = await by_default.post(of(token), **LOCAL)
        assert response.status_code == 200, response.text
        receipts.verify(by_default.second.id, response.json()["receipt"])
    for row in repository.list_observations(by_default.second.id, TRACE.hex(), content=True):
        assert "vendor" not in row.attributes
    assert by_default.stored(by_default.second) == ["span", "span"]


async def test_keys_are_looked_at_all_the_same(by_default: Two):
    body = of(None, "a") + of(pair(by_default.keys["first"]), "b") + of("sk-lf-wrong", "c")
    response = await by_default.post(body, **LOCAL)
    assert response.json()["partialSuccess"]["rejectedSpans"] == 1
    assert (by_default.stored(by_default.first), by_default.stored(by_default.second)) == (["b"], ["a"])
    assert (await by_default.post(of(None), **LOCAL, authorization="Basic eDp5")).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"x_forwarded_for": "127.0.0.1"},
        {"x-forwarded-for": "10.0.0.9"},
        {"forwarded": "for=127.0.0.1"},
        {"via": "1.1 proxy"},
        {"x-real-ip": "127.0.0.1"},
        {"origin": "https://elsewhere.example"},
        {"host": "litefuse.example"},
        {"host": "litefuse.example:4318"},
    ],
)
async def test_what_was_passed_on_is_not_local(by_default: Two, headers: dict[str, str]):
    response = await by_default.sender.http.post(TRACES, content=of(None), headers=PROTOBUF | LOCAL | headers)
    assert response.status_code == 401
    assert by_default.stored(by_default.second) == []


async def test_only_telemetry_is_let_in(by_default: Two):
    for path in ("/api/public/ingestion", "/api/public/scores", "/api/public/projects"):
        method = "GET" if path.endswith("projects") else "POST"
        response = await by_default.sender.http.request(method, path, headers=LOCAL)
        assert response.status_code == 401, path


async def test_a_default_project_that_is_none(two: Two, settings):
    settings.OTLP_DEFAULT_PROJECT = "nowhere"
    response = await two.post(of(None), **LOCAL)
    assert response.status_code == 401
    assert "LITEFUSE_OTLP_DEFAULT_PROJECT" in response.json()["message"]


@pytest.mark.parametrize(
    ("peer", "host", "local"),
    [
        ("127.0.0.1", "localhost:4318", True),
        ("127.8.9.1", "127.0.0.1", True),
        ("::1", "[::1]:4318", True),
        ("::1", "[::1]", True),
        ("::ffff:127.0.0.1", None, True),
        ("::ffff:10.0.0.1", None, False),
        ("10.0.0.1", "localhost", False),
        ("", "localhost", False),
        (None, "localhost", False),
        ("localhost", "localhost", False),
        ("127.0.0.1", "[", False),
        ("127.0.0.1", "localhost.example", False),
    ],
)
def test_who_is_local(peer: str | None, host: str | None, local: bool):
    assert credentials.is_local(peer, {} if host is None else {"host": host}) is local


async def test_the_inspector_shows_what_came_without_a_key_and_over_grpc(
    by_default: Two, channel: aio.Channel
):
    project = by_default.second
    assert (await by_default.post(of("a vendor's", "by http"), **LOCAL)).status_code == 200
    key = [("authorization", factories.basic(by_default.keys["second"]))]
    await channel.unary_unary(service("Trace"))(gzip.compress(of("a vendor's", "by grpc")), metadata=key)
    person = await asyncio.to_thread(factories.member, project.organization, "VIEWER")

    def get(**params: str) -> str:
        client = Client()
        client.force_login(person)
        answer = client.get(f"/project/{project.id}/settings/wire", params)
        assert answer.status_code == 200
        return answer.content.decode()

    for name in ("by grpc", "by http"):
        [entry] = [e for e in recording.log().entries(project.id) if (e.way == "grpc") == (name == "by grpc")]
        html = await asyncio.to_thread(get, id=entry.id)
        shown = recording.log().readable(project.id, entry.id).decode()
        assert name in shown and "vendor" not in shown + html


# --- where a key may stand ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        ({}, None),
        ({"authorization": "Basic x"}, "Basic x"),
        ({"x-team": "sk-lf-1"}, "Bearer sk-lf-1"),
        ({"x-team": "bearer  pk-lf-1:sk-lf-1", "authorization": "Bearer jwt"}, "Bearer pk-lf-1:sk-lf-1"),
        ({"x-team": "jwt", "authorization": "Basic x"}, "Basic x"),
        ({"x-api-key": "sk-lf-1"}, None),
    ],
)
def test_a_header_of_ones_own(settings, headers: dict[str, str], shown: str | None):
    settings.KEY_HEADERS = ["x-team"]
    assert credentials.shown(headers) == shown


# --- bounds -----------------------------------------------------------------------------------------------


async def test_strangers_cannot_shut_out_those_with_a_key(two: Two):
    intake = two.sender.application.intake
    intake.budget = Budget(100_000)
    intake.strangers = Budget(1000, intake.budget)
    response = await two.post(of(None) + b"\0" * 2000)
    assert response.status_code == 503
    with intake.strangers.share() as share:
        share.take(1000)
        assert intake.budget._held == 1000
        assert (await two.sender.export(of(None))).status_code == 200
    assert (intake.budget._held, intake.strangers._held) == (0, 0)


@given(st.lists(st.one_of(st.none(), st.integers(0, 9), st.text(max_size=5)), max_size=5))
def test_what_is_found_first_is_what_is_decoded_later(tokens: list[Any]):
    body = b"".join(of(token) for token in tokens)
    found = otlp.resource_tokens(body, is_json=False)
    decoded = otlp.decode_protobuf(body, 1)
    assert found == [
        s.resource.attributes["token"] for s in decoded.spans if "token" in s.resource.attributes
    ]


@given(st.binary(max_size=80), st.booleans())
def test_any_bytes_have_tokens_or_are_refused(raw: bytes, is_json: bool):
    key = pairs({"token": "x"})[0].SerializeToString()
    for body in (raw, b"token" + raw, raw + key):
        try:
            assert isinstance(otlp.resource_tokens(body, is_json), list)
        except ApiError as error:
            assert error.status in (400, 413)
