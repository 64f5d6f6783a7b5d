// Vercel's AI SDK with its telemetry switched on, sent by Langfuse's span processor.
//
// Prints one line of JSON: the ids of its traces: plain text, streamed text, with a tool, an object, an error.

import { createOpenAI } from "@ai-sdk/openai";
import { LangfuseSpanProcessor } from "@langfuse/otel";
import { trace } from "@opentelemetry/api";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const processor = new LangfuseSpanProcessor({ shouldExportSpan: () => true });
new NodeTracerProvider({ spanProcessors: [processor] }).register();
const openai = createOpenAI({ baseURL: process.env.MODEL_URL, apiKey: "not-needed" });
const tracer = trace.getTracer("app");

const telemetry = (functionId) => ({
  isEnabled: true,
  functionId,
  metadata: { userId: "ai-user", sessionId: "ai-session", tags: ["ai"], plan: "pro" },
});

const traced = (name, work) =>
  tracer.startActiveSpan(name, async (span) => {
    try {
      await work();
    } catch {
      // what the SDK made of it is in its own spans
    } finally {
      span.end();
    }
    return span.spanContext().traceId;
  });

const plain = await traced("plain", () =>
  generateText({
    model: openai.chat("gpt-4o"),
    system: "As you know: be brief.",
    prompt: "Is it raining?",
    temperature: 0.2,
    experimental_telemetry: telemetry("plain-text"),
  }),
);
const streamed = await traced("streamed", async () => {
  const { textStream } = streamText({
    model: openai.chat("gpt-4o"),
    prompt: "Is it raining?",
    experimental_telemetry: telemetry("streamed-text"),
  });
  for await (const part of textStream) part;
});
const tools = await traced("tools", () =>
  generateText({
    model: openai.chat("gpt-4o"),
    prompt: "Is it raining in Paris?",
    tools: {
      weather: tool({
        description: "Weather of a city",
        inputSchema: z.object({ city: z.string() }),
        execute: async ({ city }) => `sunny in ${city}`,
      }),
    },
    stopWhen: stepCountIs(3),
    experimental_telemetry: telemetry("with-tool"),
  }),
);
const failed = await traced("failed", () =>
  generateText({
    model: openai.chat("error-429"),
    prompt: "Is it raining?",
    maxRetries: 0,
    experimental_telemetry: telemetry("refused"),
  }),
);

await processor.forceFlush();
console.log(JSON.stringify({ plain, streamed, tools, failed }));
