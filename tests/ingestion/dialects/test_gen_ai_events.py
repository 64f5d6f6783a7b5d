"""Messages on events of a span."""

from __future__ import annotations

from tests.support.mapping import Vector, vectors

DETAILS = "gen_ai.client.inference.operation.details"


def events(*of):
    """Arguments of a span with these events."""
    return {"events": list(of)}


@vectors(
    Vector(
        "the details of an operation stand before the span",
        {"gen_ai.input.messages": '["span"]', "input.value": "value"},
        {
            "input": '["event"]',
            "output": "",
            "held": {"events.1.gen_ai.input.messages": "input"},
            "shown": {},
        },
        span=events(("other", {}), (DETAILS, {"gen_ai.input.messages": '["event"]'})),
    ),
    Vector(
        "details with instructions",
        {},
        {"input": [{"role": "system", "content": "S"}, 1]},
        span=events((DETAILS, {"gen_ai.input.messages": "[1]", "gen_ai.system_instructions": "S"})),
    ),
    Vector(
        "details without messages leave it to the span",
        {"input.value": "value"},
        {"input": "value"},
        span=events((DETAILS, {"gen_ai.request.model": "m"})),
    ),
    Vector(
        "the first details that have messages count",
        {},
        {"input": "[1]", "held": {"events.1.gen_ai.input.messages": "input"}},
        span=events((DETAILS, {}), (DETAILS, {"gen_ai.input.messages": "[1]"})),
    ),
    Vector(
        "one event a message, with the role of its name or its own",
        {"input.value": "value"},
        {
            "input": [
                {"role": "system", "content": "S"},
                {"role": "human", "content": "U"},
                {"role": "assistant", "tool_calls": [{"id": "c"}]},
                {"role": "tool", "id": "c", "content": "T"},
            ],
            "output": {"index": 0, "message": {"content": "A"}},
        },
        span=events(
            ("gen_ai.system.message", {"content": "S"}),
            ("gen_ai.user.message", {"content": "U", "role": "human"}),
            ("gen_ai.assistant.message", {"tool_calls": [{"id": "c"}]}),
            ("gen_ai.tool.message", {"id": "c", "content": "T"}),
            ("gen_ai.choice", {"index": 0, "message": {"content": "A"}}),
        ),
    ),
    Vector(
        "two choices are a list",
        {},
        {"input": "", "output": [{"index": 0}, {"index": 1}]},
        span=events(("gen_ai.choice", {"index": 0}), ("gen_ai.choice", {"index": 1})),
    ),
    Vector(
        "a prompt and a completion on events",
        {"input.value": "value"},
        {"input": '[{"role":"user"}]', "output": "done"},
        span=events(
            ("gen_ai.content.prompt", {"gen_ai.prompt": '[{"role":"user"}]'}),
            ("gen_ai.content.completion", {"gen_ai.completion": "done"}),
        ),
    ),
    Vector(
        "they follow any convention",
        {},
        {"input": "p", "output": [{"message": {"role": "assistant"}}]},
        span=events(
            ("gen_ai.content.prompt", {"prompt": "p"}),
            ("gen_ai.content.completion", {"llm.output_messages.0.message.role": "assistant"}),
        ),
    ),
    Vector(
        "or none: then all they say counts",
        {},
        {"input": {"text": "hi", "n": 1}, "output": ""},
        span=events(("gen_ai.content.prompt", {"text": "hi", "n": 1}), ("gen_ai.content.completion", {})),
    ),
    Vector(
        "an exception is no message",
        {},
        {"input": "", "output": "", "status_message": ""},
        span=events(("exception", {"exception.message": "boom"})),
    ),
)
def test_events(vector):
    vector.check()
