"""The API describes itself: every endpoint, with an example, as OpenAPI and as a page."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from litefuse_web.api_docs import chapters
from litefuse_web.openapi import document
from tests.support.api import Caller

pytestmark = pytest.mark.django_db


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_endpoint_says_what_it_does_and_shows_it() -> None:
    found = operations()
    assert len(found) > 60
    for method, path, operation in found:
        where = f"{method} {path}"
        assert operation.get("summary"), f"{where}: decorate it with core.openapi.documented"
        assert operation["tags"] != ["Other"], where
        answers = {status: one for status, one in operation["responses"].items() if status < "3"}
        assert answers, where
        for status, answer in answers.items():
            content = answer.get("content", {}).get("application/json")
            assert status == "204" or (content and content.get("examples")), f"{where}: no example"
        if "requestBody" in operation:
            assert operation["requestBody"]["content"]["application/json"].get("examples"), where


def test_operations_have_ids_of_their_own() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))


def test_the_document() -> None:
    answer = Caller().get("openapi.json")
    assert answer.status_code == 200
    whole = answer.json()
    assert whole["openapi"].startswith("3.")
    assert "/api/public/traces/{traceId}" in whole["paths"]
    assert set(whole["paths"]["/api/public/scores"]) >= {"get", "post"}
    assert whole["paths"]["/api/public/projects"]["get"]["security"] == [{"basic": []}]


@pytest.mark.parametrize(("language", "word"), [("en", "Credentials"), ("zh-hans", "凭据")])
def test_the_page(client: Client, language: str, word: str) -> None:
    answer = client.get("/docs/api", headers={"accept-language": language})
    assert answer.status_code == 200
    page = answer.content.decode()
    assert word in page
    for _, path, operation in operations():
        assert f'id="{operation["operationId"]}"' in page
        assert path in page
    assert "<style" not in page and "https://cdn" not in page


def test_the_page_lists_fields_within_fields() -> None:
    [traces] = [
        endpoint
        for chapter in chapters()
        for endpoint in chapter.endpoints
        if (endpoint.method, endpoint.path) == ("GET", "/api/public/traces")
    ]
    names = {field.name for field in traces.answer}
    assert {"data", "data[].id", "meta.totalPages"} <= names
    assert traces.call.startswith('curl -u "$LANGFUSE_PUBLIC_KEY:$LANGFUSE_SECRET_KEY"')
