"""Media over the API: announced, put, reported, read; and every way that is refused."""

from __future__ import annotations

import asyncio
import base64
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings

from apps.audit.services import SYSTEM
from apps.organizations import services as organizations
from apps.organizations.models import KeyScope, Project
from apps.tracing.media import asgi as files
from apps.tracing.media import services, storage, tokens
from apps.tracing.media.models import Media, MediaLink
from tests import factories
from tests.support import media, otlp
from tests.support.otlp import RECORDINGS
from tests.support.program import Sender

PNG = media.png()
ID = media.media_id(PNG)
REPORT = {"uploadedAt": "2026-11-21T08:06:14.192178Z", "uploadHttpStatus": 200, "uploadTimeMs": 6}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Files of one test alone."""
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)
    storage.storage.cache_clear()
    yield tmp_path / "media"
    storage.storage.cache_clear()


def kept(folder: Path) -> list[bytes]:
    """Content of all files there are, unfinished ones included."""
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


async def send(sender: Sender, method: str, path: str, body: Any = None) -> httpx.Response:
    headers = {"authorization": sender.authorization}
    return await sender.http.request(method, f"/api/public/{path}", json=body, headers=headers)


async def announce(
    sender: Sender, content: bytes = PNG, content_type: str = "image/png", **fields: Any
) -> str:
    """Where to put a file."""
    made = await send(sender, "POST", "media", media.announcement(content, content_type, **fields))
    assert made.status_code == 201
    return str(made.json()["uploadUrl"])


async def put(
    sender: Sender, url: str, content: bytes = PNG, content_type: str = "image/png"
) -> httpx.Response:
    return await sender.http.put(url, content=content, headers=media.headers(content, content_type))


async def test_it_works(sender: Sender, folder: Path):
    made = await send(sender, "POST", "media", media.announcement(PNG, observationId=None, datasetId=None))
    assert made.status_code == 201
    assert made.json()["mediaId"] == ID
    assert (await sender.get(f"media/{ID}")).status_code == 404

    assert (await put(sender, made.json()["uploadUrl"])).status_code == 200
    reported = await send(sender, "PATCH", f"media/{ID}", {**REPORT, "uploadHttpError": ""})
    assert reported.status_code == 200
    found = (await sender.get(f"media/{ID}")).json()
    assert {key: found[key] for key in ("mediaId", "contentType", "contentLength", "uploadedAt")} == {
        "mediaId": ID,
        "contentType": "image/png",
        "contentLength": len(PNG),
        "uploadedAt": "2026-11-21T08:06:14.192Z",
    }
    assert found["urlExpiry"].endswith("Z")
    read = await sender.http.get(found["url"])
    assert (read.status_code, read.content) == (200, PNG)
    assert kept(folder) == [PNG]


async def test_a_file_that_is_here_is_not_wanted_again(sender: Sender):
    await put(sender, await announce(sender))
    again = await send(sender, "POST", "media", media.announcement(PNG, traceId="trace-2", observationId="o"))
    assert again.json() == {"mediaId": ID, "uploadUrl": None}
    links = MediaLink.objects.values_list("trace_id", "observation_id", "field")
    assert [link async for link in links] == [("trace-1", "", "input"), ("trace-2", "o", "input")]
    await announce(sender, field="output")
    await announce(sender, field="output")
    assert await MediaLink.objects.acount() == 3


async def test_another_type_is_another_upload(sender: Sender):
    await put(sender, await announce(sender))
    url = await announce(sender, content_type="text/plain")
    assert (await sender.get(f"media/{ID}")).json()["contentType"] == "image/png"
    await put(sender, url, content_type="text/plain")
    assert (await sender.get(f"media/{ID}")).json()["contentType"] == "text/plain"


async def test_of_a_dataset_item(sender: Sender):
    place = {"traceId": None, "datasetId": "d", "datasetItemId": "i", "field": "expectedOutput"}
    assert await announce(sender, **place)
    link = await MediaLink.objects.aget()
    assert (link.dataset_id, link.dataset_item_id, link.trace_id) == ("d", "i", "")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"contentType": "image/psd"}, "contentType"),
        ({"contentType": None}, "contentType"),
        ({"contentType": ["image/png"]}, "contentType"),
        ({"contentLength": 0}, "contentLength"),
        ({"contentLength": -1}, "contentLength"),
        ({"contentLength": "70"}, "contentLength"),
        ({"contentLength": 1.5}, "contentLength"),
        ({"contentLength": True}, "contentLength"),
        ({"contentLength": 10**30}, "contentLength"),
        ({"sha256Hash": "short"}, "sha256Hash"),
        ({"sha256Hash": "!" * 44}, "sha256Hash"),
        ({"sha256Hash": "A" * 42 + "B="}, "sha256Hash"),
        ({"sha256Hash": "A" * 44}, "sha256Hash"),
        ({"sha256Hash": 5}, "sha256Hash"),
        ({"field": "expectedOutput"}, "field"),
        ({"field": None}, "field"),
        ({"traceId": None}, "traceId"),
        ({"traceId": ""}, "traceId"),
        ({"traceId": 7}, "traceId"),
        ({"traceId": "t" * 801}, "traceId"),
        ({"traceId": "a\0b"}, "traceId"),
        ({"traceId": None, "observationId": "o"}, "traceId"),
        ({"datasetId": "d"}, "datasetId"),
        ({"traceId": None, "datasetId": "d"}, "datasetItemId"),
        ({"traceId": None, "datasetId": "d", "datasetItemId": "i", "field": "output"}, "field"),
    ],
    ids=str,
)
async def test_bad_input_names_the_field(sender: Sender, change: dict[str, Any], field: str):
    response = await send(sender, "POST", "media", media.announcement(PNG) | change)
    assert response.status_code == 400
    assert response.json()["message"] == "Invalid request data"
    issues = response.json()["error"]
    assert [field] in [issue["path"] for issue in issues]
    assert all(issue["code"] and issue["message"] for issue in issues)
    assert await Media.objects.acount() == 0


@pytest.mark.parametrize("body", [b"[]", b"5", b'"x"', b"{", b"", b'{"traceId": "\\ud800"}'])
async def test_bodies_that_are_none(sender: Sender, body: bytes):
    headers = {"authorization": sender.authorization, "content-type": "application/json"}
    for method, path in (("POST", "/api/public/media"), ("PATCH", f"/api/public/media/{ID}")):
        response = await sender.http.request(method, path, content=body, headers=headers)
        assert response.status_code == 400


async def test_too_large(sender: Sender, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(settings, "MAX_MEDIA_BYTES", len(PNG))
    assert await announce(sender)
    response = await send(sender, "POST", "media", media.announcement(PNG + b"."))
    assert (response.status_code, response.json()["error"]) == (400, "InvalidRequestError")
    assert "contentLength" in response.json()["message"]


@pytest.mark.parametrize(("method", "path"), [("GET", "media"), ("PUT", "media"), ("POST", f"media/{ID}")])
async def test_wrong_method(sender: Sender, method: str, path: str):
    response = await sender.http.request(method, f"/api/public/{path}")
    assert (response.status_code, response.json()["error"]) == (405, "MethodNotAllowedError")


CALLS = [
    ("POST", "media", media.announcement(PNG)),
    ("PATCH", f"media/{ID}", REPORT),
    ("GET", f"media/{ID}", None),
]


async def test_no_key(sender: Sender):
    for method, path, body in CALLS:
        response = await sender.http.request(method, f"/api/public/{path}", json=body)
        assert (response.status_code, set(response.json())) == (401, {"message"})


@pytest.fixture
def others(project: Project) -> dict[str, str]:
    """Headers of other keys."""
    return {
        "stranger": factories.basic(factories.key(factories.project())),
        "ingest": factories.basic(factories.key(project, scope=KeyScope.INGEST)),
        "read": factories.basic(factories.key(project, scope=KeyScope.READ)),
        "organization": factories.basic(factories.organization_key(project.organization)),
        "public": f"Bearer {factories.key(project).key.public_key}",
    }


async def test_other_keys(others: dict[str, str], sender: Sender):
    await put(sender, await announce(sender))
    statuses: dict[str, list[int]] = {}
    for name, authorization in others.items():
        for method, path, body in CALLS:
            headers = {"authorization": authorization}
            answer = await sender.http.request(method, f"/api/public/{path}", json=body, headers=headers)
            statuses.setdefault(name, []).append(answer.status_code)
    assert statuses == {
        "stranger": [201, 200, 404],  # announces a file of its own, that it has not put
        "ingest": [201, 200, 403],
        "read": [403, 403, 200],
        "organization": [403, 403, 403],
        "public": [403, 403, 403],
    }


async def test_a_suspended_project(sender: Sender):
    await put(sender, await announce(sender))
    suspend = functools.partial(organizations.suspend_ingestion, actor=SYSTEM, tenant=sender.project)
    await asyncio.to_thread(suspend, reason="The invoice is not paid.")
    for method, path, body in CALLS:
        response = await send(sender, method, path, body)
        assert response.status_code == (200 if method == "GET" else 403)
        assert method == "GET" or "invoice" in response.json()["message"]


@pytest.mark.parametrize("media_id", ["nothing", "a%2Fb", "x" * 500, "%00"])
async def test_unknown_media(sender: Sender, media_id: str):
    assert (await sender.get(f"media/{media_id}")).status_code == 404
    assert (await send(sender, "PATCH", f"media/{media_id}", REPORT)).status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"uploadedAt": "yesterday"}, "uploadedAt"),
        ({"uploadedAt": "2026-11-21T08:06:14"}, "uploadedAt"),
        ({"uploadedAt": "0001-01-01T00:00:00+23:00"}, "uploadedAt"),
        ({"uploadedAt": None}, "uploadedAt"),
        ({"uploadHttpStatus": "200"}, "uploadHttpStatus"),
        ({"uploadHttpStatus": None}, "uploadHttpStatus"),
        ({"uploadHttpError": 5}, "uploadHttpError"),
        ({"uploadTimeMs": "6"}, "uploadTimeMs"),
    ],
    ids=str,
)
async def test_bad_report_names_the_field(sender: Sender, change: dict[str, Any], field: str):
    await announce(sender)
    response = await send(sender, "PATCH", f"media/{ID}", REPORT | change)
    assert response.status_code == 400
    assert [issue["path"] for issue in response.json()["error"]] == [[field]]


async def test_a_report_is_not_proof(sender: Sender):
    await announce(sender)
    assert (await send(sender, "PATCH", f"media/{ID}", REPORT)).status_code == 200
    assert (await sender.get(f"media/{ID}")).status_code == 404
    failed = REPORT | {"uploadHttpStatus": 413, "uploadHttpError": "too large"}
    assert (await send(sender, "PATCH", f"media/{ID}", failed)).status_code == 200
    assert (await Media.objects.aget()).upload_status == 413


# --- the signed address -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (PNG[:-1], {}),
        (PNG + b".", {}),
        (b"x" * len(PNG), {}),
        (b"", {}),
        (PNG, {"content-type": "text/html"}),
        (PNG, {"x-amz-checksum-sha256": media.sha256(b"other")}),
        (PNG, {"content-encoding": "gzip"}),
    ],
    ids=["short", "long", "other", "empty", "type", "checksum", "encoding"],
)
async def test_what_was_not_announced_is_not_kept(
    sender: Sender, folder: Path, content: bytes, headers: dict[str, str]
):
    url = await announce(sender)

    async def pieces():  # without Content-Length: only counting helps
        yield content[:10]
        yield content[10:]

    for body in (content, pieces()):
        response = await sender.http.put(url, content=body, headers=headers)
        assert response.status_code == 400, response.text
        assert response.json()["message"]
    assert kept(folder) == []
    assert (await sender.get(f"media/{ID}")).status_code == 404
    assert (await put(sender, url)).status_code == 200  # the address is still good


async def test_only_our_addresses_open_anything(sender: Sender):
    url = await announce(sender)
    await put(sender, url)
    read = (await sender.get(f"media/{ID}")).json()["url"]
    for method, address in (
        ("PUT", url[:-1] + ("A" if url[-1] != "A" else "B")),
        ("PUT", read),
        ("GET", url),
        ("GET", "/media/"),
        ("GET", "/media/..%2F..%2Fsecret_key"),
        ("PUT", "/media/" + "A" * 5000),
        ("GET", "/media/%ff%00"),
    ):
        response = await sender.http.request(method, address, content=PNG if method == "PUT" else None)
        assert response.status_code == 403, address
    assert (await sender.http.post(url)).status_code == 405
    for method, claim in (
        ("PUT", tokens.read_upload(url.rpartition("/")[2])),
        ("GET", tokens.read_download(read.rpartition("/")[2])),
    ):
        response = await sender.http.request(method, f"/media/{tokens.sign(claim, expires=1_700_000_000)}")
        assert (response.status_code, "expired" in response.json()["message"]) == (403, True)


async def test_put_twice_at_the_same_moment(sender: Sender, folder: Path):
    content = bytes(range(256)) * 20_000
    urls = await asyncio.gather(*(announce(sender, content, "application/zip") for _ in range(4)))
    answers = await asyncio.gather(*(put(sender, url, content, "application/zip") for url in urls))
    assert {answer.status_code for answer in answers} == {200}
    assert kept(folder) == [content]
    assert (await Media.objects.acount(), await MediaLink.objects.acount()) == (1, 1)


async def test_put_again_changes_nothing(sender: Sender, folder: Path):
    url = await announce(sender)
    for _ in range(2):
        assert (await put(sender, url)).status_code == 200
    assert kept(folder) == [PNG]


async def test_erased_while_it_was_uploaded(sender: Sender, folder: Path):
    url = await announce(sender)
    await asyncio.to_thread(services.erase, sender.project.id, None)
    assert (await put(sender, url)).status_code == 404
    assert kept(folder) == []


async def test_too_many_at_once(sender: Sender, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, "MAX_UPLOADS", 0)
    response = await put(sender, await announce(sender))
    assert (response.status_code, int(response.headers["retry-after"])) == (503, 5)


async def test_a_full_disk(sender: Sender, folder: Path, monkeypatch: pytest.MonkeyPatch):
    url = await announce(sender)
    monkeypatch.setattr(storage, "_SPARE_BYTES", 2**60)
    response = await put(sender, url)
    assert (response.status_code, "retry-after" in response.headers) == (503, True)
    assert kept(folder) == []


async def test_browsers_may_put(sender: Sender):
    url = await announce(sender)
    preflight = await sender.http.options(url, headers={"origin": "https://app.example"})
    assert preflight.status_code == 204
    assert "PUT" in preflight.headers["access-control-allow-methods"]
    response = await sender.http.put(url, content=PNG, headers={"origin": "https://app.example"})
    assert response.headers["access-control-allow-origin"] == "https://app.example"


# --- serving ----------------------------------------------------------------------------------------------


async def address_of(sender: Sender, content: bytes, content_type: str) -> str:
    await put(sender, await announce(sender, content, content_type), content, content_type)
    return str((await sender.get(f"media/{media.media_id(content)}")).json()["url"])


@pytest.mark.parametrize(
    ("content_type", "served", "place"),
    [
        ("image/png", "image/png", "inline"),
        ("image/jpg", "image/jpeg", "inline"),
        ("audio/mp3", "audio/mpeg", "inline"),
        ("video/mp4", "video/mp4", "inline"),
        ("text/html", "application/octet-stream", "attachment"),
        ("image/svg+xml", "application/octet-stream", "attachment"),
        ("application/xml", "application/octet-stream", "attachment"),
        ("application/javascript", "application/octet-stream", "attachment"),
        ("application/pdf", "application/octet-stream", "attachment"),
        ("text/plain", "application/octet-stream", "attachment"),
    ],
)
async def test_headers(sender: Sender, content_type: str, served: str, place: str):
    url = await address_of(sender, PNG, content_type)
    for method in ("GET", "HEAD"):
        response = await sender.http.request(method, url)
        assert response.status_code == 200
        assert response.headers["content-type"] == served
        assert response.headers["content-disposition"].startswith(f'{place}; filename="{ID}.')
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "sandbox; default-src 'none'" in response.headers["content-security-policy"]
        assert int(response.headers["content-length"]) == len(PNG)
        assert response.content == (PNG if method == "GET" else b"")
    tag = response.headers["etag"]
    assert (await sender.http.get(url, headers={"if-none-match": tag})).status_code == 304


async def test_ranges(sender: Sender):
    content = bytes(range(256)) * 5000
    url = await address_of(sender, content, "audio/wav")
    for asked, first, last in (
        ("bytes=0-0", 0, 0),
        ("bytes=1000000-", 1_000_000, 1_279_999),
        ("bytes=-5", 1_279_995, 1_279_999),
        ("bytes=300-700000", 300, 700_000),
        ("bytes=5-9999999999", 5, 1_279_999),
    ):
        response = await sender.http.get(url, headers={"range": asked})
        assert response.status_code == 206
        assert response.headers["content-range"] == f"bytes {first}-{last}/1280000"
        assert response.content == content[first : last + 1]
    response = await sender.http.get(url, headers={"range": "bytes=1280000-"})
    assert (response.status_code, response.headers["content-range"]) == (416, "bytes */1280000")
    for whole in ("bytes=0-1,5-6", "bytes=9-2", "lines=1-2"):
        assert (await sender.http.get(url, headers={"range": whole})).content == content
    stale = await sender.http.get(url, headers={"range": "bytes=0-0", "if-range": '"old"'})
    assert stale.status_code == 200


async def test_a_file_that_is_gone(sender: Sender):
    url = await address_of(sender, PNG, "image/png")
    await asyncio.to_thread(services.erase, sender.project.id, None)
    assert (await sender.http.get(url)).status_code == 404
    assert (await sender.get(f"media/{ID}")).status_code == 404


# --- files inside spans -------------------------------------------------------------------------------------


SPAN = {
    "trace_id": bytes(range(16)),
    "span_id": b"spanspan",
    "attributes": {
        "langfuse.observation.input": json.dumps(
            [{"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()}]
        ),
        "langfuse.observation.output": "plain",
        "langfuse.trace.metadata.picture": f"data:image/png;base64,{base64.b64encode(PNG).decode()}",
    },
}


async def test_files_inside_spans(sender: Sender, folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(settings, "EXTRACT_MEDIA", True)
    for _ in range(2):  # a retried request changes nothing
        assert (await sender.export(otlp.request(SPAN))).status_code == 200
    trace = (await sender.get(f"traces/{bytes(range(16)).hex()}")).json()
    assert trace["input"] == [{"type": "base64", "media_type": "image/png", "data": media.reference(PNG)}]
    assert trace["output"] == "plain"
    assert trace["metadata"]["picture"] == media.reference(PNG).replace("bytes", "base64_data_uri")
    found = (await sender.get(f"media/{ID}")).json()
    assert (await sender.http.get(found["url"])).content == PNG
    places = MediaLink.objects.values_list("trace_id", "observation_id", "field")
    assert {link async for link in places} == {
        (bytes(range(16)).hex(), b"spanspan".hex(), field) for field in ("input", "metadata")
    }
    assert kept(folder) == [PNG]


async def test_files_inside_spans_that_cannot_be_stored(sender: Sender, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(settings, "EXTRACT_MEDIA", True)
    monkeypatch.setattr(storage, "_SPARE_BYTES", 2**60)
    assert (await sender.export(otlp.request(SPAN))).status_code == 200
    trace = (await sender.get(f"traces/{bytes(range(16)).hex()}")).json()
    assert trace["input"][0]["data"] == base64.b64encode(PNG).decode()


async def test_files_inside_spans_stay_unless_asked_for(sender: Sender, folder: Path):
    assert (await sender.export(otlp.request(SPAN))).status_code == 200
    trace = (await sender.get(f"traces/{bytes(range(16)).hex()}")).json()
    assert trace["input"][0]["data"] == base64.b64encode(PNG).decode()
    assert await Media.objects.acount() == 0


# --- recorded clients ---------------------------------------------------------------------------------------


def recorded_media() -> dict[str, list[dict[str, Any]]]:
    """The media requests of every recording, by client."""
    lines = [json.loads(line) for line in (RECORDINGS / "media.jsonl").read_text().splitlines()]
    return {
        client: [line for line in lines if line["client"] == client]
        for client in dict.fromkeys(line["client"] for line in lines)
    }


RECORDED = recorded_media()


@pytest.mark.parametrize("client", RECORDED)
async def test_recorded_clients(sender: Sender, client: str):
    urls: dict[str, str] = {}
    for line in RECORDED[client]:
        headers = line["headers"] | {"content-type": line["content_type"]}
        media_id = line["path"].rpartition("/")[2]
        if line["method"] == "PUT":
            content = base64.b64decode(line["body_b64"])
            response = await sender.http.put(urls[media_id], content=content, headers=headers)
            assert response.status_code == 200
            continue
        headers["authorization"] = sender.authorization
        response = await sender.http.request(
            line["method"], line["path"], json=line["body_json"], headers=headers
        )
        assert response.status_code == line["response_status"]
        if line["method"] == "POST":
            assert response.json()["mediaId"] == line["stub_response"]["mediaId"]
            urls[response.json()["mediaId"]] = response.json()["uploadUrl"]
        else:
            found = (await sender.get(f"media/{media_id}")).json()
            assert (await sender.http.get(found["url"])).status_code == 200
