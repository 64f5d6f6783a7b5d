"""Mapping rules, one vector each: type, name, level, place in the trace, content, model, usage, cost."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from tests.support.mapping import PYTHON_5, mapped


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, "SPAN"),
        ({"langfuse.observation.type": "agent"}, "AGENT"),
        ({"langfuse.observation.type": "retriever"}, "RETRIEVER"),
        ({"langfuse.observation.type": "event"}, "EVENT"),
        ({"langfuse.observation.type": "Agent"}, "SPAN"),
        ({"langfuse.observation.type": "nonsense", "gen_ai.operation.name": "chat"}, "GENERATION"),
        ({"langfuse.observation.type": "span", "model": "x"}, "SPAN"),
        ({"gen_ai.operation.name": "generate_content"}, "GENERATION"),
        ({"gen_ai.operation.name": "embeddings"}, "EMBEDDING"),
        ({"gen_ai.operation.name": "create_agent"}, "AGENT"),
        ({"gen_ai.operation.name": "execute_tool"}, "TOOL"),
        ({"gen_ai.operation.name": "other", "gen_ai.tool.call.id": "c1"}, "TOOL"),
        ({"gen_ai.tool.name": "lookup"}, "TOOL"),
        ({"model": "x"}, "GENERATION"),
        ({"gen_ai.request.model": "x"}, "GENERATION"),
        ({"gen_ai.request.model": ""}, "SPAN"),
        ({"traceloop.span.kind": "llm"}, "SPAN"),
    ],
)
def test_type(attributes, expected):
    assert mapped(attributes).type == expected


@pytest.mark.parametrize(
    ("version", "mark", "expected"),
    [
        ("3.2.6", "langfuse.observation.model.name", "GENERATION"),
        ("3.3.9", "langfuse.observation.usage_details", "GENERATION"),
        ("", "langfuse.observation.prompt.name", "GENERATION"),
        ("3.4.0", "langfuse.observation.model.name", "SPAN"),
        ("3.2.6", "langfuse.observation.input", "SPAN"),
    ],
)
def test_type_of_old_python_generations(version, mark, expected):
    observation = mapped(
        {"langfuse.observation.type": "span", mark: "x"},
        scope="langfuse-sdk",
        scope_version=version,
        resource={"telemetry.sdk.language": "python"},
    )
    assert observation.type == expected


def test_the_name_of_a_tool_wins():
    assert mapped({"gen_ai.tool.name": "lookup"}, name="execute_tool lookup").name == "lookup"
    assert mapped(name="plain").name == "plain"
    assert mapped(name="").name == ""


@pytest.mark.parametrize(
    ("sent", "status", "expected"),
    [
        (None, 0, "DEFAULT"),
        (None, 2, "ERROR"),
        ("WARNING", 2, "WARNING"),
        ("warn", 0, "WARNING"),
        ("Verbose", 0, "DEBUG"),
        ("critical", 0, "ERROR"),
        ("success", 2, "DEFAULT"),
        ("weird", 2, "ERROR"),
    ],
)
def test_level(sent, status, expected):
    attributes = {} if sent is None else {"langfuse.observation.level": sent}
    assert mapped(attributes, status=(status, "")).level == expected


def test_status_message():
    assert mapped(status=(2, "from status")).status_message == "from status"
    sent = {"langfuse.observation.status_message": "own"}
    assert mapped(sent, status=(2, "from status")).status_message == "own"


def test_version_and_release():
    resource = {"service.version": "1", "langfuse.release": "r1", "service.name": "shop", "host.name": "h"}
    observation = mapped({}, resource=resource)
    assert (observation.version, observation.release) == ("1", "r1")
    assert (observation.service_name, observation.host_name) == ("shop", "h")
    assert observation.trace.release == "r1"
    observation = mapped({"langfuse.version": "2", "langfuse.release": "r2"}, resource=resource)
    assert (observation.version, observation.release) == ("2", "r2")
    assert observation.trace.version == "2"


@pytest.mark.parametrize(
    ("attributes", "resource", "expected"),
    [
        ({}, {}, "default"),
        ({}, {"deployment.environment": "prod"}, "prod"),
        ({"deployment.environment": "span"}, {"deployment.environment.name": "res"}, "res"),
        ({"langfuse.environment": "a"}, {"langfuse.environment": "b"}, "a"),
        ({"langfuse.environment": ""}, {"langfuse.environment": "b"}, "b"),
        ({"langfuse.environment": "Staging-1"}, {}, "staging-1"),
        ({"langfuse.environment": "langfuse-LANGFUSE_langfuseeval"}, {}, "eval"),
        ({"langfuse.environment": "langfuse"}, {}, "default"),
        ({"langfuse.environment": "with space"}, {}, "default"),
        ({"langfuse.environment": "x" * 50}, {}, "x" * 40),
        ({"langfuse.environment": 5}, {}, "default"),
    ],
)
def test_environment(attributes, resource, expected):
    assert mapped(attributes, resource=resource).environment == expected


@pytest.mark.parametrize(
    ("parent", "attributes", "root", "app_root"),
    [
        (b"", {}, True, False),
        (b"12345678", {}, False, False),
        (b"12345678", {"langfuse.internal.as_root": True}, True, False),
        (b"12345678", {"langfuse.internal.as_root": "true"}, True, False),
        (b"12345678", {"langfuse.internal.as_root": "True"}, False, False),
        (b"12345678", {"langfuse.internal.is_app_root": True}, False, True),
        (b"12345678", {"langfuse.internal.is_app_root": "true"}, False, True),
    ],
)
def test_root(parent, attributes, root, app_root):
    observation = mapped(attributes, parent=parent)
    assert (observation.is_root, observation.is_app_root) == (root, app_root)
    assert observation.parent_id == parent.hex()


def test_entry():
    assert mapped({"gen_ai.is_entry": True}).is_entry
    assert mapped({"langfuse.observation.metadata.gen_ai.is_entry": "true"}).is_entry
    assert not mapped().is_entry


# --- trace attributes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        "langfuse.user.id",
        "user.id",
        "langfuse.observation.metadata.langfuse_user_id",
        "langfuse.trace.metadata.langfuse_user_id",
        "ai.telemetry.metadata.userId",
    ],
)
def test_user(key):
    assert mapped({key: "u"}).trace.user_id == "u"


@pytest.mark.parametrize(
    "key",
    ["langfuse.session.id", "session.id", "gen_ai.conversation.id", "ai.telemetry.metadata.sessionId"],
)
def test_session(key):
    assert mapped({key: "s"}, parent=b"12345678").trace.session_id == "s"


def test_user_and_session_are_text_and_never_empty():
    assert mapped({"user.id": 5, "session.id": ""}).trace.user_id == "5"
    assert mapped({"user.id": 5, "session.id": ""}).trace.session_id is None
    assert mapped({"langfuse.user.id": "first", "user.id": "second"}).trace.user_id == "first"
    quoted = {"langfuse.observation.metadata.langfuse_user_id": '"u"'}
    assert mapped(quoted, sender=PYTHON_5).trace.user_id == "u"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("a, b", ["a", "b"]),
        ('["a","b"]', ["a", "b"]),
        (["a", "b", "a", 5], ["a", "b", "5"]),
        ("one", ["one"]),
        ("[broken", ["[broken"]),
        (5, None),
        ([], None),
    ],
)
def test_tags(sent, expected):
    assert mapped({"langfuse.trace.tags": sent}).trace.tags == expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, None),
        ({"langfuse.trace.public": True}, True),
        ({"langfuse.public": "true"}, True),
        ({"langfuse.trace.public": False}, False),
        ({"langfuse.trace.public": "yes"}, False),
    ],
)
def test_public(attributes, expected):
    assert mapped(attributes).trace.public is expected


def test_trace_name_input_output():
    facts = mapped(
        {"langfuse.trace.name": "n", "langfuse.trace.input": "i", "langfuse.trace.output": ""}
    ).trace
    assert (facts.name, facts.input, facts.output) == ("n", "i", None)


# --- input and output ------------------------------------------------------------------------------------


def test_langfuse_content_wins_and_empty_counts():
    observation = mapped(
        {"langfuse.observation.input": "", "gen_ai.input.messages": "[1]", "gen_ai.output.messages": "[2]"}
    )
    assert (observation.input, observation.output) == ("", "")


def test_gen_ai_messages_get_their_instructions():
    observation = mapped(
        {
            "gen_ai.system_instructions": '[{"type":"text","content":"Be"},{"content":"brief"}]',
            "gen_ai.input.messages": '[{"role":"user","parts":[]}]',
            "gen_ai.output.messages": '[{"role":"assistant"}]',
        }
    )
    assert json.loads(observation.input) == [
        {"role": "system", "content": "Be\nbrief"},
        {"role": "user", "parts": []},
    ]
    assert observation.output == '[{"role":"assistant"}]'


@pytest.mark.parametrize(
    "messages", ['[{"role":"system","content":"x"},{"role":"user"}]', "not json", '{"role":"user"}']
)
def test_instructions_are_skipped_where_they_have_no_place(messages):
    sent = {"gen_ai.system_instructions": "Be brief", "gen_ai.input.messages": messages}
    assert mapped(sent).input == messages


def test_gen_ai_structured_messages_and_plain_instructions():
    observation = mapped({"gen_ai.system_instructions": "S", "gen_ai.input.messages": [{"role": "user"}]})
    assert json.loads(observation.input) == [{"role": "system", "content": "S"}, {"role": "user"}]


def test_gen_ai_tool_content():
    observation = mapped({"gen_ai.tool.call.arguments": '{"q":1}', "gen_ai.tool.call.result": "r"})
    assert (observation.input, observation.output) == ('{"q":1}', "r")


def test_gen_ai_content_on_an_event_wins_over_the_span():
    event = {"gen_ai.input.messages": "[]", "gen_ai.output.messages": '["o"]'}
    observation = mapped(
        {"gen_ai.input.messages": '["span"]'},
        events=[("noise", {}), ("gen_ai.client.inference.operation.details", event)],
    )
    assert (observation.input, observation.output) == ("[]", '["o"]')
    received = json.loads(observation.attributes)
    assert received["held"]["events.1.gen_ai.output.messages"] == "output"
    assert received["events"][1]["attributes"] == {}


def test_gen_ai_messages_as_events():
    events = [
        ("gen_ai.system.message", {"content": "S"}),
        ("noise", {"content": "N"}),
        ("gen_ai.user.message", {"content": "U", "role": "human"}),
        ("gen_ai.choice", {"index": 0, "message": "A"}),
    ]
    observation = mapped({"gen_ai.input.messages": '["span"]'}, events=events)
    assert json.loads(observation.input) == [
        {"role": "system", "content": "S"},
        {"role": "human", "content": "U"},
    ]
    assert json.loads(observation.output) == {"index": 0, "message": "A"}
    two = mapped(events=[("gen_ai.choice", {"index": 0}), ("gen_ai.choice", {"index": 1})])
    assert (two.input, json.loads(two.output)) == ("", [{"index": 0}, {"index": 1}])


# --- model, usage, cost --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"langfuse.observation.model.name": "a", "gen_ai.response.model": "b"}, "a"),
        ({"gen_ai.request.model": "b", "gen_ai.response.model": "c"}, "c"),
        ({"llm.model_name": "d", "model": "e"}, "d"),
        ({"gen_ai.request.model": "b", "gen_ai.operation.name": "invoke_agent"}, ""),
    ],
)
def test_model(attributes, expected):
    assert mapped(attributes).model == expected


def test_agent_spans_do_not_repeat_usage():
    attributes = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.usage.input_tokens": 5,
        "gen_ai.usage.cost": 1.0,
        "gen_ai.request.temperature": 0.5,
    }
    observation = mapped(attributes)
    assert (observation.type, observation.usage, observation.provided_cost) == ("AGENT", {}, {})
    assert json.loads(observation.model_parameters) == {"temperature": 0.5}
    assert json.loads(observation.attributes)["attributes"]["gen_ai.usage.input_tokens"] == 5


def test_model_parameters():
    sent = {"langfuse.observation.model.parameters": '{"t": 1}', "gen_ai.request.top_p": 0.1}
    assert json.loads(mapped(sent).model_parameters) == {"t": 1}
    sent = {"gen_ai.request.model": "m", "gen_ai.request.stop": ["a"], "gen_ai.request.max_tokens": 5}
    assert json.loads(mapped(sent).model_parameters) == {"stop": '["a"]', "max_tokens": 5}
    assert mapped({"gen_ai.request.model": "m"}).model_parameters == ""
    assert mapped({"langfuse.observation.model.parameters": "no json"}).model_parameters == ""


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (
            {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.cache_read.input_tokens": 40},
            {"input": 60, "input_cached_tokens": 40, "total": 100},
        ),
        (
            {"llm.token_count.prompt": 10, "llm.token_count.completion": 5, "llm.token_count.total": 15},
            {"input": 10, "output": 5, "total": 15},
        ),
        (
            {
                "gen_ai.usage.output_tokens": 10,
                "gen_ai.usage.reasoning.output_tokens": 4,
                "llm.token_count.completion_details.audio": 20,
            },
            {"output": 0, "output_reasoning_tokens": 4, "output_audio_tokens": 20, "total": 24},
        ),
        (
            {"gen_ai.usage.prompt_tokens": 7, "gen_ai.usage.input_tokens": 9, "gen_ai.usage.details.x": "3"},
            {"input": 7, "x": 3, "total": 10},
        ),
        ({"gen_ai.usage.input_tokens": "many", "gen_ai.usage.cost": 5}, {}),
        ({"gen_ai.usage.input_tokens": -5}, {}),
        (
            {"langfuse.observation.usage_details": '{"input": 1, "output": 2, "x": 1.5, "y": -1}'},
            {"input": 1, "output": 2, "total": 3},
        ),
        (
            {
                "langfuse.observation.usage_details": json.dumps(
                    {
                        "prompt_tokens": 100,
                        "completion_tokens": 50,
                        "total_tokens": 150,
                        "prompt_tokens_details": {"cached_tokens": 30},
                        "completion_tokens_details": {"reasoning_tokens": 20},
                    }
                )
            },
            {
                "input": 70,
                "input_cached_tokens": 30,
                "output": 30,
                "output_reasoning_tokens": 20,
                "total": 150,
            },
        ),
        ({"langfuse.observation.usage_details": "[1]", "gen_ai.usage.input_tokens": 5}, {}),
        (
            {"langfuse.observation.usage_details": "{oops", "gen_ai.usage.input_tokens": 5},
            {"input": 5, "total": 5},
        ),
    ],
)
def test_usage(attributes, expected):
    assert mapped(attributes).usage == expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (
            {"langfuse.observation.cost_details": '{"input": 0.1, "output": 2e-7, "bad": -1, "worse": "x"}'},
            {"input": Decimal("0.1"), "output": Decimal("2E-7")},
        ),
        ({"gen_ai.usage.cost": 0.25}, {"total": Decimal("0.25")}),
        ({"llm.cost.total": "0.5"}, {"total": Decimal("0.5")}),
        ({"langfuse.observation.cost_details": "{}", "gen_ai.usage.cost": 1}, {}),
        ({"gen_ai.usage.cost": float("inf")}, {}),
    ],
)
def test_provided_cost(attributes, expected):
    assert mapped(attributes).provided_cost == expected


def test_prompt_link_of_generations_only():
    link = {"langfuse.observation.prompt.name": "folder/p", "langfuse.observation.prompt.version": 3}
    generation = mapped(link | {"langfuse.observation.type": "generation"})
    assert (generation.prompt_name, generation.prompt_version) == ("folder/p", 3)
    assert mapped(link | {"langfuse.observation.type": "span"}).prompt_name == ""
    odd = {
        "langfuse.observation.type": "generation",
        "langfuse.prompt.name": "p",
        "langfuse.prompt.version": "x",
    }
    assert (mapped(odd).prompt_name, mapped(odd).prompt_version) == ("p", None)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("2026-01-01T00:00:00.5Z", 1_767_225_600_500_000),
        ('"2026-01-01T01:00:00+01:00"', 1_767_225_600_000_000),
        ("soon", None),
        (5, None),
        ("0001-01-01T00:00:00+23:00", 0),
    ],
)
def test_completion_start(sent, expected):
    assert mapped({"langfuse.observation.completion_start_time": sent}).completion_start_time == expected
