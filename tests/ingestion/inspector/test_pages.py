"""The page, its parts and the API: what they show, and to whom they are not there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from apps.core.clock import now_micros
from apps.ingestion.inspector import recording
from apps.ingestion.inspector.entries import MAX_BODY
from apps.ingestion.models import Remap
from apps.organizations.models import KeyScope, Project
from apps.tracing.received_rows import received_between
from tests import factories
from tests.support.otlp import request
from tests.support.program import Sender

TRACE = bytes(range(16))
SPAN = {
    "trace_id": TRACE,
    "name": "chat kyoto",
    "attributes": {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "claude",
        "gen_ai.usage.cost": "0.11 EUR",
        "password": "hush-hush",
        "page": "<script>alert(1)</script>",
    },
}


async def sent(sender: Sender) -> str:
    """Send a request; its id."""
    await sender.export(request(SPAN, {"span_id": b""}, resource={"token": "hush-hush", "service.name": "s"}))
    return recording.log().entries(sender.project.id)[0].id


async def page(project: Project, role: str = "VIEWER", person: Any = None, **params: str) -> Any:
    """What somebody with a role sees."""

    def get() -> Any:
        client = Client()
        client.force_login(person or factories.member(project.organization, role))
        return client.get(f"/project/{project.id}/settings/wire", params)

    return await sync_to_async(get)()


async def test_it_works(sender: Sender):
    await sent(sender)
    answer = await page(sender.project)
    html = answer.content.decode()
    assert answer.status_code == 200
    for shown in ("chat kyoto", "gen_ai.request.model", "gen_ai.operation_type", "span without span id"):
        assert shown in html
    assert "Everything is accounted for" in html
    assert "hush" not in html and "<script>alert" not in html
    assert "/live/wire" in html


@pytest.mark.parametrize("tab", ["mapping", "origin", "answer"])
async def test_parts_are_fragments(sender: Sender, tab: str):
    id = await sent(sender)
    html = (await page(sender.project, part="detail", request=id, tab=tab)).content.decode()
    assert "<html" not in html and "hush" not in html
    assert {"mapping": "0.11 EUR", "origin": "service.name", "answer": "Receipt"}[tab] in html
    listed = (await page(sender.project, part="list")).content.decode()
    assert f'data-id="{id}"' in listed and "<html" not in listed


async def test_the_body_as_a_file(sender: Sender):
    answer = await page(sender.project, part="body", request=await sent(sender))
    assert "attachment" in answer["Content-Disposition"] and answer["X-Content-Type-Options"] == "nosniff"
    assert "hush" not in answer.content.decode()
    assert json.loads(answer.content)["resourceSpans"]


async def test_nothing_yet_teaches(sender: Sender):
    html = (await page(sender.project)).content.decode()
    assert "Nothing has arrived in the last hour" in html


async def test_a_body_that_was_not_kept_is_rebuilt_from_what_is_stored(sender: Sender):
    large = {**SPAN, "attributes": {**SPAN["attributes"], "text": "x" * MAX_BODY}}
    await sender.export(request(large, resource={"token": "hush-hush", "service.name": "s"}))
    [entry] = recording.log().entries(sender.project.id)
    html = (await page(sender.project, request=entry.id)).content.decode()
    assert "as they are stored" in html and "gen_ai.operation_type" in html and "hush" not in html


@pytest.mark.parametrize(
    "params", [{"item": "9" * 30}, {"item": "-1"}, {"tab": "x"}, {"request": "x"}, {"key": "x"}]
)
async def test_odd_addresses_are_no_error(sender: Sender, params: dict[str, str]):
    id = await sent(sender)
    assert (await page(sender.project, **{"request": id, **params})).status_code == 200


async def test_batches_and_scores_are_shown(sender: Sender):
    body = {"id": "g", "traceId": "t", "name": "answer", "model": "m", "api_key": "hush-hush"}
    event = {"id": "e", "type": "generation-create", "timestamp": "2026-11-21T08:00:00Z", "body": body}
    bad = {**event, "type": "poem"}
    headers = {"authorization": sender.authorization}
    await sender.http.post("/api/public/ingestion", json={"batch": [event, bad]}, headers=headers)
    await sender.http.post(
        "/api/public/scores", json={"name": "n", "value": 1, "traceId": "t"}, headers=headers
    )
    score, batch = recording.log().entries(sender.project.id)
    assert (batch.way, batch.received, batch.refused, score.way) == ("batch", 2, 1, "scores")
    html = (await page(sender.project, request=batch.id)).content.decode()
    assert "generation-create" in html and "hush" not in html
    html = (await page(sender.project, request=batch.id, item="2")).content.decode()
    assert "poem" in html
    assert "Score" in (await page(sender.project, request=score.id)).content.decode()


async def test_who_may_not_read_content_may_not_look(sender: Sender):
    id = await sent(sender)
    stranger = await sync_to_async(factories.user)()
    assert (await page(sender.project, person=stranger)).status_code == 404
    admin = await sync_to_async(factories.user)(admin=True)
    assert (await page(sender.project, person=admin)).status_code == 404
    assert (await page(sender.project, role="NONE")).status_code == 404
    other = await sync_to_async(factories.project)()
    html = (await page(other, request=id)).content.decode()
    assert "no longer kept" in html and "kyoto" not in html
    assert (await page(other, part="body", request=id)).status_code == 404


async def test_only_instance_admins_hear_of_strangers(sender: Sender):
    await sent(sender)
    await sender.export(b"", authorization="Basic eDp5")
    assert "from strangers" not in (await page(sender.project)).content.decode()

    def admin_of() -> Any:
        user = factories.member(sender.project.organization, "VIEWER")
        user.is_superuser = True
        user.save()
        return user

    admin = await sync_to_async(admin_of)()
    assert "from strangers" in (await page(sender.project, person=admin)).content.decode()


async def test_the_api(sender: Sender):
    id = await sent(sender)
    listed = (await sender.get("wire-inspector")).json()
    [entry] = listed["data"]
    assert (entry["id"], entry["received"], entry["stored"], entry["refused"]) == (id, 2, 1, 1)
    assert entry["reasons"] == ["span without span id"]
    assert next(iter(listed["lastHour"].values()))["received"] == 2
    detail = (await sender.get(f"wire-inspector/{id}")).json()
    [item] = detail["items"]
    rules = {a["key"]: (a["fate"], a["rule"], a["became"]) for a in item["attributes"]}
    assert rules["gen_ai.operation.name"] == ("used", "gen_ai.operation_type", ["type"])
    assert rules["token"][0] == "removed"
    assert item["became"]["model"] == "claude"
    assert "hush" not in json.dumps(detail) + json.dumps(listed)
    assert (await sender.get("wire-inspector", trouble="true", key=entry["key"]["id"])).json()["data"]
    assert not (await sender.get("wire-inspector", key="another")).json()["data"]


async def test_the_api_refuses(sender: Sender):
    id = await sent(sender)
    assert (await sender.get("wire-inspector", limit="0")).status_code == 400
    assert (await sender.get("wire-inspector/unknown")).status_code == 404
    assert (await sender.get(f"wire-inspector/{id}", **{"from": "x"})).status_code == 400
    other = await sync_to_async(lambda: factories.basic(factories.key(factories.project())))()
    headers = {"authorization": other}
    assert (await sender.http.get(f"/api/public/wire-inspector/{id}", headers=headers)).status_code == 404
    assert (await sender.http.get("/api/public/wire-inspector", headers=headers)).json()["data"] == []
    writer = await sync_to_async(
        lambda: factories.basic(factories.key(sender.project, scope=KeyScope.INGEST))
    )()
    headers = {"authorization": writer}
    assert (await sender.http.get("/api/public/wire-inspector", headers=headers)).status_code == 403
    assert (await sender.http.get("/api/public/wire-inspector")).status_code == 401


async def test_the_pages_of_re_runs(sender: Sender):
    await sent(sender)

    def ask(role: str, method: str = "get", path: str = "", **params: str) -> Any:
        client = Client()
        client.force_login(factories.member(sender.project.organization, role))
        address = f"/project/{sender.project.id}/settings/wire/remap{path}"
        return getattr(client, method)(address, params)

    ask = sync_to_async(ask)
    assert (await ask("MEMBER")).status_code == 403
    assert (await ask("MEMBER", "post", "/start")).status_code == 403
    page_shown = (await ask("ADMIN", last="1h")).content.decode()
    assert "Nothing would change" in page_shown
    assert (await ask("ADMIN", "post", "/start", since="x", until="y")).status_code == 302
    assert not await Remap.objects.aexists()
    moment = str(now_micros())
    assert (await ask("ADMIN", "post", "/start", since="0", until=moment)).status_code == 302
    since = str(now_micros() - 3_600_000_000)
    assert (await ask("ADMIN", "post", "/start", since=since, until=moment)).status_code == 302
    run = await Remap.objects.aget()
    assert run.total == 1
    runs = (await ask("ADMIN", part="runs")).content.decode()
    assert "<html" not in runs and "every 2s" in runs
    assert (await ask("ADMIN", "post", f"/{run.id}/cancel")).status_code == 302
    await run.arefresh_from_db()
    assert run.state == "canceled"


async def test_what_would_change_is_shown(sender: Sender):
    await sent(sender)

    def shown() -> str:
        [row] = received_between(sender.project.id, 0, now_micros()).rows
        row.observation.model = "<an earlier guess>"
        sender.application.writer.replace([row.observation])
        client = Client()
        client.force_login(factories.member(sender.project.organization, "ADMIN"))
        return client.get(f"/project/{sender.project.id}/settings/wire/remap?last=1h").content.decode()

    html = await sync_to_async(shown)()
    assert "&lt;an earlier guess&gt;" in html and "claude" in html and "Re-run</button>" in html


async def test_re_runs_over_the_api(sender: Sender):
    await sent(sender)
    headers = {"authorization": sender.authorization}
    path = "/api/public/wire-inspector/remap"
    seen = (await sender.http.post(path, json={}, headers=headers)).json()
    assert (seen["total"], seen["read"], seen["changed"]) == (1, 1, 0)
    for odd in ({"since": "x"}, {"service": 5}, {"apply": "yes"}, {"form": 1}):
        refused = await sender.http.post(path, json=odd, headers=headers)
        assert refused.status_code == 400
        assert [issue["path"] for issue in refused.json()["error"]] == [list(odd)]
    started = await sender.http.post(path, json={"apply": True}, headers=headers)
    assert started.status_code == 202
    id = started.json()["id"]
    assert (await sender.get("wire-inspector/remap")).json()["data"][0]["id"] == id
    assert (await sender.http.post(path, json={"apply": True}, headers=headers)).status_code in (202, 409)
    canceled = await sender.http.delete(f"{path}/{id}", headers=headers)
    assert canceled.json()["state"] in ("canceled", "done")
    reader = await sync_to_async(
        lambda: factories.basic(factories.key(sender.project, scope=KeyScope.READ))
    )()
    headers = {"authorization": reader}
    assert (await sender.http.post(path, json={}, headers=headers)).status_code == 403
    other = await sync_to_async(lambda: factories.basic(factories.key(factories.project())))()
    headers = {"authorization": other}
    assert (await sender.http.get(f"{path}/{id}", headers=headers)).status_code == 404
    assert (await sender.http.delete(f"{path}/{id}", headers=headers)).status_code == 404
