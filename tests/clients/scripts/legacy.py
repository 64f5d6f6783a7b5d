"""A program on the Langfuse SDK 2, of before OpenTelemetry: client by hand, decorator, openai, scores, media.

Prints one line of JSON: the ids of its traces: by hand, decorated, with a picture.
"""

import base64
import json
import os
from datetime import UTC, datetime, timedelta

from langfuse import Langfuse
from langfuse.decorators import langfuse_context, observe
from langfuse.media import LangfuseMedia
from langfuse.openai import openai

langfuse = Langfuse()
assert langfuse.auth_check() is True
begun = datetime.now(UTC) - timedelta(seconds=5)
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def by_hand(trace_id):
    trace = langfuse.trace(
        id=trace_id,
        name="by hand",
        user_id="user-1",
        session_id="session-1",
        input={"q": "hi"},
        metadata={"m": 1},
        tags=["b", "a"],
        version="1.0.0",
        release="r8",
        public=True,
    )
    step = trace.span(name="step", input={"i": 1}, metadata={"s": True}, start_time=begun)
    call = step.generation(
        name="call",
        model="gpt-4o",
        model_parameters={"temperature": 0.1},
        input=[{"role": "user", "content": "hi"}],
        start_time=begun,
        completion_start_time=begun + timedelta(milliseconds=300),
    )
    call.end(
        output={"role": "assistant", "content": "hello"},
        usage={"input": 10, "output": 20, "unit": "TOKENS", "input_cost": 0.001, "output_cost": 0.002},
        end_time=begun + timedelta(seconds=1),
    )
    counted = trace.generation(
        name="counted",
        model="gpt-4o-mini",
        input="x",
        output="y",
        usage_details={"input": 3, "output": 4, "cache_read_input_tokens": 2},
        cost_details={"input": 0.5, "output": 0.25},
        start_time=begun,
        end_time=begun + timedelta(seconds=2),
    )
    trace.event(name="careful", input="ping", level="WARNING", status_message="be careful")
    step.end(output={"o": 2}, level="DEBUG")
    trace.update(output={"a": "bye"}, metadata={"m2": 2})
    counted.score(name="counted well", value=0.5)
    trace.score(name="quality", value=1, data_type="BOOLEAN", comment="ok")
    langfuse.score(trace_id=trace_id, name="label", value="good", data_type="CATEGORICAL")
    return trace_id


client = openai.OpenAI(base_url=os.environ["MODEL_URL"], api_key="not-needed", max_retries=0)
MESSAGES = [
    {"role": "system", "content": "As you know: answer briefly."},
    {"role": "user", "content": "Is it raining in 北京?"},
]


@observe(as_type="generation")
def manual():
    langfuse_context.update_current_observation(
        model="gpt-4o-mini", input="in", output="out", usage_details={"input": 7, "output": 2}
    )
    return "out"


@observe()
def broken():
    raise ValueError("planned failure")


@observe()
def story(question):
    manual()
    said = client.chat.completions.create(
        model="gpt-4o", messages=MESSAGES, temperature=0.2, name="plain", metadata={"step": "plain"}
    )
    for _ in client.chat.completions.create(
        model="gpt-4o",
        messages=MESSAGES,
        stream=True,
        stream_options={"include_usage": True},
        name="streamed",
    ):
        pass
    for work in (broken, lambda: client.chat.completions.create(model="error-500", messages=MESSAGES)):
        try:
            work()
        except (ValueError, openai.InternalServerError):
            pass
    return said.choices[0].message.content


@observe()
def decorated(question):
    langfuse_context.update_current_trace(
        name="decorated trace",
        user_id="user-2",
        session_id="session-2",
        tags=["deco"],
        metadata={"email": "ann@example.org"},
    )
    langfuse_context.score_current_trace(name="liked", value=0.75)
    story(question)
    return langfuse_context.get_current_trace_id()


hand = by_hand("trace-001")  # any text is an id here
deco = decorated("Is it raining in 北京?")
langfuse_context.flush()
picture = langfuse.trace(
    name="picture", input={"pic": LangfuseMedia(content_bytes=PICTURE, content_type="image/png")}
)
langfuse.flush()
print(json.dumps({"traces": [hand, deco, picture.id]}))
