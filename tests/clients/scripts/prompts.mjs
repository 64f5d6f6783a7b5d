// A program that keeps its prompts in the server, on Langfuse's JavaScript SDK 3, 4 and 5.
//
// Prints one line of JSON: what it got.

import { randomUUID } from "node:crypto";

const { LangfuseClient } = await import("@langfuse/client").catch(() => ({}));
const langfuse = LangfuseClient ? new LangfuseClient() : new (await import("langfuse")).Langfuse();
const folder = `folder/${randomUUID().slice(0, 8)} ü`;
const fresh = { cacheTtlSeconds: 0 };
const prompt = langfuse.prompt ?? {
  create: (body) => langfuse.createPrompt(body),
  get: (name, { version, ...options }) => langfuse.getPrompt(name, version, options),
  update: (body) => langfuse.updatePrompt(body),
};

await prompt.create({ name: `${folder}/tone`, prompt: "kindly", labels: ["production"] });
const reference = `@@@langfusePrompt:name=${folder}/tone|label=production@@@`;
const first = await prompt.create({
  name: `${folder}/text`,
  type: "text",
  prompt: `Greet {{who}} ${reference}`,
  labels: ["production"],
  tags: ["suite"],
  config: { model: "gpt-4o", temperature: 0.2 },
  commitMessage: "first",
});
const second = await prompt.create({ name: `${folder}/text`, prompt: "Hi {{who}}", labels: ["staging"] });
const told = {
  versions: [first.version, second.version],
  production: (await prompt.get(`${folder}/text`, fresh)).compile({ who: "Ann" }),
  staging: (await prompt.get(`${folder}/text`, { label: "staging", ...fresh })).compile({ who: "Ann" }),
  by_number: (await prompt.get(`${folder}/text`, { version: 1, ...fresh })).compile({ who: "Bo" }),
  config: (await prompt.get(`${folder}/text`, fresh)).config,
  tags: (await prompt.get(`${folder}/text`, { label: "latest", ...fresh })).tags,
};
await prompt.update({ name: `${folder}/text`, version: 2, newLabels: ["production"] });
const moved = await prompt.get(`${folder}/text`, fresh);
told.moved = [moved.version, moved.labels.sort()];
told.absent = await prompt.get(`${folder}/absent`, { maxRetries: 0 }).then(
  () => "found",
  () => "refused",
);
const planB = await prompt.get(`${folder}/absent`, { fallback: "plan {{b}}", maxRetries: 0 });
told.fallback = planB.compile({ b: "B" });

await prompt.create({
  name: `${folder}/chat`,
  type: "chat",
  prompt: [
    { role: "system", content: "You are {{role}}." },
    { type: "placeholder", name: "history" },
    { role: "user", content: "{{q}}" },
  ],
  labels: ["production"],
});
const chat = await prompt.get(`${folder}/chat`, { type: "chat", ...fresh });
const history = [{ role: "assistant", content: "hello {{q}}" }];
told.chat = chat
  .compile({ role: "a clerk", q: "why?" }, { history })
  .map((message) => [message.role, message.content]);
if (LangfuseClient) {
  await prompt.delete(`${folder}/chat`);
  const listed = await langfuse.api.prompts.list({ limit: 100 });
  told.left = listed.data.map((meta) => meta.name).filter((name) => name.startsWith(folder));
}
told.prompt = [`${folder}/text`, moved.version];
console.log(JSON.stringify(told));
