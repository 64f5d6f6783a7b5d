"""openai's client traced by OpenInference, sent by OpenTelemetry's own exporter, span by span.

Prints one line of JSON: the id of its trace.
"""

import json
import os

import openai
from openinference.instrumentation import using_attributes
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
OpenAIInstrumentor().instrument(tracer_provider=provider)

client = openai.OpenAI(base_url=os.environ["MODEL_URL"], api_key="not-needed", max_retries=0)
MESSAGES = [
    {"role": "system", "content": "As you know: be brief."},
    {"role": "user", "content": "Is it raining?"},
]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
ROOT = {"openinference.span.kind": "CHAIN", "input.value": "in", "output.value": "out"}

tracer = trace.get_tracer("app", tracer_provider=provider)
with (
    using_attributes(session_id="oi-session", user_id="oi-user", metadata={"team": "red"}, tags=["oi"]),
    tracer.start_as_current_span(
        "oi-root", attributes={**ROOT, "user.id": "oi-user", "session.id": "oi-session"}
    ) as root,
):
    client.chat.completions.create(model="gpt-4o", messages=MESSAGES, temperature=0.4)
    for _ in client.chat.completions.create(
        model="gpt-4o-mini", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    ):
        pass
    client.chat.completions.create(model="gpt-4.1", messages=MESSAGES, tools=[WEATHER])
    client.embeddings.create(model="text-embedding-3-small", input="embed me")
    try:
        client.chat.completions.create(model="error-500", messages=MESSAGES)
    except openai.InternalServerError:
        pass

provider.shutdown()
print(json.dumps({"trace": f"{root.get_span_context().trace_id:032x}"}))
