"""A small program as its author would trace it, with the Langfuse SDK 3, 4 or 5: one trace with everything.

Prints one line of JSON: the id of its trace, where the SDK says it can be seen, how it reads it back, and the
id of a second trace, with a picture.
"""

import base64
import json
import os

from langfuse import get_client, observe, propagate_attributes
from langfuse.media import LangfuseMedia
from langfuse.openai import openai

langfuse = get_client()
assert langfuse.auth_check() is True

client = openai.OpenAI(base_url=os.environ["MODEL_URL"], api_key="not-needed", max_retries=0)
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def messages(question):
    return [
        {"role": "system", "content": "As you know: answer briefly."},
        {"role": "user", "content": question},
    ]


def read(stream):
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


@observe()
def ask(question):
    plain = client.chat.completions.create(
        model="gpt-4o", messages=messages(question), temperature=0.2, name="plain", metadata={"step": "plain"}
    )
    read(
        client.chat.completions.create(
            model="gpt-4o",
            messages=messages(question),
            stream=True,
            stream_options={"include_usage": True},
            name="streamed",
        )
    )
    read(
        client.chat.completions.create(
            model="kimi-k2-250711", messages=messages(question), stream=True, name="streamed-without-usage"
        )
    )
    client.chat.completions.create(
        model="gpt-4o", messages=messages(question), tools=[WEATHER], name="with-tool"
    )
    client.responses.create(model="gpt-4o", input=question, name="response")
    client.embeddings.create(model="text-embedding-3-small", input=question, name="embedding")
    try:
        client.chat.completions.create(model="error-429", messages=messages(question), name="refused")
    except openai.RateLimitError:
        pass
    return plain.choices[0].message.content


@observe(as_type="tool")
def look_up(city):
    raise LookupError(f"no weather for {city}")


@observe(name="assistant")
def main(question):
    with propagate_attributes(
        user_id="user-1",
        session_id="session-1",
        tags=["tour", "demo"],
        metadata={"email": "ann@example.org"},
        version="1.0.0",
    ):
        try:
            look_up("Atlantis")
        except LookupError:
            pass
        answer = ask(question)
        langfuse.score_current_trace(name="liked", value=0.75, comment="ok")
        trace_id = langfuse.get_current_trace_id()
    return {"answer": answer, "trace_id": trace_id}


def read_back(trace_id):
    """The trace through the SDK's own models, which refuse what they do not know; 5.x cannot read traces."""
    if not hasattr(langfuse.api.trace, "get"):
        return None
    trace = langfuse.api.trace.get(trace_id)
    return {"name": trace.name, "observations": len(trace.observations)}


PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@observe(capture_input=False)
def look():
    return {"picture": LangfuseMedia(content_bytes=PICTURE, content_type="image/png")}


trace_id = main("Is it raining in 北京?")["trace_id"]
langfuse.create_score(trace_id=trace_id, name="label", value="good", data_type="CATEGORICAL")
langfuse.create_score(trace_id=trace_id, name="right", value=1, data_type="BOOLEAN")
picture = langfuse.create_trace_id()
look(langfuse_trace_id=picture)
langfuse.flush()
url = langfuse.get_trace_url(trace_id=trace_id)
print(json.dumps({"trace": trace_id, "url": url, "read_back": read_back(trace_id), "picture": picture}))
