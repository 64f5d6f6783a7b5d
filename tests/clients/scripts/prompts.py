"""A program that keeps its prompts in the server, on any Langfuse SDK for Python from 2 on.

Prints one line of JSON: what it got, and the trace of a call made with a prompt.
"""

import json
import uuid
from importlib.metadata import version

from langfuse import Langfuse

GENERATION = int(version("langfuse").split(".")[0])
client = Langfuse()
folder = f"folder/{uuid.uuid4().hex[:8]} ü"
fresh = {"cache_ttl_seconds": 0}
# SDK 2 never stops trying when max_retries is 0.

client.create_prompt(name=f"{folder}/tone", prompt="kindly", labels=["production"])
reference = f"@@@langfusePrompt:name={folder}/tone|label=production@@@"
first = client.create_prompt(
    name=f"{folder}/text", prompt="Greet {{who}} " + reference, labels=["production"], tags=["suite"],
    type="text", config={"model": "gpt-4o", "temperature": 0.2}, commit_message="first",
)  # fmt: skip
second = client.create_prompt(name=f"{folder}/text", prompt="Hi {{who}}", labels=["staging"])
told = {
    "versions": [first.version, second.version],
    "production": client.get_prompt(f"{folder}/text", **fresh).compile(who="Ann"),
    "staging": client.get_prompt(f"{folder}/text", label="staging", **fresh).compile(who="Ann"),
    "by_number": client.get_prompt(f"{folder}/text", version=1, **fresh).compile(who="Bo"),
    "config": client.get_prompt(f"{folder}/text", **fresh).config,
    "tags": client.get_prompt(f"{folder}/text", label="latest", **fresh).tags,
}
client.update_prompt(name=f"{folder}/text", version=2, new_labels=["production"])
moved = client.get_prompt(f"{folder}/text", **fresh)
told["moved"] = [moved.version, sorted(moved.labels)]
try:
    client.get_prompt(f"{folder}/absent", max_retries=1)
except Exception as error:
    told["absent"] = type(error).__name__
told["fallback"] = client.get_prompt(f"{folder}/absent", fallback="plan {{b}}", max_retries=1).compile(b="B")

messages = [{"role": "system", "content": "You are {{role}}."}, {"role": "user", "content": "{{q}}"}]
placeholder = {"type": "placeholder", "name": "history"}
if GENERATION > 2:
    messages.insert(1, placeholder)
client.create_prompt(name=f"{folder}/chat", prompt=messages, type="chat", labels=["production"])
chat = client.get_prompt(f"{folder}/chat", type="chat", **fresh)
values = {"role": "a clerk", "q": "why?"}
if GENERATION > 2:
    values["history"] = [{"role": "assistant", "content": "hello {{q}}"}]
told["chat"] = [[message["role"], message["content"]] for message in chat.compile(**values)]

if GENERATION == 2:
    trace = client.trace(name="with prompt")
    trace.generation(name="call", prompt=moved, input="x", output="y").end()
    told["trace"] = trace.id
else:
    start = client.start_generation if GENERATION == 3 else client.start_observation
    kind = {} if GENERATION == 3 else {"as_type": "generation"}
    call = start(name="call", prompt=moved, input="x", output="y", **kind)
    call.end()
    told["trace"] = call.trace_id
client.flush()

if GENERATION > 2:
    listed = client.api.prompts.list(tag="suite", limit=100)
    told["listed"] = [meta.versions for meta in listed.data if meta.name == f"{folder}/text"]
    client.api.prompts.delete(f"{folder}/chat")
    told["left"] = sorted(
        meta.name for meta in client.api.prompts.list(limit=100).data if folder in meta.name
    )
if GENERATION == 3:
    answer = client.api.models.list(limit=100, page=3)  # SDK 3 knows fewer conditions of tiers
    told["read"] = len(answer.data)
if GENERATION > 3:
    model = {"model_name": folder, "match_pattern": "(?i)^house$", "unit": "TOKENS"}
    made = client.api.models.create(**model, input_price=1.5e-6)
    told["model"] = [made.is_langfuse_managed, made.prices["input"].price, made.pricing_tiers[0].name]
    client.api.models.delete(made.id)
    page, found = 1, 0
    while page:
        answer = client.api.models.list(page=page, limit=100)
        found += len(answer.data)
        page = page + 1 if page < answer.meta.total_pages else 0
    told["models"] = [found, answer.meta.total_items]
if GENERATION > 4:
    upserted = client.api.models.upsert(f"own-{uuid.uuid4().hex}", **model, total_price=2.0)
    told["upserted"] = client.api.models.get(upserted.id).total_price
    client.api.models.delete(upserted.id)

told["prompt"] = [f"{folder}/text", moved.version]
print(json.dumps(told))
