"""LangSmith's OpenTelemetry mode."""

from __future__ import annotations

from tests.support.mapping import Vector, vectors


@vectors(
    *(
        Vector(kind, {"langsmith.span.kind": kind, "gen_ai.operation.name": kind}, {"type": type_})
        for kind, type_ in {
            "llm": "GENERATION",
            "chain": "CHAIN",
            "tool": "TOOL",
            "retriever": "RETRIEVER",
            "embedding": "EMBEDDING",
            "parser": "SPAN",
        }.items()
    ),
    Vector(
        "the operation goes first",
        {"langsmith.span.kind": "chain", "gen_ai.operation.name": "chat"},
        {"type": "GENERATION"},
    ),
    Vector(
        "user and session of LangChain's metadata",
        {"langsmith.metadata.user_id": "u", "langsmith.metadata.session_id": "s"},
        {"user_id": "u", "session_id": "s"},
    ),
    Vector(
        "a prompt as one attribute",
        {"gen_ai.prompt": '{"messages":[]}', "gen_ai.completion": '{"output":1}'},
        {"input": '{"messages":[]}', "output": '{"output":1}'},
        "langsmith",
    ),
)
def test_langsmith(vector):
    vector.check()
