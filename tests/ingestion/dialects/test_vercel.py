"""Vercel's AI SDK: what is bound to its scope, and what is not."""

from __future__ import annotations

import json

from tests.support.mapping import Vector, vectors
from tests.support.otlp import START

MODEL = {"ai.model.id": "gpt-4o"}
TOOL = {"type": "function", "name": "weather", "description": "d", "inputSchema": {"type": "object"}}


@vectors(
    *(
        Vector(operation, {"ai.operationId": operation, **MODEL}, {"type": type_})
        for operation, type_ in {
            "ai.generateText.doGenerate": "GENERATION",
            "ai.streamText.doStream": "GENERATION",
            "ai.generateObject.doGenerate": "GENERATION",
            "ai.streamObject.doStream": "GENERATION",
            "ai.embed.doEmbed": "EMBEDDING",
            "ai.embedMany.doEmbed": "EMBEDDING",
            "ai.generateText": "SPAN",
            "ai.streamText.doStreamX": "SPAN",
            "ai.toolCall": "TOOL",
        }.items()
    ),
    Vector(
        "an operation's name may go on",
        {"operation.name": "ai.streamText.doStream my-function", "gen_ai.request.model": "m"},
        {"type": "GENERATION"},
    ),
    Vector("a call without model is none", {"ai.operationId": "ai.embed.doEmbed"}, {"type": "SPAN"}),
    Vector("a tool by its operation's name", {"operation.name": "ai.toolCall fn"}, {"type": "TOOL"}),
)
def test_type(vector):
    vector.check()


@vectors(
    Vector(
        "a tool's name", {"ai.toolCall.name": "weather", "ai.operationId": "ai.toolCall"}, {"name": "weather"}
    ),
    Vector("an operation", {"ai.operationId": "ai.embed"}, {"name": "ai.embed"}),
    Vector(
        "an operation of a function",
        {"ai.operationId": "ai.embed", "ai.telemetry.functionId": "search"},
        {"name": "search:ai.embed"},
    ),
    Vector("a function alone names nothing", {"ai.telemetry.functionId": "search"}, {"name": "span"}),
)
def test_name(vector):
    vector.check()


@vectors(
    Vector(
        "messages before the prompt",
        {"ai.prompt.messages": "[1]", "ai.prompt": "{}", "ai.response.text": "t"},
        {
            "input": "[1]",
            "output": "t",
            "held": {"ai.prompt.messages": "input", "ai.response.text": "output"},
        },
        "ai",
    ),
    Vector(
        "a tool's arguments and result",
        {"ai.toolCall.args": '{"a":1}', "ai.toolCall.result": '{"b":2}'},
        {"input": '{"a":1}', "output": '{"b":2}'},
        "ai",
    ),
    Vector(
        "text and tool calls become a message, as sent",
        {"ai.response.text": "let me look", "ai.response.toolCalls": '[{"toolName":"x"}]'},
        {
            "output": {
                "role": "assistant",
                "content": "let me look",
                "tool_calls": '[{"toolName":"x"}]',
            },
            "held": {},
        },
        "ai",
    ),
    Vector(
        "an empty text gives way to tool calls",
        {"ai.response.text": "", "ai.response.toolCalls": "[2]"},
        {"output": "[2]"},
        "ai",
    ),
    *(
        Vector(f"{key} is an output", {key: "o"}, {"output": "o", "shown": {}}, "ai")
        for key in (
            "ai.result.text",
            "ai.response.object",
            "ai.result.object",
            "ai.response.toolCalls",
            "ai.result.toolCalls",
        )
    ),
    Vector(
        "a missing side comes from the common convention",
        {"ai.prompt": "p", "gen_ai.input.messages": "[1]", "gen_ai.output.messages": "[2]"},
        {"input": "p", "output": "[2]", "held": {"ai.prompt": "input", "gen_ai.output.messages": "output"}},
        "ai",
    ),
    Vector("it ends the search", {"input.value": "i"}, {"input": "", "output": ""}, "ai"),
    Vector("other scopes know nothing of it", {"ai.prompt": "p", "input.value": "i"}, {"input": "i"}),
    Vector(
        "Langfuse's own content wins",
        {"ai.prompt": "p", "langfuse.observation.output": "o"},
        {"input": "", "output": "o"},
        "ai",
    ),
)
def test_content(vector):
    vector.check()


@vectors(
    Vector(
        "nine settings, always",
        {
            "ai.settings.maxSteps": 3,
            "ai.prompt.toolChoice": '{"type":"auto"}',
            "gen_ai.request.max_tokens": 100,
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.system": "openai.chat",
            "ai.settings.maxRetries": 2,
            "gen_ai.request.temperature": 0.5,
            "ai.response.providerMetadata": '{"openai":{"serviceTier":"flex"}}',
            "gen_ai.request.service_tier": "auto",
        },
        {
            "model_parameters": {
                "maxSteps": "3",
                "toolChoice": '{"type":"auto"}',
                "maxTokens": "100",
                "finishReason": '["stop"]',
                "system": "openai.chat",
                "maxRetries": "2",
                "mode": None,
                "temperature": "0.5",
                "service_tier": "flex",
            }
        },
        "ai",
    ),
    Vector(
        "Langfuse's parameters go over them",
        {
            "langfuse.observation.model.parameters": '{"mode": "mine", "x": 1}',
            "ai.settings.mode": "theirs",
            "ai.model.provider": "p",
            "gen_ai.finishReason": "length",
            "gen_ai.request.service_tier": "auto",
        },
        {
            "model_parameters": {
                "maxSteps": None,
                "toolChoice": None,
                "maxTokens": None,
                "finishReason": "length",
                "system": "p",
                "maxRetries": None,
                "mode": "mine",
                "temperature": None,
                "service_tier": "auto",
                "x": 1,
            }
        },
        "ai",
    ),
)
def test_parameters(vector):
    vector.check()


def provider(**metadata):
    """The attribute with what a provider added."""
    return {"ai.response.providerMetadata": json.dumps(metadata)}


CALL = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 50}


@vectors(
    Vector("both sides are always given", {}, {"usage": {"input": 0, "output": 0, "total": 0}}, "ai"),
    Vector(
        "older names of tokens",
        {"gen_ai.usage.prompt_tokens": 7, "gen_ai.usage.completion_tokens": 3},
        {"usage": {"input": 7, "output": 3, "total": 10}},
        "ai",
    ),
    Vector(
        "tokens of an embedding",
        {"ai.usage.tokens": 5},
        {"usage": {"input": 0, "output": 0, "total": 5}},
        "ai",
    ),
    Vector(
        "own numbers win over the provider's",
        {
            **CALL,
            "ai.usage.cachedInputTokens": 40,
            "ai.usage.reasoningTokens": 20,
            **provider(openai={"cachedPromptTokens": 1, "reasoningTokens": 1, "acceptedPredictionTokens": 2}),
        },
        {
            "usage": {
                "input": 60,
                "output": 30,
                "input_cached_tokens": 40,
                "output_reasoning_tokens": 20,
                "accepted_prediction_tokens": 2,
                "total": 152,
            }
        },
        "ai",
    ),
    Vector(
        "Anthropic's cache, split by how long it lasts",
        {
            **CALL,
            **provider(
                anthropic={
                    "usage": {
                        "cache_creation_input_tokens": 30,
                        "cache_read_input_tokens": 20,
                        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 5},
                    }
                }
            ),
        },
        {
            "usage": {
                "input": 50,
                "output": 50,
                "input_cached_tokens": 20,
                "input_cache_creation": 15,
                "input_cache_creation_5m": 10,
                "input_cache_creation_1h": 5,
                "total": 150,
            }
        },
        "ai",
    ),
    Vector(
        "Bedrock's cache; what is written is no part of the input",
        {
            **CALL,
            **provider(
                bedrock={
                    "usage": {
                        "cacheReadInputTokens": 10,
                        "cacheWriteInputTokens": 20,
                        "cacheCreationInputTokens": 30,
                    }
                }
            ),
        },
        {
            "usage": {
                "input": 60,
                "output": 50,
                "input_cache_read": 10,
                "input_cache_write": 20,
                "input_cache_creation": 30,
                "total": 170,
            }
        },
        "ai",
    ),
    Vector(
        "openai before anthropic",
        {
            **CALL,
            **provider(openai={"cachedPromptTokens": 1}, anthropic={"usage": {"cache_read_input_tokens": 2}}),
        },
        {"usage": {"input": 99, "output": 50, "input_cached_tokens": 1, "total": 150}},
        "ai",
    ),
    Vector(
        "parts larger than the whole leave nothing",
        {"gen_ai.usage.input_tokens": 5, "ai.usage.cachedInputTokens": 40},
        {"usage": {"input": 0, "output": 0, "input_cached_tokens": 40, "total": 40}},
        "ai",
    ),
    Vector(
        "a span around a call does not count its tokens again",
        {"ai.operationId": "ai.generateText", "ai.usage.cachedInputTokens": 40, "ai.usage.tokens": 5},
        {"usage": {"input": 0, "output": 0, "total": 0}},
        "ai",
    ),
    Vector(
        "an operation that is no text",
        {"ai.operationId": ["ai.embed"], "ai.usage.tokens": 5},
        {"usage": {"input": 0, "output": 0, "total": 5}},
        "ai",
    ),
    Vector(
        "Langfuse's usage wins",
        {"langfuse.observation.usage_details": '{"input": 1}', **CALL},
        {"usage": {"input": 1, "total": 1}},
        "ai",
    ),
    Vector(
        "what a provider sends in another shape is skipped",
        {
            **CALL,
            **provider(openai=5, anthropic={"usage": []}, bedrock={"usage": {"cacheReadInputTokens": "x"}}),
        },
        {"usage": {"input": 100, "output": 50, "total": 150}},
        "ai",
    ),
)
def test_usage(vector):
    vector.check()


@vectors(
    Vector(
        "definitions are JSON texts in a list",
        {"ai.prompt.messages": '[{"role":"user"}]', "ai.prompt.tools": [json.dumps(TOOL)]},
        {"input": {"messages": [{"role": "user"}], "tools": [TOOL]}, "shown": {}},
        "ai",
    ),
    Vector(
        "a prompt with system and messages",
        {"ai.prompt": '{"prompt":"hi"}', "ai.prompt.tools": [json.dumps(TOOL)]},
        {"input": {"prompt": "hi", "tools": [TOOL]}},
        "ai",
    ),
)
def test_tools(vector):
    vector.check()


LINK = '{"name":"p","version":3,"labels":[]}'
GENERATION = {"langfuse.observation.type": "generation"}


@vectors(
    Vector(
        "a prompt in telemetry metadata",
        {**GENERATION, "ai.telemetry.metadata.langfusePrompt": LINK},
        {"prompt": ("p", 3), "metadata": {}},
    ),
    Vector(
        "Langfuse's own link wins",
        {**GENERATION, "langfuse.prompt.name": "q", "ai.telemetry.metadata.langfusePrompt": LINK},
        {"prompt": ("q", None)},
    ),
    Vector(
        "a fallback is no link",
        {**GENERATION, "ai.telemetry.metadata.langfusePrompt": '{"name":"p","isFallback":true}'},
        {"prompt": ("", None)},
    ),
    Vector(
        "user, session and tags in telemetry metadata",
        {
            "ai.telemetry.metadata.userId": "u",
            "ai.telemetry.metadata.sessionId": "s",
            "ai.telemetry.metadata.tags": ["t"],
            "ai.telemetry.metadata.k": "v",
        },
        {"user_id": "u", "session_id": "s", "tags": ["t"], "metadata": {"k": "v"}, "shown": {}},
        "ai",
    ),
)
def test_prompt_and_trace(vector):
    vector.check()


STARTED = START // 1000  # microseconds


@vectors(
    Vector(
        "milliseconds, rounded up",
        {"ai.response.msToFirstChunk": 12.2},
        {"completion_start_time": STARTED + 13_000},
    ),
    Vector("of a stream", {"ai.stream.msToFirstChunk": 5}, {"completion_start_time": STARTED + 5_000}),
    Vector(
        "of the response first",
        {"ai.response.msToFirstChunk": 1, "ai.stream.msToFirstChunk": 5},
        {"completion_start_time": STARTED + 1_000},
    ),
    *(
        Vector(f"{sent!r} is no time", {"ai.response.msToFirstChunk": sent}, {"completion_start_time": None})
        for sent in (-1, "12", 1e300, True)
    ),
)
def test_completion_start(vector):
    vector.check()
