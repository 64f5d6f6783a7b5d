"""Logfire and Pydantic AI, old and new."""

from __future__ import annotations

import json

from tests.support.mapping import Vector, vectors

SCOPE = "pydantic-ai"
EVENTS = [
    {"event.name": "gen_ai.system.message", "content": "S", "role": "system"},
    {"event.name": "gen_ai.user.message", "content": "U", "role": "user"},
    {"event.name": "gen_ai.choice", "index": 0, "message": {"role": "assistant", "content": "A"}},
    {"event.name": "gen_ai.choice", "index": 1, "message": {"role": "assistant", "content": "B"}},
]
FUNCTION = {"name": "roll", "description": "d", "parameters_json_schema": {"type": "object"}}


@vectors(
    Vector(
        "an agent of the first versions",
        {"prompt": "p", "all_messages_events": "[1]"},
        {"input": "p", "output": "[1]", "shown": {}},
    ),
    Vector(
        "events as JSON; only the first choice is the output",
        {"events": json.dumps(EVENTS)},
        {"input": EVENTS[:2], "output": EVENTS[2], "shown": {}},
    ),
    Vector("events as a list", {"events": EVENTS[1:2]}, {"input": EVENTS[1:2], "output": ""}),
    Vector("only choices", {"events": EVENTS[2:]}, {"input": "", "output": EVENTS[2]}),
    Vector("events that are no messages", {"events": "5", "input.value": "i"}, {"input": "i"}),
    Vector("an empty list of events", {"events": "[]", "input.value": "i"}, {"input": "i"}),
    Vector(
        "a whole request and response, of earlier versions",
        {"request_data": '{"messages":[]}', "response_data": '{"message":{}}'},
        {"input": '{"messages":[]}', "output": '{"message":{}}', "shown": {}},
    ),
    Vector(
        "a request that names only the model",
        {"request_data": '{"model":"m"}'},
        {"input": "", "shown": {"request_data": '{"model":"m"}'}},
    ),
    Vector("a tool or a pipeline", {"input": "i", "output": "o"}, {"input": "i", "output": "o", "shown": {}}),
    Vector(
        "a tool's arguments and response",
        {"gen_ai.tool.name": "roll", "tool_arguments": "{}", "tool_response": "4"},
        {"type": "TOOL", "name": "roll", "input": "{}", "output": "4", "shown": {"gen_ai.tool.name": "roll"}},
    ),
    Vector(
        "a run with instructions in front",
        {
            "pydantic_ai.all_messages": '[{"role":"user","parts":[]}]',
            "gen_ai.system_instructions": '[{"type":"text","content":"Be brief"}]',
            "final_result": "done",
        },
        {
            "input": [{"role": "system", "content": "Be brief"}, {"role": "user", "parts": []}],
            "output": "done",
            "held": {"pydantic_ai.all_messages": "input", "final_result": "output"},
            "shown": {},
        },
        SCOPE,
    ),
    Vector("a run's result alone", {"final_result": "done"}, {"input": "", "output": "done"}, SCOPE),
    Vector(
        "only of its own scope",
        {"final_result": "done", "gen_ai.output.messages": "[]"},
        {"output": "[]"},
        "other",
    ),
    Vector(
        "`final_result` is no answer elsewhere and stays readable",
        {"final_result": "done"},
        {"output": "", "shown": {"final_result": "done"}},
    ),
)
def test_content(vector):
    vector.check()


@vectors(
    Vector("a message names the span", {"logfire.msg": "running 1 tool"}, {"name": "running 1 tool"}),
    Vector("a tool's name goes first", {"logfire.msg": "m", "gen_ai.tool.name": "t"}, {"name": "t"}),
    Vector(
        "the model's settings",
        {"model_config": '{"max_tokens": 5}', "gen_ai.request.top_p": 1},
        {"model_parameters": {"max_tokens": 5}},
    ),
    Vector(
        "an agent's usage is that of its calls",
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "a",
            "model_name": "gpt-4o",
            "gen_ai.usage.input_tokens": 5,
            "gen_ai.request.model": "gpt-4o",
        },
        {"type": "AGENT", "usage": {}, "model": ""},
        SCOPE,
    ),
    Vector(
        "a call's usage with details",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 20,
            "gen_ai.usage.details.cache_read_tokens": 30,
            "gen_ai.usage.details.cache_write_tokens": 10,
            "gen_ai.usage.details.reasoning_tokens": 7,
        },
        {
            "usage": {
                "input": 60,
                "output": 20,
                "input_cached_tokens": 30,
                "input_cache_creation": 10,
                "reasoning_tokens": 7,
                "total": 127,
            }
        },
        SCOPE,
    ),
    Vector(
        "functions of a request, whose other settings stay",
        {
            "gen_ai.input.messages": '[{"role":"user"}]',
            "model_request_parameters": json.dumps({"function_tools": [FUNCTION], "output_mode": "text"}),
        },
        {
            "input": {"messages": [{"role": "user"}], "tools": [FUNCTION]},
            "shown": {
                "model_request_parameters": json.dumps({"function_tools": [FUNCTION], "output_mode": "text"})
            },
        },
        SCOPE,
    ),
    Vector(
        "a request without functions",
        {"gen_ai.input.messages": "[1]", "model_request_parameters": '{"function_tools": []}'},
        {"input": "[1]"},
        SCOPE,
    ),
)
def test_the_rest(vector):
    vector.check()
