"""OpenLLMetry: entities before indexed messages; the kind of a span is not asked for."""

from __future__ import annotations

from tests.support.mapping import Vector, vectors

CALL = {
    "gen_ai.system": "OpenAI",
    "gen_ai.request.model": "gpt-4o",
    "llm.request.type": "chat",
    "llm.usage.total_tokens": 10,
    "gen_ai.usage.prompt_tokens": 8,
    "gen_ai.usage.completion_tokens": 2,
    "gen_ai.prompt.0.role": "user",
    "gen_ai.prompt.0.content": "hi",
    "gen_ai.completion.0.finish_reason": "stop",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.content": "hello",
}


@vectors(
    Vector(
        "a workflow",
        {
            "traceloop.span.kind": "workflow",
            "traceloop.entity.name": "joke",
            "traceloop.entity.input": '{"args": []}',
            "traceloop.entity.output": '"done"',
        },
        {
            "type": "SPAN",
            "input": '{"args": []}',
            "output": '"done"',
            "held": {"traceloop.entity.input": "input", "traceloop.entity.output": "output"},
            "shown": {"traceloop.span.kind": "workflow", "traceloop.entity.name": "joke"},
        },
    ),
    Vector(
        "a model call",
        CALL,
        {
            "type": "GENERATION",
            "model": "gpt-4o",
            "usage": {"input": 8, "output": 2, "total": 10},
            "input": [{"role": "user", "content": "hi"}],
            "output": [{"finish_reason": "stop", "role": "assistant", "content": "hello"}],
            "shown": {
                "gen_ai.system": "OpenAI",
                "gen_ai.request.model": "gpt-4o",
                "llm.request.type": "chat",
                "llm.usage.total_tokens": "10",
                "gen_ai.usage.prompt_tokens": "8",
                "gen_ai.usage.completion_tokens": "2",
            },
        },
        scope="opentelemetry.instrumentation.openai.v1",
    ),
    Vector(
        "the entity stands before messages",
        {**CALL, "traceloop.entity.input": "e"},
        {"input": "e", "output": ""},
    ),
    Vector("its kind makes no type", {"traceloop.span.kind": "agent"}, {"type": "SPAN"}),
    Vector(
        "empty values say nothing",
        {"traceloop.entity.input": "", "input.value": "later"},
        {"input": "later"},
    ),
)
def test_traceloop(vector):
    vector.check()
