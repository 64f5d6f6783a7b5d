"""Calls per user with the Langfuse SDK 3, which names user and session on the trace by update_current_trace.

Prints one line of JSON: the ids of its traces, in order.
"""

import json
import os

from langfuse import get_client, observe
from langfuse.openai import openai

langfuse = get_client()
assert langfuse.auth_check() is True

openai.base_url = os.environ["MODEL_URL"] + "/"  # as a module, openai wants the slash
openai.api_key = "not-needed"


@observe()
def ask(user_id, question):
    langfuse.update_current_trace(
        name=f"question of {user_id}",
        user_id=user_id,
        session_id=f"session-of-{user_id}",
        tags=["users"],
        metadata={"email": f"{user_id}@example.org"},
        version="1.0.0",
        public=True,
    )
    openai.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": question}])
    return langfuse.get_current_trace_id()


traces = [ask("user-1", "What is a trace?"), ask("user-2", "And a span?"), ask("user-1", "Thank you.")]
langfuse.flush()
print(json.dumps({"traces": traces}))
