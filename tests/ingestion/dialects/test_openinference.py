"""OpenInference: kinds, values before messages, tools, embeddings, documents."""

from __future__ import annotations

import json

from tests.support.mapping import Vector, vectors

WEATHER = {
    "type": "function",
    "function": {"name": "weather", "description": "d", "parameters": {"type": "object"}},
}


@vectors(
    *(
        Vector(kind, {"openinference.span.kind": kind}, {"type": type_})
        for kind, type_ in {
            "LLM": "GENERATION",
            "CHAIN": "CHAIN",
            "RETRIEVER": "RETRIEVER",
            "EMBEDDING": "EMBEDDING",
            "AGENT": "AGENT",
            "TOOL": "TOOL",
            "GUARDRAIL": "GUARDRAIL",
            "EVALUATOR": "EVALUATOR",
            "RERANKER": "SPAN",
            "UNKNOWN": "SPAN",
            "llm": "SPAN",
        }.items()
    ),
    Vector(
        "an unknown kind falls through",
        {"openinference.span.kind": "RERANKER", "model": "m"},
        {"type": "GENERATION"},
    ),
    Vector(
        "the kind stands before the operation",
        {"openinference.span.kind": "AGENT", "gen_ai.operation.name": "chat"},
        {"type": "AGENT"},
    ),
)
def test_kind(vector):
    vector.check()


@vectors(
    Vector(
        "values come before messages, which vanish from metadata",
        {
            "input.value": '{"messages": []}',
            "input.mime_type": "application/json",
            "output.value": "hello",
            "llm.input_messages.0.message.role": "user",
            "llm.output_messages.0.message.role": "assistant",
        },
        {
            "input": '{"messages": []}',
            "output": "hello",
            "held": {"input.value": "input", "output.value": "output"},
            "shown": {"input.mime_type": "application/json"},
        },
    ),
    Vector(
        "messages are put together from their indices",
        {
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.contents.0.message_content.type": "text",
            "llm.input_messages.0.message.contents.0.message_content.text": "hi",
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "weather",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": "{}",
        },
        {
            "input": [
                {
                    "message": {
                        "role": "user",
                        "contents": [{"message_content": {"type": "text", "text": "hi"}}],
                    }
                }
            ],
            "output": [
                {
                    "message": {
                        "role": "assistant",
                        "tool_calls": [{"tool_call": {"function": {"name": "weather", "arguments": "{}"}}}],
                    }
                }
            ],
            "shown": {},
        },
    ),
    Vector(
        "a side without messages is empty",
        {"llm.input_messages.0.message.role": "user"},
        {"input": [{"message": {"role": "user"}}], "output": ""},
    ),
    Vector(
        "a retriever gives what it found",
        {
            "openinference.span.kind": "RETRIEVER",
            "input.value": "query",
            "retrieval.documents.0.document.content": "text",
            "retrieval.documents.0.document.score": 0.5,
        },
        {
            "input": "query",
            "output": [{"document": {"content": "text", "score": 0.5}}],
            "shown": {"openinference.span.kind": "RETRIEVER"},
        },
    ),
    Vector(
        "a retriever's own output stays",
        {"input.value": "q", "output.value": "o", "retrieval.documents.0.document.content": "t"},
        {"output": "o", "shown": {"retrieval.documents.0.document.content": "t"}},
    ),
    Vector(
        "one embedded text is the input, its vector stays metadata",
        {
            "embedding.embeddings.0.embedding.text": "embed me",
            "embedding.embeddings.0.embedding.vector": [0.5, 1.0],
        },
        {
            "input": "embed me",
            "output": "",
            "shown": {"embedding.embeddings.0.embedding.vector": "[0.5,1.0]"},
        },
    ),
    Vector(
        "several embedded texts are a list",
        {"embedding.embeddings.0.embedding.text": "a", "embedding.embeddings.1.embedding.text": "b"},
        {"input": ["a", "b"]},
    ),
    Vector(
        "a reranker's query and documents",
        {
            "reranker.query": "q",
            "reranker.input_documents.0.document.content": "a",
            "reranker.output_documents.0.document.content": "b",
            "reranker.top_k": 1,
        },
        {
            "input": {"query": "q", "documents": [{"document": {"content": "a"}}]},
            "output": [{"document": {"content": "b"}}],
            "shown": {"reranker.top_k": "1"},
        },
    ),
)
def test_content(vector):
    vector.check()


@vectors(
    Vector(
        "an invocation's parameters",
        {"llm.invocation_parameters": '{"temperature": 0.4}', "gen_ai.request.top_p": 1},
        {"model_parameters": {"temperature": 0.4}},
    ),
    Vector(
        "parameters one by one, without the model",
        {"llm.invocation_parameters.top_k": 4, "llm.invocation_parameters.model": "m"},
        {"model_parameters": {"top_k": 4}},
    ),
    Vector(
        "parameters that are no object are skipped",
        {"llm.invocation_parameters": "[1]", "gen_ai.request.top_p": 1},
        {"model_parameters": {"top_p": 1}},
    ),
    Vector(
        "an embedding's model and parameters",
        {"embedding.model_name": "e3", "embedding.invocation_parameters": '{"dimensions": 8}'},
        {"model": "e3", "model_parameters": {"dimensions": 8}, "type": "SPAN"},
    ),
    Vector("a reranker's model", {"reranker.model_name": "r"}, {"model": "r"}),
    Vector(
        "the model's usual name wins", {"embedding.model_name": "e", "llm.model_name": "m"}, {"model": "m"}
    ),
    Vector(
        "token counts with details",
        {
            "llm.token_count.prompt": 12,
            "llm.token_count.completion": 10,
            "llm.token_count.total": 22,
            "llm.token_count.prompt_details.cache_read": 4,
            "llm.token_count.prompt_details.cache_write": 3,
            "llm.token_count.prompt_details.audio": 0,
            "llm.token_count.completion_details.reasoning": 5,
            "llm.token_count.completion_details.audio": 1,
        },
        {
            "usage": {
                "input": 5,
                "output": 4,
                "total": 22,
                "input_cached_tokens": 4,
                "input_cache_creation": 3,
                "output_reasoning_tokens": 5,
                "output_audio_tokens": 1,
                "prompt_details.audio": 0,
            }
        },
    ),
    Vector(
        "user, session and tags",
        {"user.id": "u", "session.id": "s", "tag.tags": ["a", "b"]},
        {"user_id": "u", "session_id": "s", "tags": ["a", "b"]},
    ),
)
def test_model_and_trace(vector):
    vector.check()


@vectors(
    Vector(
        "definitions move into the input",
        {
            "input.value": '[{"role":"user"}]',
            "llm.tools.0.tool.json_schema": json.dumps(WEATHER),
            "llm.tools.1.tool.json_schema": json.dumps(WEATHER),
        },
        {"input": {"messages": [{"role": "user"}], "tools": [WEATHER]}, "shown": {}},
    ),
    Vector(
        "an input that has them already stays as it is",
        {
            "input.value": json.dumps({"tools": [WEATHER]}),
            "llm.tools.0.tool.json_schema": json.dumps(WEATHER),
        },
        {"input": json.dumps({"tools": [WEATHER]}), "shown": {}},
    ),
    Vector(
        "schemas that cannot be read stay metadata",
        {"llm.tools.0.tool.json_schema": "{oops", "input.value": "i"},
        {"input": "i", "shown": {"llm.tools.0.tool.json_schema": "{oops"}},
    ),
)
def test_tools(vector):
    vector.check()
