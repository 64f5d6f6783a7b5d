"""Everything that an SDK of Langfuse 3, 4 or 5 reads back of traces, through its own API client.

Writes two traces of a session, reads them in lists and alone, and deletes one. Prints what was found.
"""

import json
import time

from langfuse import get_client, propagate_attributes

langfuse = get_client()
api = langfuse.api
MARK = f"reads-{time.time_ns()}"
FILTER = json.dumps([{"type": "arrayOptions", "column": "tags", "operator": "any of", "value": ["reads"]}])

ids = []
for number in range(2):
    with (
        langfuse.start_as_current_observation(as_type="agent", name="agent", input={"n": number}) as agent,
        propagate_attributes(user_id=MARK, session_id=MARK, tags=["reads"]),
    ):
        with langfuse.start_as_current_observation(as_type="generation", name="call", model="gpt-4o") as call:
            call.update(output="done", usage_details={"input": 10, "output": 5}, metadata={"long": "x" * 300})
        ids.append(agent.trace_id)
langfuse.flush()


def every_page(read, **asked):
    """All items of a list with numbered pages, one a page."""
    found, page = [], 1
    while True:
        answer = read(page=page, limit=1, **asked)
        found += answer.data
        page += 1
        if page > answer.meta.total_pages:
            return found


def every_cursor(**asked):
    """All items of a list with cursors, one a page."""
    found, cursor = [], None
    while True:
        answer = api.observations.get_many(limit=1, cursor=cursor, **asked)
        found += answer.data
        cursor = answer.meta.cursor
        if not cursor:
            return found


said = {"ids": ids}
if hasattr(api.trace, "list"):  # 3 and 4
    traces = every_page(api.trace.list, user_id=MARK, filter=FILTER, order_by="timestamp.asc")
    said["listed"] = [trace.id for trace in traces]
    said["counts"] = [len(trace.observations) for trace in traces]
    said["bare"] = [trace.latency for trace in api.trace.list(user_id=MARK, fields="core").data]
    trace = api.trace.get(ids[0])
    said["alone"] = {"name": trace.name, "types": sorted(str(o.type) for o in trace.observations)}
    sessions = [session.id for session in every_page(api.sessions.list) if session.id == MARK]
    said["session"] = [trace.id for trace in api.sessions.get(sessions[0]).traces]
    first = api.legacy.observations_v1 if hasattr(api, "legacy") else api.observations
    calls = every_page(first.get_many, user_id=MARK, type="GENERATION")
    said["first version"] = [call.output for call in calls]
    said["one"] = first.get(calls[0].id).usage_details
if hasattr(api, "legacy") or not hasattr(api.trace, "list"):  # 4 and 5
    rows = every_cursor(user_id=MARK, fields="core,basic,io,metadata,usage,model,trace_context")
    said["second version"] = sorted(row.name for row in rows)
    said["tags"] = sorted({tag for row in rows for tag in row.tags})
    said["roots"] = [row.trace_id for row in every_cursor(session_id=MARK, is_root_observation=True)]
    call = next(row for row in rows if row.name == "call")
    said["cut"] = len(call.metadata["long"])
    whole = every_cursor(trace_id=ids[0], name="call", fields="metadata", expand_metadata="long")
    said["whole"] = len(whole[0].metadata["long"])
said["deleted"] = [api.trace.delete(ids[0]).message, api.trace.delete_multiple(trace_ids=[ids[0]]).message]
print(json.dumps(said))
