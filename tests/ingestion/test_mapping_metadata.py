"""What becomes metadata, and how the attributes are kept as received."""

from __future__ import annotations

import json

import pytest

from apps.ingestion.mapping.shapes import Sender
from apps.tracing.received import system_metadata
from tests.support.mapping import PYTHON_3, PYTHON_5, mapped

# --- metadata ------------------------------------------------------------------------------------------


def test_metadata_keys_and_precedence():
    observation = mapped(
        {
            "langfuse.observation.metadata": '{"a": "bare", "n": {"d": 1}}',
            "langfuse.observation.metadata.a": "dotted",
            "langfuse.observation.metadata.x.y": "flat",
            "langfuse.metadata.shared": 5,
            "ai.telemetry.metadata.k": "v",
            "ai.telemetry.metadata.userId": "u",
        },
        resource={"langfuse.observation.metadata.a": "resource", "langfuse.metadata.r": "resource"},
    )
    assert observation.metadata == {
        "a": "dotted",
        "n": '{"d":1}',
        "x.y": "flat",
        "shared": "5",
        "k": "v",
        "r": "resource",
    }


@pytest.mark.parametrize("bare", ["plain", '"abc"', "5", '["a"]'])
def test_bare_metadata_that_is_no_object_is_dropped(bare):
    assert mapped({"langfuse.observation.metadata": bare, "langfuse.trace.metadata": bare}).metadata == {}


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        (PYTHON_5, {"x": "str", "n": "5", "d": '{"e":1}', "bad": "no json"}),
        (PYTHON_3, {"x": '"str"', "n": "5", "d": '{"e":1}', "bad": "no json"}),
    ],
)
def test_metadata_of_python_5_is_json(sender, expected):
    sent = {"x": '"str"', "n": "5", "d": '{"e":1}', "bad": "no json"}
    attributes = {f"langfuse.observation.metadata.{key}": value for key, value in sent.items()}
    assert mapped(attributes, sender=sender).metadata == expected


def test_python_5_is_known_by_its_scope_when_headers_are_lost():
    observation = mapped(
        {"langfuse.observation.metadata.x": '"str"'},
        scope="langfuse-sdk",
        scope_version="5.0.4",
        resource={"telemetry.sdk.language": "python"},
    )
    assert observation.metadata == {"x": "str"}
    assert (observation.sdk_name, observation.sdk_version) == ("python", "5.0.4")


def test_metadata_of_the_trace():
    attributes = {"langfuse.trace.metadata.t": "1", "langfuse.observation.metadata.o": "2"}
    root = mapped(attributes, sender=PYTHON_3)
    assert (root.metadata, root.trace.metadata) == ({"o": "2"}, {"t": "1", "o": "2"})
    child = mapped(attributes, sender=PYTHON_3, parent=b"12345678")
    assert (child.metadata, child.trace.metadata) == ({"o": "2"}, {"t": "1"})
    propagated = mapped(attributes, sender=Sender("python", "4.18.0"), parent=b"12345678")
    assert propagated.metadata == {"t": "1", "o": "2"}


# --- attributes as received ------------------------------------------------------------------------------


def test_attributes_are_kept_with_content_by_reference():
    observation = mapped(
        {
            "langfuse.observation.input": "in",
            "langfuse.trace.input": "in",
            "langfuse.trace.output": "other",
            "k": {"n": 1},
        },
        resource={"service.name": "shop", "token": "tell-nobody"},
        scope="my.scope",
        events=[("exception", {"exception.type": "E", "authorization": ["Basic x"]})],
    )
    received = json.loads(observation.attributes)
    assert received["attributes"] == {"langfuse.trace.output": "other", "k": {"n": 1}}
    assert received["held"] == {"langfuse.observation.input": "input", "langfuse.trace.input": "input"}
    assert received["resource"] == {"service.name": "shop", "token": "[removed]"}
    assert received["scope"] == {"name": "my.scope", "version": "", "attributes": {}}
    assert received["events"][0]["attributes"] == {"exception.type": "E", "authorization": "[removed]"}


@pytest.mark.parametrize(
    ("key", "removed"),
    [
        ("token", True),
        ("auth_token", True),
        ("http.request.header.authorization", True),
        ("x-api-key", True),
        ("db.password", True),
        ("gen_ai.usage.input_tokens", False),
        ("metadata.user_api_key_alias", False),
        ("llm.token_count.prompt", False),
        ("tokenizer", False),
        ("public_key", False),
    ],
)
def test_credentials_are_not_kept(key, removed):
    received = json.loads(mapped({key: "v", "nested": {key: "v"}}).attributes)["attributes"]
    assert (received[key] == "[removed]", received["nested"][key] == "[removed]") == (removed, removed)


def test_system_metadata_is_read_out_of_them():
    observation = mapped({"a": 1, "b": "x", "langfuse.observation.metadata.k": "v"}, resource={"r": 2})
    assert system_metadata(observation.attributes) == {
        "attributes": {"a": "1", "b": "x"},
        "resourceAttributes": {"r": 2},
        "scope": {"name": "test", "version": "", "attributes": {}},
    }
    own = mapped({"a": 1}, scope="langfuse-sdk")
    assert "attributes" not in system_metadata(own.attributes)
    assert system_metadata("") == {}


def test_a_megabyte_of_input_and_hostile_values_pass():
    observation = mapped(
        {
            "langfuse.observation.input": "x" * 1_000_000,
            "langfuse.observation.model.parameters": "[" * 10_000,
            "gen_ai.input.messages": "[" * 900 + "]" * 900,
            "gen_ai.system_instructions": "s",
            "langfuse.observation.usage_details": '{"input": 1e300, "output": "' + "9" * 5000 + '"}',
            "langfuse.observation.cost_details": '{"total": 1e300}',
        },
        trace_id=bytes(16),
        span_id=bytes(8),
        name="",
    )
    assert len(observation.input) == 1_000_000
    assert (observation.trace_id, observation.id) == ("0" * 32, "0" * 16)
    assert (observation.usage, observation.provided_cost) == ({}, {})
