"""OpenTelemetry's GenAI conventions: operations, tools, messages whole or with indices, parameters."""

from __future__ import annotations

import json
from decimal import Decimal

from tests.support.mapping import Vector, vectors
from tests.support.otlp import START

USER = {"role": "user", "parts": [{"type": "text", "content": "hi"}]}
ANSWER = {"role": "assistant", "parts": [{"type": "text", "content": "hello"}], "finish_reason": "stop"}


@vectors(
    *(
        Vector(operation, {"gen_ai.operation.name": operation}, {"type": type_})
        for operation, type_ in {
            "chat": "GENERATION",
            "completion": "GENERATION",
            "text_completion": "GENERATION",
            "generate_content": "GENERATION",
            "generate": "GENERATION",
            "embeddings": "EMBEDDING",
            "invoke_agent": "AGENT",
            "create_agent": "AGENT",
            "execute_tool": "TOOL",
            "Chat": "SPAN",
            "agent_step": "SPAN",
        }.items()
    ),
    Vector("an operation that is no text", {"gen_ai.operation.name": ["chat"]}, {"type": "SPAN"}),
    Vector(
        "a tool without operation is a tool and bears its name",
        {"gen_ai.tool.name": "lookup"},
        {"type": "TOOL", "name": "lookup"},
    ),
    Vector("a call of a tool", {"gen_ai.tool.call.id": "c1"}, {"type": "TOOL", "name": "span"}),
    Vector("an empty tool's name is none", {"gen_ai.tool.name": ""}, {"type": "SPAN", "name": "span"}),
    Vector(
        "an operation stands before the tool it offers",
        {"gen_ai.operation.name": "chat", "gen_ai.tool.name": "lookup"},
        {"type": "GENERATION"},
    ),
)
def test_type_and_name(vector):
    vector.check()


@vectors(
    Vector(
        "messages",
        {"gen_ai.input.messages": json.dumps([USER]), "gen_ai.output.messages": json.dumps([ANSWER])},
        {
            "input": [USER],
            "output": [ANSWER],
            "held": {"gen_ai.input.messages": "input", "gen_ai.output.messages": "output"},
            "shown": {},
        },
    ),
    Vector(
        "instructions in front of them leave metadata",
        {"gen_ai.input.messages": [USER], "gen_ai.system_instructions": [{"type": "text", "content": "S"}]},
        {"input": [{"role": "system", "content": "S"}, USER], "shown": {}},
    ),
    Vector(
        "instructions that have no place stay metadata",
        {"gen_ai.input.messages": '{"role":"user"}', "gen_ai.system_instructions": "S"},
        {"input": '{"role":"user"}', "shown": {"gen_ai.system_instructions": "S"}},
    ),
    Vector(
        "a tool's arguments and result",
        {"gen_ai.tool.call.arguments": {"q": 1}, "gen_ai.tool.call.result": "r"},
        {"input": {"q": 1}, "output": "r", "shown": {}},
    ),
    Vector(
        "messages stand before arguments",
        {"gen_ai.input.messages": "[]", "gen_ai.tool.call.arguments": "a"},
        {"input": "[]"},
    ),
    Vector(
        "messages with indices",
        {
            "gen_ai.prompt.0.role": "system",
            "gen_ai.prompt.0.content": "S",
            "gen_ai.prompt.1.role": "user",
            "gen_ai.prompt.1.content": "hi",
            "gen_ai.completion.0.content": "hi",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.tool_calls.0.name": "f",
        },
        {
            "input": [{"role": "system", "content": "S"}, {"role": "user", "content": "hi"}],
            "output": [{"content": "hi", "role": "assistant", "tool_calls": [{"name": "f"}]}],
            "shown": {},
        },
    ),
    Vector(
        "a side without any is an empty object",
        {"gen_ai.completion.0.content": "hi"},
        {"input": {}, "output": [{"content": "hi"}]},
    ),
    Vector(
        "one attribute for a whole side, kept once",
        {"gen_ai.prompt": '{"messages": []}', "gen_ai.completion": "text"},
        {
            "input": '{"messages": []}',
            "output": "text",
            "held": {"gen_ai.prompt": "input", "gen_ai.completion": "output"},
        },
    ),
    Vector(
        "indices give way to a value and vanish from metadata",
        {"gen_ai.prompt.0.content": "indexed", "input.value": "value"},
        {"input": "value", "output": "", "shown": {}},
    ),
    Vector(
        "indices stand before messages",
        {"gen_ai.prompt.0.content": "indexed", "gen_ai.input.messages": "[]"},
        {"input": [{"content": "indexed"}], "output": {}, "shown": {}},
    ),
    Vector(
        "a hostile index takes no memory",
        {"gen_ai.prompt.999999999.content": "x", "gen_ai.prompt.0.content": "y"},
        {"input": [{"content": "y"}]},
    ),
)
def test_content(vector):
    vector.check()


@vectors(
    Vector(
        "parameters of a request, without the model",
        {
            "gen_ai.request.model": "m",
            "gen_ai.request.temperature": 0.7,
            "gen_ai.request.stop_sequences": ["a", "b"],
            "gen_ai.request.stream": True,
            "gen_ai.request.encoding_formats": "base64",
        },
        {
            "model_parameters": {
                "temperature": 0.7,
                "stop_sequences": '["a","b"]',
                "stream": "true",
                "encoding_formats": "base64",
            }
        },
    ),
    Vector(
        "an agent's usage stays readable, but does not count",
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.request.model": "m",
            "gen_ai.request.top_p": 1,
            "gen_ai.usage.input_tokens": 5,
            "gen_ai.usage.cost": 2,
        },
        {
            "type": "AGENT",
            "model": "",
            "usage": {},
            "provided_cost": {},
            "model_parameters": {"top_p": 1},
            "shown": {
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.request.model": "m",
                "gen_ai.request.top_p": "1",
                "gen_ai.usage.input_tokens": "5",
                "gen_ai.usage.cost": "2",
            },
        },
    ),
    Vector(
        "a step of an agent repeats its calls too",
        {"gen_ai.operation.name": "agent_step", "model": "m", "gen_ai.usage.input_tokens": 5},
        {"type": "GENERATION", "model": "", "usage": {}},
    ),
    Vector("a cost", {"gen_ai.usage.cost": 0.25}, {"provided_cost": {"total": Decimal("0.25")}, "usage": {}}),
    Vector(
        "a cost by its other name", {"llm.cost.total": "0.5"}, {"provided_cost": {"total": Decimal("0.5")}}
    ),
    Vector(
        "seconds to the first chunk",
        {"gen_ai.response.time_to_first_chunk": 0.25},
        {"completion_start_time": START // 1000 + 250_000},
    ),
    Vector(
        "their other name, and what is no time",
        {"gen_ai.client.operation.time_to_first_chunk": "0.25"},
        {"completion_start_time": None},
    ),
    Vector("a conversation is a session", {"gen_ai.conversation.id": "c"}, {"session_id": "c"}),
)
def test_the_rest(vector):
    vector.check()
