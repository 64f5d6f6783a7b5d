"""Calls through a Portkey gateway: its headers on the client, then a pipeline with attributes of its own.

Prints one line of JSON: the ids of the traces, the lone call's first.
"""

import json
import os

from langfuse import get_client, observe, propagate_attributes
from langfuse.openai import OpenAI
from portkey_ai import createHeaders

langfuse = get_client()
assert langfuse.auth_check() is True

client = OpenAI(
    api_key="not-needed",  # the gateway holds the provider's
    base_url=os.environ["MODEL_URL"],
    default_headers=createHeaders(api_key="portkey-key", virtual_key="openai-team-a"),
)


def call(question):
    response = client.chat.completions.create(
        model="gpt-4o",
        messages=[
            {"role": "system", "content": "You help."},
            {"role": "user", "content": question},
        ],
    )
    return response.choices[0].message.content


@observe()
def pipeline(question):
    with propagate_attributes(
        user_id="user_123",
        session_id="session_abc",
        tags=["agent", "gateway"],
        metadata={"email": "user@example.org"},
        version="1.0.0",
    ):
        call(question)
        return langfuse.get_current_trace_id()


lone = langfuse.create_trace_id()
client.chat.completions.create(
    model="gpt-4o", messages=[{"role": "user", "content": "Why a gateway?"}], trace_id=lone
)
traces = [lone, pipeline("Hi")]
langfuse.flush()
print(json.dumps({"traces": traces}))
