"""The public API's manners through a started server: what only the wire shows."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from apps.core.json_body import LARGE_BODY, MAX_BODY
from tests.support.provisioned import CREDENTIALS, ENVIRONMENT
from tests.support.server import ServerProcess

ORIGIN = {"origin": "https://shop.example"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory: Path = tmp_path_factory.mktemp("manners")
    with ServerProcess(directory, **ENVIRONMENT, LITEFUSE_BASE_PATH="/below") as server:
        yield f"{server.url}/below/api/public"


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, auth=CREDENTIALS) as client:
        yield client


@pytest.mark.parametrize("path", ["health", "projects", "traces", "ingestion", "media", "nothing/at/all"])
def test_every_path_answers_a_preflight(http: httpx.Client, path: str):
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "x-langfuse-sdk-name"}
    answer = http.options(f"/{path}", headers=ORIGIN | asked)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == ORIGIN["origin"]
    assert answer.headers["access-control-allow-headers"] == "x-langfuse-sdk-name"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("path", ["health", "projects", "traces/nothing", "nothing/at/all"])
def test_every_answer_may_be_read_from_any_origin(http: httpx.Client, path: str):
    answer = http.get(f"/{path}", headers=ORIGIN)
    assert answer.headers["access-control-allow-origin"] == ORIGIN["origin"]
    assert "Origin" in answer.headers["vary"]
    assert "Retry-After" in answer.headers["access-control-expose-headers"]


def test_answers_carry_nothing_that_pages_need(http: httpx.Client):
    answer = http.get("/projects", headers={"accept-language": "zh-CN"})
    assert not {"set-cookie", "content-security-policy", "content-language"} & set(answer.headers)
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["health/", "projects/", "media/"])
def test_slashes_are_never_mended(http: httpx.Client, path: str):
    for method in ("GET", "POST"):
        assert http.request(method, f"/{path}").status_code == 404


def test_head(http: httpx.Client):
    answer = http.head("/projects")
    assert (answer.status_code, answer.content) == (200, b"")


def test_underscored_headers_of_old_clients(http: httpx.Client):
    assert http.get("/projects", headers={"x_langfuse_sdk_name": "python"}).status_code == 200


def test_packed_and_chunked_bodies(http: httpx.Client):
    for body in (gzip.compress(b'{"nonsense":1}'), iter([gzip.compress(b'{"nonsense":1}')])):
        answer = http.post("/media", content=body, headers={"content-encoding": "gzip"})
        assert answer.status_code == 400
        assert answer.json()["message"] == "Invalid request data"


@pytest.mark.parametrize("size", [MAX_BODY + 1, LARGE_BODY + 1])
def test_too_large_a_body_says_what_to_do(http: httpx.Client, size: int):
    def pieces() -> Iterator[bytes]:
        yield b'"' + b"a" * (size - 2) + b'"'

    for body in (b'"' + b"a" * (size - 2) + b'"', pieces()):
        answer = http.post("/media", content=body, headers=ORIGIN)
        assert answer.status_code == 413
        assert "media" in answer.json()["message"]
        assert answer.json()["error"] == "PayloadTooLargeError"
        assert answer.headers["access-control-allow-origin"] == ORIGIN["origin"]


def test_unknown_paths_of_the_api_are_json(http: httpx.Client, url: str):
    for path in (f"{url}/nothing", url.replace("/public", "/nothing")):
        answer = http.get(path)
        assert (answer.status_code, answer.json()["error"]) == (404, "LangfuseNotFoundError")


NAME = "folder/über %41?#&+name"


def encoded(name: str) -> str:
    return quote(name, safe="")


def test_names_with_slashes_are_one_part_of_a_path(http: httpx.Client):
    prompt = {"name": NAME, "type": "text", "prompt": "hi", "labels": ["production"]}
    assert http.post("/v2/prompts", json=prompt).status_code == 201
    assert http.get(f"/v2/prompts/{encoded(NAME)}").json()["name"] == NAME
    labels = http.patch(f"/v2/prompts/{encoded(NAME)}/versions/1", json={"newLabels": ["staging"]})
    assert "staging" in labels.json()["labels"]
    assert http.post("/v2/datasets", json={"name": NAME}).status_code == 200
    assert http.get(f"/v2/datasets/{encoded(NAME)}").json()["name"] == NAME


def test_two_names_with_slashes_are_told_apart(http: httpx.Client):
    dataset, run = "a/runs/b", "runs/c/d"
    http.post("/v2/datasets", json={"name": dataset})
    item = http.post("/dataset-items", json={"datasetName": dataset, "input": 1}).json()
    body = {"runName": run, "datasetItemId": item["id"], "traceId": "t"}
    assert http.post("/dataset-run-items", json=body).status_code == 200
    runs = http.get(f"/datasets/{encoded(dataset)}/runs").json()["data"]
    assert [one["name"] for one in runs] == [run]
    found = http.get(f"/datasets/{encoded(dataset)}/runs/{encoded(run)}")
    assert (found.status_code, found.json()["name"]) == (200, run)
    assert http.get(f"/datasets/{encoded('a')}/runs/{encoded('b/runs/' + run)}").status_code == 404


def test_the_whole_description_comes_over_the_wire(http: httpx.Client, url: str):
    described = http.get("/openapi.json").json()
    assert described["servers"] == [{"url": "/below"}]
    page = httpx.get(url.replace("/api/public", "/docs/api"))
    assert page.status_code == 200
    assert f"{url.partition('/below')[0]}/below" in page.text
