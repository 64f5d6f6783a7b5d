"""An agent with a tool on LangGraph, with Langfuse's callback handler, as guides show it: user, session and
tags in the run's metadata, and a span around it that marks where the model part of a longer trace starts.

Prints one line of JSON: the ids of its traces: a chain's, a streamed model's and the agent's.
"""

import json
import os

from langchain.agents import create_agent
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langfuse import get_client
from langfuse.langchain import CallbackHandler

langfuse = get_client()
assert langfuse.auth_check() is True
model = ChatOpenAI(
    model="gpt-4o", base_url=os.environ["MODEL_URL"], api_key="not-needed", temperature=0.2, stream_usage=True
)
TOLD = {"langfuse_user_id": "user-456", "langfuse_session_id": "talk-1", "langfuse_tags": ["graph", "demo"]}


@tool
def weather(city: str) -> str:
    """Weather of a city."""
    return f"sunny in {city}"


in_chain, in_stream = CallbackHandler(), CallbackHandler()
chain = ChatPromptTemplate.from_messages([("system", "As you know: be brief."), ("user", "{q}")]) | model
chain.invoke(
    {"q": "Why is the sky blue?"},
    config={"callbacks": [in_chain], "run_name": "sky", "metadata": {**TOLD, "own": "kept"}},
)

for _ in model.stream("Say something.", config={"callbacks": [in_stream]}):
    pass

agent = create_agent(model, [weather])
question = "What is the weather in Paris?"
with langfuse.start_as_current_observation(name="agent-demo", input=question) as span:
    span.update(metadata={"gen_ai.is_entry": True})
    said = agent.invoke(
        {"messages": [{"role": "user", "content": question}]},
        config={"callbacks": [CallbackHandler()], "metadata": TOLD},
    )
    span.update(output=said["messages"][-1].content)

langfuse.flush()
print(json.dumps({"traces": [in_chain.last_trace_id, in_stream.last_trace_id, span.trace_id]}))
