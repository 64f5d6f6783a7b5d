"""An application that sends its spans to two places: by OTLP/gRPC with the key as the resource attribute
`token`, as an observability vendor's guide says, and by the Langfuse SDK, from which its own spans are kept.

Arguments: `blocked` to keep the SDK's spans from Langfuse's own export. OTEL_ENDPOINT is the other place,
TOKEN the key for it. Prints one line of JSON: the ids of its traces: an entry marked by OpenTelemetry, one
marked by the SDK, and one below a web server's span.
"""

import json
import os
import sys

from langfuse import Langfuse, observe
from langfuse.openai import openai
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

resource = Resource.create(
    {"service.name": "shop-assistant", "token": os.environ["TOKEN"], "host.name": "host-1"}
)
provider = TracerProvider(resource=resource)
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=os.environ["OTEL_ENDPOINT"])))
trace.set_tracer_provider(provider)
blocked = {"blocked_instrumentation_scopes": ["langfuse-sdk"]} if "blocked" in sys.argv else {}
langfuse = Langfuse(tracer_provider=provider, **blocked)
client = openai.OpenAI(base_url=os.environ["MODEL_URL"], api_key="not-needed")


@observe(name="run_demo")
def run_demo():
    trace.get_current_span().set_attribute("gen_ai.is_entry", True)
    stream = client.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": "什么是 OpenTelemetry?"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def begin(name):
    """A span by the name that this SDK's line has for it."""
    start = getattr(langfuse, "start_as_current_span", None) or langfuse.start_as_current_observation
    return start(name=name)


run_demo_trace = langfuse.create_trace_id()
run_demo(langfuse_trace_id=run_demo_trace)

with begin("agent-demo") as span:
    span.update(metadata={"gen_ai.is_entry": True})
    with begin("inner"):
        pass
agent_trace = span.trace_id

tracer = trace.get_tracer("shop.web")
with (
    tracer.start_as_current_span("GET /chat", attributes={"http.method": "GET"}) as web,
    begin("llm-entry") as span,
):
    span.update(metadata={"gen_ai.is_entry": True}, input="in", output="out")
web_trace = f"{web.get_span_context().trace_id:032x}"

langfuse.flush()
provider.force_flush()
print(json.dumps({"traces": [run_demo_trace, agent_trace, web_trace]}))
