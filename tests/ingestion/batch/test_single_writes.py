"""POST and PATCH of single entities, as clients from before batches send them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from apps.tracing import repository
from tests.support.program import Sender


async def write(sender: Sender, method: str, path: str, **body: Any) -> httpx.Response:
    headers = {"authorization": sender.authorization}
    return await sender.http.request(method, f"/api/public/{path}", json=body, headers=headers)


async def test_it_works(sender: Sender):
    trace = (await write(sender, "POST", "traces", id="t", name="ask", userId="ann")).json()
    assert trace == {"id": "t"}
    span = (await write(sender, "POST", "spans", traceId="t", name="step")).json()["id"]
    response = await write(
        sender, "POST", "generations", id="g", traceId="t", parentObservationId=span, prompt=["hi"], model="m"
    )
    assert (response.status_code, response.json()) == (200, {"id": "g"})
    assert response.headers["x-litefuse-receipt"]
    await write(sender, "PATCH", "generations", generationId="g", completion="hello", usage={"input": 2})
    await write(sender, "PATCH", "spans", spanId=span, output="done")
    await write(sender, "POST", "events", traceId="t", name="mark")
    rows = repository.list_observations(sender.project.id, "t", content=True)
    by_name = {row.name or row.id: row for row in rows}
    assert set(by_name) == {"step", "g", "mark"}
    assert (by_name["g"].input, by_name["g"].output, by_name["g"].type) == ('["hi"]', "hello", "GENERATION")
    assert by_name["g"].usage == {"input": 2, "total": 2}
    assert (by_name["step"].output, by_name["mark"].type) == ("done", "EVENT")
    summary = repository.get_trace(sender.project.id, "t")
    assert summary is not None and (summary.name, summary.user_id) == ("ask", "ann")


async def test_a_trace_without_id_gets_one(sender: Sender):
    id = (await write(sender, "POST", "traces", name="ask")).json()["id"]
    assert repository.get_trace(sender.project.id, id) is not None


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "spans", {"name": 5}, "name"),
        ("POST", "traces", {"tags": "a"}, "tags"),
        ("PATCH", "spans", {"id": "s"}, "spanId"),
        ("PATCH", "generations", {"generationId": "g", "level": "BAD"}, "level"),
    ],
)
async def test_what_is_wrong_is_told(
    sender: Sender, method: str, path: str, body: dict[str, Any], field: str
):
    response = await write(sender, method, path, **body)
    assert response.status_code == 400
    assert response.json()["error"][0]["path"] == [field]


async def test_methods(sender: Sender):
    assert (await write(sender, "PATCH", "events")).status_code == 405
    response = await write(sender, "DELETE", "spans")
    assert (response.status_code, response.headers["allow"]) == (405, "POST, PATCH, OPTIONS")
    assert (await sender.http.post("/api/public/spans", content=b"{}")).status_code == 401
