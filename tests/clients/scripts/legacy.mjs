// A program on Langfuse's JavaScript SDK 3, of before OpenTelemetry: client by hand, openai, scores, media.
//
// Prints one line of JSON: the ids of its traces: by hand, with a picture.

import { Langfuse, LangfuseMedia, observeOpenAI } from "langfuse";
import OpenAI from "openai";

const langfuse = new Langfuse(); // address and keys: LANGFUSE_BASEURL, LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY
const openai = new OpenAI({ baseURL: process.env.MODEL_URL, apiKey: "not-needed", maxRetries: 0 });
const MESSAGES = [
  { role: "system", content: "As you know: answer briefly." },
  { role: "user", content: "Is it raining in 北京?" },
];

const trace = langfuse.trace({
  id: "js-trace-001", // any text is an id here
  name: "js by hand",
  userId: "user-1",
  sessionId: "session-1",
  tags: ["b", "a"],
  metadata: { m: 1 },
  input: { q: "hi" },
  version: "1.0.0",
  public: true,
});
const step = trace.span({ name: "step", input: { i: 1 } });
const call = step.generation({
  name: "call",
  model: "gpt-4o",
  modelParameters: { temperature: 0.1 },
  input: [{ role: "user", content: "hi" }],
});
call.end({ output: "hello", usage: { promptTokens: 10, completionTokens: 20, totalTokens: 30 } });
step.end({ output: { o: 2 } });
trace.event({ name: "careful", level: "WARNING", statusMessage: "be careful" });
trace.update({ output: { a: "bye" } });
trace.score({ name: "quality", value: 1, dataType: "BOOLEAN", comment: "ok" });
langfuse.score({ traceId: trace.id, name: "label", value: "good", dataType: "CATEGORICAL" });

const traced = (generationName) => observeOpenAI(openai, { parent: trace, generationName });
await traced("plain").chat.completions.create({ model: "gpt-4o", messages: MESSAGES, temperature: 0.2 });
const stream = await traced("streamed").chat.completions.create({
  model: "gpt-4o",
  messages: MESSAGES,
  stream: true,
  stream_options: { include_usage: true },
});
for await (const chunk of stream) chunk;
await traced("refused")
  .chat.completions.create({ model: "error-429", messages: MESSAGES })
  .catch((error) => error);

const picture = langfuse.trace({
  name: "picture",
  input: {
    pic: new LangfuseMedia({
      contentBytes: Buffer.from(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
        "base64",
      ),
      contentType: "image/png",
    }),
  },
});

await langfuse.flushAsync();
console.log(JSON.stringify({ traces: [trace.id, picture.id] }));
