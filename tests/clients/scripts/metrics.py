"""Questions about all that is stored, with whichever ways of asking the installed Langfuse SDK has.

Prints one line of JSON: the rows that each way answers; of the daily metrics the newest day.
"""

import json
from datetime import UTC, datetime, timedelta

from langfuse import Langfuse

api = Langfuse().api
now = datetime.now(UTC)
query = {
    "dimensions": [{"field": "userId"}],
    "metrics": [{"measure": "count", "aggregation": "count"}],
    "filters": [],
    "fromTimestamp": (now - timedelta(days=300)).isoformat(),
    "toTimestamp": (now + timedelta(days=65)).isoformat(),
}
traces, observations = (json.dumps({"view": view, **query}) for view in ("traces", "observations"))

found = {}
if hasattr(api, "metrics_v_2"):  # 3
    found["first"] = api.metrics.metrics(query=traces).data
    found["second"] = api.metrics_v_2.metrics(query=observations).data
elif hasattr(api.metrics, "daily"):  # 2
    page = api.metrics.daily(user_id="user-1", limit=1)
    found["daily"] = next(iter(json.loads(page.json())["data"]), None)
else:  # 4 and 5
    found["second"] = api.metrics.metrics(query=observations).data
    if hasattr(api, "legacy") and hasattr(api.legacy, "metrics_v1"):
        found["first"] = api.legacy.metrics_v1.metrics(query=traces).data
print(json.dumps(found))
