"""Programs to copy: one call each way, complete, reading the variables that the set-up page shows."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.tracing.highlight import highlight


@dataclass(frozen=True, slots=True)
class Snippet:
    """One tab of the set-up page."""

    id: str
    label: str | Promise
    install: str  # shell command that comes first; empty for none
    code: str

    @property
    def coloured(self) -> str:
        """The code as HTML; shell commands stay plain."""
        return self.code if self.id == "curl" else highlight(self.code)


_PYTHON = """\
from langfuse import get_client, observe, propagate_attributes
from langfuse.openai import OpenAI

client = OpenAI()


@observe()
def answer(question: str) -> str:
    with propagate_attributes(user_id="ada", session_id="first-steps"):
        reply = client.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": question}],
        )
    return reply.choices[0].message.content


print(answer("Where does the sun rise?"))
get_client().flush()  # a short program ends before the background sender does
"""

_GATEWAY = """\
import os

from langfuse import get_client
from langfuse.openai import OpenAI  # in place of `from openai import OpenAI`

client = OpenAI(
    base_url="https://gateway.example.com/v1",  # any OpenAI-compatible endpoint
    api_key=os.environ["GATEWAY_API_KEY"],
)
stream = client.chat.completions.create(
    name="first-steps",
    model="kimi-k2",
    messages=[{"role": "user", "content": "Where does the sun rise?"}],
    stream=True,
    stream_options={"include_usage": True},  # token counts, which streams leave out
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="")
get_client().flush()
"""

_TYPESCRIPT = """\
import { observeOpenAI } from "@langfuse/openai";
import { LangfuseSpanProcessor } from "@langfuse/otel";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import OpenAI from "openai";

const langfuse = new LangfuseSpanProcessor();
new NodeTracerProvider({ spanProcessors: [langfuse] }).register();

const client = observeOpenAI(new OpenAI());
const reply = await client.chat.completions.create({
  model: "gpt-4o-mini",
  messages: [{ role: "user", content: "Where does the sun rise?" }],
});
console.log(reply.choices[0].message.content);
await langfuse.forceFlush();
"""

_LANGCHAIN = """\
from langchain_openai import ChatOpenAI
from langfuse import get_client
from langfuse.langchain import CallbackHandler

model = ChatOpenAI(model="gpt-4o-mini")
reply = model.invoke("Where does the sun rise?", config={"callbacks": [CallbackHandler()]})
print(reply.content)
get_client().flush()
"""

_LITELLM = """\
import litellm

litellm.callbacks = ["langfuse_otel"]  # in a proxy's config.yaml: litellm_settings.callbacks

reply = litellm.completion(
    model="gpt-4o-mini",
    messages=[{"role": "user", "content": "Where does the sun rise?"}],
)
print(reply.choices[0].message.content)
"""

_OPENTELEMETRY = """\
import base64
import os

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

keys = os.environ["LANGFUSE_PUBLIC_KEY"] + ":" + os.environ["LANGFUSE_SECRET_KEY"]
exporter = OTLPSpanExporter(
    endpoint=os.environ["LANGFUSE_BASE_URL"] + "/api/public/otel/v1/traces",
    headers={"Authorization": "Basic " + base64.b64encode(keys.encode()).decode()},
)
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(exporter))

with provider.get_tracer("first-steps").start_as_current_span("answer") as span:
    span.set_attribute("gen_ai.operation.name", "chat")
    span.set_attribute("gen_ai.request.model", "gpt-4o-mini")
    span.set_attribute("gen_ai.usage.input_tokens", 12)
    span.set_attribute("gen_ai.usage.output_tokens", 5)
provider.shutdown()
"""

_CURL = """\
curl -sS "$LANGFUSE_BASE_URL/api/public/otel/v1/traces" \\
  -u "$LANGFUSE_PUBLIC_KEY:$LANGFUSE_SECRET_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"resourceSpans": [{"scopeSpans": [{"scope": {"name": "first-steps"}, "spans": [{
    "traceId": "'$(openssl rand -hex 16)'", "spanId": "'$(openssl rand -hex 8)'",
    "name": "hello", "kind": 1,
    "startTimeUnixNano": "'$(date +%s)'000000000", "endTimeUnixNano": "'$(date +%s)'250000000",
    "attributes": [
      {"key": "langfuse.observation.input", "value": {"stringValue": "Where does the sun rise?"}},
      {"key": "langfuse.observation.output", "value": {"stringValue": "In the east."}}
    ]}]}]}]}'
"""

_PIP_LITELLM = "pip install litellm opentelemetry-sdk opentelemetry-exporter-otlp"
_NPM = "npm install openai @langfuse/openai @langfuse/otel @opentelemetry/sdk-trace-node"

SNIPPETS = (
    Snippet("python", "Python", "pip install langfuse openai", _PYTHON),
    Snippet("openai", _("OpenAI gateway"), "pip install langfuse openai", _GATEWAY),
    Snippet("typescript", "TypeScript", _NPM, _TYPESCRIPT),
    Snippet("langchain", "LangChain", "pip install langfuse langchain langchain-openai", _LANGCHAIN),
    Snippet(
        "litellm", "LiteLLM", "pip install litellm opentelemetry-sdk opentelemetry-exporter-otlp", _LITELLM
    ),
    Snippet(
        "opentelemetry",
        "OpenTelemetry",
        "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http",
        _OPENTELEMETRY,
    ),
    Snippet("curl", "curl", "", _CURL),
)
