"""Which spans are plumbing, and that none with model work ever is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.mapping import mapped

HTTP = {"http.request.method": "GET", "url.full": "https://example.org/"}


@pytest.mark.parametrize(
    "attributes",
    [
        HTTP,
        {"http.method": "GET"},
        {"http.url": "https://example.org/"},
        {"url.full": "https://example.org/"},
        {"rpc.system": "grpc", "rpc.service": "shop.Orders"},
        {"rpc.system.name": "grpc"},
        {"db.system": "postgresql", "db.statement": "SELECT 1"},
        {"db.system.name": "postgresql", "db.query.text": "SELECT 1"},
        {"messaging.system": "kafka", "messaging.destination.name": "orders"},
        {"dns.question.name": "example.org"},
        # What Langfuse's SDKs put on every span of a trace says nothing about this one.
        HTTP | {"langfuse.trace.tags": ["a"], "session.id": "s", "langfuse.environment": "prod"},
    ],
)
def test_semantic_conventions(attributes):
    assert mapped(attributes).is_infrastructure


@pytest.mark.parametrize(
    "scope",
    [
        "opentelemetry.instrumentation.httpx",
        "opentelemetry.instrumentation.sqlalchemy",
        "@opentelemetry/instrumentation-undici",
        "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp",
        "io.opentelemetry.tomcat-10.0",
        "OpenTelemetry::Instrumentation::Rack",
        "fastapi",
        "next.js",
    ],
)
def test_known_instrumentations(scope):
    assert mapped({}, scope=scope).is_infrastructure


@pytest.mark.parametrize(
    "scope",
    [
        "my.app",
        "opentelemetry.instrumentation.openai",
        "opentelemetry.instrumentation.langchain",
        "io.opentelemetry.opentelemetry-instrumentation-annotations-1.16",
        "fastapi_assistant",
    ],
)
def test_other_scopes_are_not(scope):
    assert not mapped({}, scope=scope).is_infrastructure


@pytest.mark.parametrize(
    "told",
    [
        {"gen_ai.operation.name": "chat"},
        {"gen_ai.request.model": "gpt-5"},
        {"gen_ai.is_entry": True},
        {"llm.model_name": "gpt-5"},
        {"openinference.span.kind": "CHAIN"},
        {"langfuse.observation.input": "hello"},
        {"langfuse.observation.type": "span"},
        {"langfuse.trace.input": "hello"},
        {"model": "gpt-5"},
        {"mcp.method.name": "tools/call"},
        {"db.system": "qdrant"},
    ],
)
def test_model_work_never_is(told):
    assert not mapped(HTTP | told).is_infrastructure
    assert not mapped(told, scope="opentelemetry.instrumentation.httpx").is_infrastructure


def test_spans_of_langfuse_sdks_never_are():
    assert not mapped(HTTP, scope="langfuse-sdk").is_infrastructure


@given(
    st.dictionaries(
        st.sampled_from(
            [*HTTP, "gen_ai.usage.input_tokens", "gen_ai.request.model", "db.system", "model", "x"]
        ),
        st.text(max_size=3) | st.integers(0, 3),
    )
)
def test_plumbing_has_no_model_usage_or_content(attributes):
    observation = mapped(attributes)
    if observation.is_infrastructure:
        assert observation.type == "SPAN"
        assert not (observation.model or observation.usage or observation.input or observation.output)


@pytest.mark.parametrize(("number", "name"), [(2, "server"), (3, "client"), (5, "consumer")])
def test_the_kind_of_a_span_is_kept_as_received(number, name):
    assert json.loads(mapped(HTTP, kind=number).attributes)["kind"] == name
    assert "kind" not in json.loads(mapped(HTTP).attributes)
