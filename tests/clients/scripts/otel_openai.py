"""openai's client traced by OpenTelemetry's own instrumentation, which tells prompts and answers as logs.

Arguments: what goes out first, `logs` or `spans`. Prints one line of JSON: the id of its trace.
"""

import json
import os
import sys

import openai
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "true"
HOUR = 3_600_000  # milliseconds: nothing is sent before it is asked for
spans = TracerProvider()
spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=HOUR))
logs = LoggerProvider()
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(), schedule_delay_millis=HOUR))
OpenAIInstrumentor().instrument(tracer_provider=spans, logger_provider=logs)

client = openai.OpenAI(base_url=os.environ["MODEL_URL"], api_key="not-needed", max_retries=0)
MESSAGES = [
    {"role": "system", "content": "As you know: be brief."},
    {"role": "user", "content": "Is it raining?"},
]
with trace.get_tracer("app", tracer_provider=spans).start_as_current_span("root") as root:
    client.chat.completions.create(model="gpt-4o", messages=MESSAGES, temperature=0.4)
    for _ in client.chat.completions.create(
        model="gpt-4o-mini", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    ):
        pass

for provider in (logs, spans) if sys.argv[1] == "logs" else (spans, logs):
    assert provider.force_flush()
print(json.dumps({"trace": f"{root.get_span_context().trace_id:032x}"}))
