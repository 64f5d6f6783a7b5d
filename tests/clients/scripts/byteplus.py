"""Calls of BytePlus's model through openai's client, plain and streamed, each generation with a name.

Prints one line of JSON: the ids of the traces, one a call.
"""

import json
import os

from langfuse import get_client
from langfuse.openai import openai

langfuse = get_client()
assert langfuse.auth_check() is True

client = openai.OpenAI(api_key=os.environ["ARK_API_KEY"], base_url=os.environ["MODEL_URL"])
asked = {
    "model": "kimi-k2-250711",
    "messages": [
        {"role": "system", "content": "You are an assistant."},
        {"role": "user", "content": "What can be observed?"},
    ],
    "name": "BytePlus-Generation",
}
plain, streamed = langfuse.create_trace_id(), langfuse.create_trace_id()

client.chat.completions.create(**asked, trace_id=plain)
for chunk in client.chat.completions.create(**asked, trace_id=streamed, stream=True):
    if chunk.choices:
        assert chunk.choices[0].delta is not None

langfuse.flush()
print(json.dumps({"traces": [plain, streamed]}))
