"""openai's client traced by OpenLLMetry: Traceloop's SDK with a workflow, a task and a tool of its own.

Prints one line of JSON: the id of its trace.
"""

import json
import os

from opentelemetry import trace
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import task, tool, workflow

Traceloop.init(app_name="weather-bot", disable_batch=True, telemetry_enabled=False)

import openai  # noqa: E402 - after what instruments it

client = openai.OpenAI(base_url=os.environ["MODEL_URL"], api_key="not-needed", max_retries=0)
MESSAGES = [
    {"role": "system", "content": "As you know: be brief."},
    {"role": "user", "content": "Is it raining?"},
]


@tool(name="look_up")
def look_up(city):
    return {"city": city, "weather": "sunny"}


@task(name="ask")
def ask():
    said = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, temperature=0.4)
    for _ in client.chat.completions.create(
        model="gpt-4o-mini", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    ):
        pass
    client.embeddings.create(model="text-embedding-3-small", input="embed me")
    try:
        client.chat.completions.create(model="error-500", messages=MESSAGES)
    except openai.InternalServerError:
        pass
    return said.choices[0].message.content


@workflow(name="rain")
def rain(question):
    Traceloop.set_association_properties({"user_id": "tl-user", "session_id": "tl-session", "team": "red"})
    look_up("Paris")
    ask()
    return trace.get_current_span().get_span_context().trace_id


trace_id = rain("Is it raining?")
print(json.dumps({"trace": f"{trace_id:032x}"}))
