"""Langfuse's own attributes in all spellings: they win over every other convention."""

from __future__ import annotations

from decimal import Decimal

import pytest

from apps.tracing.received import CONTENT_KEYS
from tests.support.mapping import PYTHON_3, PYTHON_5, Vector, vectors

O, T = "langfuse.observation.", "langfuse.trace."  # noqa: E741 - short, for tables
EVERYTHING_ELSE = {
    "gen_ai.operation.name": "chat",
    "gen_ai.tool.name": "tool",
    "openinference.span.kind": "CHAIN",
    "gen_ai.request.model": "theirs",
    "gen_ai.request.temperature": 1,
    "gen_ai.usage.input_tokens": 9,
    "gen_ai.usage.cost": 9,
    "gen_ai.input.messages": "[]",
    "user.id": "theirs",
    "session.id": "theirs",
    "ai.telemetry.metadata.tags": "theirs",
}


@vectors(
    *(
        Vector(f"type {name}", {O + "type": name}, {"type": name.upper()})
        for name in (
            "span", "generation", "event", "embedding", "agent", "tool", "chain", "retriever", "guardrail",
            "evaluator",
        )
    ),
    Vector("an unknown type falls through", {O + "type": "Span", "model": "m"}, {"type": "GENERATION"}),
    Vector("a type that is no text", {O + "type": 5}, {"type": "SPAN"}),
    Vector(
        "Python up to 3.3 sent generations as spans",
        {O + "type": "span", O + "model.name": "m"},
        {"type": "GENERATION", "model": "m"},
        "langfuse-sdk",
        {"scope_version": "3.2.6", "resource": {"telemetry.sdk.language": "python"}},
    ),
    Vector(
        "later ones mean what they say",
        {O + "type": "span", O + "model.name": "m"},
        {"type": "SPAN"},
        "langfuse-sdk",
        {"scope_version": "3.4.0", "resource": {"telemetry.sdk.language": "python"}},
    ),
    Vector(
        "everything at once",
        {
            **EVERYTHING_ELSE,
            O + "type": "generation",
            O + "input": '{"p": 1}',
            O + "output": "",
            O + "model.name": "mine",
            O + "model.parameters": '{"temperature": 0}',
            O + "usage_details": '{"input": 5, "output": 6, "total": 11}',
            O + "cost_details": '{"input": 0.1}',
            O + "level": "warn",
            O + "status_message": "odd",
            O + "prompt.name": "p",
            O + "prompt.version": "2",
            O + "completion_start_time": '"2026-01-01T00:00:00.500Z"',
            "langfuse.user.id": "u",
            "langfuse.session.id": "s",
            T + "tags": ["x", "y"],
            T + "name": "trace",
            T + "public": True,
            T + "input": "in",
            T + "output": "out",
            "langfuse.version": "2.0",
            "langfuse.release": "r-2",
            "langfuse.environment": "qa",
        },
        {
            "type": "GENERATION",
            "input": '{"p": 1}',
            "output": "",
            "model": "mine",
            "model_parameters": {"temperature": 0},
            "usage": {"input": 5, "output": 6, "total": 11},
            "provided_cost": {"input": Decimal("0.1")},
            "level": "WARNING",
            "status_message": "odd",
            "prompt": ("p", 2),
            "completion_start_time": 1_767_225_600_500_000,
            "user_id": "u",
            "session_id": "s",
            "tags": ["x", "y"],
            "public": True,
            "version": "2.0",
            "release": "r-2",
            "environment": "qa",
        },
        span={"status": (2, "failed"), "resource": {"service.version": "1", "langfuse.release": "r-1"}},
    ),
    Vector("the level of a failed span may be a warning", {O + "level": "WARNING"}, {"level": "WARNING"},
           span={"status": (2, "")}),
    Vector("a level that nobody knows", {O + "level": "LOUD"}, {"level": "ERROR"}, span={"status": (2, "")}),
)  # fmt: skip
def test_observation(vector):
    vector.check()


@vectors(
    Vector("tags as comma-separated text", {T + "tags": "a, b"}, {"tags": ["a", "b"]}),
    Vector("tags as JSON", {"langfuse.tags": '["a","b"]'}, {"tags": ["a", "b"]}),
    Vector("tags of a callback handler", {O + "metadata.langfuse_tags": ["lc"]}, {"tags": ["lc"]}),
    Vector(
        "tags of a callback handler, on the trace", {T + "metadata.langfuse_tags": ["lc"]}, {"tags": ["lc"]}
    ),
    Vector("user of a callback handler", {O + "metadata.langfuse_user_id": "u"}, {"user_id": "u"}),
    Vector("session of a callback handler", {T + "metadata.langfuse_session_id": "s"}, {"session_id": "s"}),
    Vector(
        "OpenClaw's user and session",
        {
            "openclaw.userId": "u",
            "openclaw.sessionKey": "k",
            "openclaw.sessionId": "s",
            "openclaw.model": "m",
        },
        {"user_id": "u", "session_id": "s", "model": "m", "type": "SPAN"},
    ),
    Vector("a public trace, shorter", {"langfuse.public": "true"}, {"public": True}),
    Vector("any other text is not public", {T + "public": "True"}, {"public": False}),
    Vector("nothing said of it", {}, {"public": None}),
    Vector(
        "marked as root",
        {"langfuse.internal.as_root": "true"},
        {"is_root": True},
        span={"parent": b"12345678"},
    ),
    Vector(
        "no mark", {"langfuse.internal.as_root": "True"}, {"is_root": False}, span={"parent": b"12345678"}
    ),
    Vector(
        "marked as an application's root",
        {"langfuse.internal.is_app_root": True},
        {"is_root": False, "is_app_root": True},
        span={"parent": b"12345678"},
    ),
    Vector("an entry", {"gen_ai.is_entry": True}, {"is_entry": True}),
    Vector("an entry in metadata", {O + "metadata": '{"gen_ai.is_entry": true}'}, {"is_entry": True}),
)
def test_trace(vector):
    vector.check()


LINK = {"langfuse.prompt.name": "p", "langfuse.prompt.version": 4}


@vectors(
    Vector("a prompt, shorter", {O + "type": "generation", **LINK}, {"prompt": ("p", 4)}),
    Vector(
        "name and version from either spelling",
        {O + "type": "generation", O + "prompt.name": "q", **LINK},
        {"prompt": ("q", 4)},
    ),
    Vector("only generations have one", {O + "type": "span", **LINK}, {"prompt": ("", None)}),
    Vector(
        "a version that is none",
        {O + "type": "generation", O + "prompt.name": "q", O + "prompt.version": "latest"},
        {"prompt": ("q", None)},
    ),
)
def test_prompt(vector):
    vector.check()


@vectors(
    Vector(
        "parameters that are neither text nor number are JSON",
        {O + "model.parameters": '{"temperature": 0.5, "stream": true, "stop": ["a"], "seed": null}'},
        {"model_parameters": {"temperature": 0.5, "stream": "true", "stop": '["a"]', "seed": None}},
    ),
    Vector(
        "usage of a wrong shape is none at all",
        {O + "usage_details": "5", "gen_ai.usage.input_tokens": 5},
        {"usage": {}},
    ),
    Vector(
        "usage that is no JSON leaves it to others",
        {O + "usage_details": "{", "gen_ai.usage.input_tokens": 5},
        {"usage": {"input": 5, "total": 5}},
    ),
    Vector(
        "cost that is no object leaves it to others",
        {O + "cost_details": "5", "llm.cost.total": 2},
        {"provided_cost": {"total": Decimal(2)}},
    ),
)
def test_parameters_usage_and_cost(vector):
    vector.check()


@vectors(
    Vector(
        "the bare object, for whoever has none of their own",
        {"langfuse.metadata": '{"k": "v", "n": [1]}', T + "metadata": '{"t": 1}'},
        {"metadata": {"k": "v", "n": "[1]"}, "shown": {"langfuse.metadata": '{"k": "v", "n": [1]}'}},
    ),
    Vector(
        "a dotted key goes over it",
        {O + "metadata": {"k": 1}, "langfuse.metadata.k": 2},
        {"metadata": {"k": "2"}},
    ),
    Vector("plain text is no metadata", {O + "metadata": "plain", T + "metadata": '"abc"'}, {"metadata": {}}),
    Vector(
        "a resource's keys come first",
        {"langfuse.metadata.k": "span"},
        {"metadata": {"k": "span", "r": "1"}},
        span={"resource": {"langfuse.metadata.k": "resource", "langfuse.observation.metadata.r": 1}},
    ),
    Vector(
        "Python 5 writes JSON",
        {O + "metadata.x": '"str"', O + "metadata.d": '{"e":1}', O + "metadata": '"plain"'},
        {"metadata": {"x": "str", "d": '{"e":1}'}},
        "langfuse-sdk",
        {"sender": PYTHON_5},
    ),
    Vector(
        "earlier ones do not",
        {O + "metadata.x": '"str"'},
        {"metadata": {"x": '"str"'}},
        "langfuse-sdk",
        {"sender": PYTHON_3},
    ),
)
def test_metadata(vector):
    vector.check()


@vectors(
    Vector(
        "what no rule takes stays readable",
        {
            "http.route": "/",
            "list": ["a", 1],
            O + "level": "DEBUG",
            O + "metadata.k": "v",
            O + "input": "i",
            "langfuse.user.id": "u",
            "gen_ai.usage.input_tokens": 1,
        },
        {
            "shown": {
                "http.route": "/",
                "list": '["a",1]',
                O + "level": "DEBUG",
                "langfuse.user.id": "u",
                "gen_ai.usage.input_tokens": "1",
            }
        },
    ),
    Vector("Langfuse's SDKs have no such metadata", {"k": "v"}, {"shown": {}}, "langfuse-sdk"),
)
def test_shown(vector):
    vector.check()


@pytest.mark.parametrize("scope", CONTENT_KEYS)
def test_content_of_every_convention_leaves_metadata(scope):
    spread = {"gen_ai.prompt.7", "gen_ai.completion.x", "llm.input_messages.0.x", "llm.output_messages.0.x"}
    sent = dict.fromkeys(CONTENT_KEYS[""] | CONTENT_KEYS[scope] | spread, "v")
    Vector("", sent, {"shown": {}}, scope or "test").check()


def test_content_of_one_scope_is_readable_in_others():
    Vector(
        "", {"ai.prompt": "p", "genkit:input": "i"}, {"shown": {"ai.prompt": "p"}}, "genkit-tracer"
    ).check()
