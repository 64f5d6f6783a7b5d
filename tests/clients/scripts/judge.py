"""Judges a trace with any of the Langfuse SDKs 2 to 5, and reads, comments on and deletes what it said.

Prints one line of JSON: scores as read back, by name, and what else came of it.
"""

import json
from importlib.metadata import version

from langfuse import Langfuse

major = int(version("langfuse").split(".")[0])
langfuse = Langfuse()
api = langfuse.api


def made(resource, shape, **fields):
    """What a resource creates; SDKs before 4 want the body as an object."""
    if major >= 4:
        return resource.create(**fields)
    import langfuse.api as shapes

    return resource.create(request=getattr(shapes, shape)(**fields))


def plain(value):
    return getattr(value, "value", value)


def trace():
    if major == 2:
        return langfuse.trace(name="judged", session_id="talk").id
    start = langfuse.start_span if major == 3 else langfuse.start_observation
    span = start(name="judged")
    span.end()
    return span.trace_id


def read(trace_id):
    """Every score of the trace by id, as the newest list of this SDK has it."""
    if major == 5:
        fields = "core,details,subject"
        data = [*api.scores.get_many(trace_id=trace_id, fields=fields, limit=3).data]
        answer = api.scores.get_many(trace_id=trace_id, limit=3, fields=fields)
        while answer.meta.cursor:
            answer = api.scores.get_many(trace_id=trace_id, limit=3, fields=fields, cursor=answer.meta.cursor)
            data += answer.data
        return data
    if major == 4:
        newest = api.scores_v3.get_many_v3(trace_id=trace_id).data
        listed = api.scores.get_many(trace_id=trace_id, limit=100).data
        assert [score.id for score in newest] == [score.id for score in listed]
        return listed
    if major == 3:
        return api.score_v_2.get(trace_id=trace_id).data
    everything = [score for score in api.score.get(limit=100).data if score.trace_id == trace_id]
    assert [api.score.get_by_id(score.id).id for score in everything] == [score.id for score in everything]
    return everything


stars = made(
    api.score_configs, "CreateScoreConfigRequest", name="stars", data_type="NUMERIC", min_value=1, max_value=5
)
tone = made(
    api.score_configs,
    "CreateScoreConfigRequest",
    name="tone",
    data_type="CATEGORICAL",
    categories=[{"label": "kind", "value": 2}, {"label": "harsh", "value": -2}],
)
if major == 4 or major == 5:
    stars = api.score_configs.update(stars.id, description="How many")
    assert stars.description == "How many"
assert api.score_configs.get_by_id(tone.id).categories[1].label == "harsh"
assert {stars.id, tone.id} <= {config.id for config in api.score_configs.get(limit=100).data}

judged = trace()
judge = langfuse.score if major == 2 else langfuse.create_score
for fields in (
    {"name": "ignored", "value": 4, "config_id": stars.id},
    {"name": "ignored", "value": "kind", "config_id": tone.id, "comment": "very"},
    {"name": "right", "value": 1, "data_type": "BOOLEAN"},
    {"name": "plain", "value": 0.25},
):
    judge(trace_id=judged, **fields)
langfuse.flush()

told = {score.name: {"value": score.value, "type": plain(score.data_type)} for score in read(judged)}
found = {score.name: score for score in read(judged)}
comment = made(
    api.comments,
    "CreateCommentRequest",
    project_id="any",
    object_type="TRACE",
    object_id=judged,
    content="Well said.",
)
assert api.comments.get_by_id(comment.id).content == "Well said."
comments = api.comments.get(object_type="TRACE", object_id=judged).data
delete = {2: "score", 3: "score", 5: "scores"}
(api.legacy.score_v1 if major == 4 else getattr(api, delete[major])).delete(found["plain"].id)
print(
    json.dumps(
        {
            "trace": judged,
            "scores": told,
            "comments": [item.content for item in comments],
            "left": sorted(score.name for score in read(judged)),
        }
    )
)
