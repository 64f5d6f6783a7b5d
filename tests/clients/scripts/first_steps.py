"""The first program of a tutorial: keys and address set in code, openai as a module, two nested functions.

Prints one line of JSON: the id of its trace.
"""

import json
import os
import sys

address, public_key, secret_key, model_url = sys.argv[1:]
os.environ["LANGFUSE_PUBLIC_KEY"] = public_key
os.environ["LANGFUSE_SECRET_KEY"] = secret_key
os.environ["LANGFUSE_HOST"] = address  # the older name of LANGFUSE_BASE_URL, still in most tutorials

from langfuse import get_client, observe  # noqa: E402
from langfuse.openai import openai  # noqa: E402

openai.base_url = model_url + "/"  # as a module, openai wants the slash
openai.api_key = "not-needed"


@observe()
def story():
    completion = openai.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": "Tell me a story."}]
    )
    return completion.choices[0].message.content


@observe()
def main():
    story()
    return get_client().get_current_trace_id()


# Not flushed by hand: the SDK does so when the program ends.
print(json.dumps({"trace": main()}))
