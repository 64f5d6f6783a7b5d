"""Requests at the same moment: the same body many times, and many updates of one entity."""

from __future__ import annotations

import asyncio

from apps.tracing import repository, scores
from tests.ingestion.batch.support import event, send
from tests.support.program import Sender


async def test_updates_of_one_observation(sender: Sender):
    names = [f"key {number}" for number in range(12)]
    batches = [
        event("generation-update", at=place, id="g", traceId="t", metadata={name: place}, name=name)
        for place, name in enumerate(names)
    ]
    create = event("generation-create", id="g", traceId="t", name="created", input="in")
    answers = await asyncio.gather(*(send(sender, batch) for batch in [*batches, create, *batches]))
    assert {answer.status_code for answer in answers} == {207}
    [row] = repository.list_observations(sender.project.id, "t", content=True)
    assert row.metadata == {name: str(place) for place, name in enumerate(names)}
    assert (row.name, row.input) == (names[-1], "in")
    summary = repository.get_trace(sender.project.id, "t")
    assert summary is not None and summary.observation_count == 1


async def test_updates_of_one_trace_and_one_score(sender: Sender):
    sent = [
        [
            event("trace-create", at=place, id="t", name=f"name {place}", tags=[f"tag {place:02}"]),
            event("score-create", at=place, id="s", traceId="t", name="n", value=place, metadata={place: 1}),
        ]
        for place in range(10)
    ]
    await asyncio.gather(*(send(sender, *batch) for batch in [*reversed(sent), *sent]))
    summary = repository.get_trace(sender.project.id, "t")
    assert summary is not None
    assert (summary.name, summary.tags) == ("name 9", tuple(f"tag {place:02}" for place in range(10)))
    [score] = scores.scores_of_trace(sender.project.id, "t")
    assert (score.value, len(score.metadata)) == (9, 10)
