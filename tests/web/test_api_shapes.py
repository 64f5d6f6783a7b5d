"""Every documented call with made-up input of the documented kinds: no 500, and answers of their shapes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core import NotSet
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import response_schema_conformance

from apps.core.clock import now_micros
from apps.tracing.records import Observation, Score, TraceFacts
from apps.tracing.writer import Writer, forget
from litefuse_web.openapi import document
from tests.support.api import Caller, Keys

EXAMPLES = 8  # of each call
SETTINGS = hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[hypothesis.Phase.generate],
)
# Answered before Django, so not by the test client.
RAW = {
    ("POST", path) for path in ("/api/public/ingestion", "/api/public/scores", "/api/public/otel/v1/traces")
}
ADMIN_KEY = "a-key-of-the-instance"


@pytest.fixture
def known(ours: Keys, settings: Any) -> Iterator[dict[str, str]]:
    """What there is to find: values of the paths' parameters."""
    settings.ADMIN_API_KEY = ADMIN_KEY
    forget()
    writer = Writer()
    project, start = ours.project_id, now_micros() - 60_000_000
    facts = TraceFacts(name="t", session_id="s", user_id="u", tags=("a",))
    writer.commit(
        [
            Observation(project, "t", "o", start, name="root", end_time=start + 1000, trace=facts),
            Score(project, "sc", "quality", start, value=1.0, trace_id="t"),
        ]
    )
    full = ours.full
    full.post("v2/prompts", {"name": "p", "type": "text", "prompt": "hello {{a}}", "labels": ["production"]})
    full.post("v2/datasets", {"name": "d", "metadata": {"a": 1}})
    item = full.post("dataset-items", {"datasetName": "d", "input": {"q": 1}}).json()
    full.post("dataset-run-items", {"runName": "r", "datasetItemId": item["id"], "traceId": "t"})
    config = full.post("score-configs", {"name": "c", "dataType": "NUMERIC"}).json()
    comment = full.post(
        "comments", {"projectId": project, "objectType": "TRACE", "objectId": "t", "content": "c"}
    ).json()
    key = ours.whole.post(f"projects/{project}/apiKeys", {}).json()
    yield {
        "traceId": "t", "observationId": "o", "sessionId": "s", "scoreId": "sc", "name": "d", "runName": "r",
        "itemId": item["id"], "configId": config["id"], "commentId": comment["id"], "version": "1",
        "projectId": project, "keyId": key["id"], "organizationId": ours.organization.id,
        "datasetName": "d", "promptName": "p",
    }  # fmt: skip
    writer.close()


def calls(*methods: str) -> list[Any]:
    """The documented calls of some methods, those that take whole projects away last."""
    schema = schemathesis.openapi.from_dict(document())
    found = [one.ok() for one in schema.get_all_operations()]
    wanted = [
        one for one in found if one.method.upper() in methods and (one.method.upper(), one.path) not in RAW
    ]
    return sorted(wanted, key=lambda one: (one.path.count("/") < 5, one.path))


def caller_of(keys: Keys, operation: Any) -> Caller:
    """Who may do the most."""
    if operation.path.startswith("/api/admin"):
        return Caller(f"Bearer {ADMIN_KEY}")
    of_organization = "/organizations/" in operation.path or "/projects/" in operation.path
    makes_project = (operation.method.upper(), operation.path) == ("POST", "/api/public/projects")
    return keys.whole if of_organization or makes_project else keys.full


def answer_to(caller: Caller, case: Case) -> schemathesis.Response:
    """The answer of the test client, as the checks want it."""
    body = None if isinstance(case.body, NotSet) else json.dumps(case.body, default=str)
    given = caller.call(case.method, case.formatted_path, body, query=case.query)
    request = requests.Request(case.method, f"http://test{case.formatted_path}").prepare()
    return schemathesis.Response(
        status_code=given.status_code,
        headers={name.lower(): [value] for name, value in given.headers.items()},
        content=given.content,
        request=request,
        elapsed=0.0,
        verify=False,
    )


def told(failure: FailureGroup) -> str:
    """What was wrong, in short."""
    return "; ".join(str(one)[:700] for one in failure.exceptions)


def trouble(keys: Keys, operation: Any, known: dict[str, str]) -> list[str]:
    """What was wrong with the answers to one call."""
    found: list[str] = []
    turns = iter(range(1000))
    caller = caller_of(keys, operation)

    @SETTINGS
    @hypothesis.given(case=operation.as_strategy())
    def call(case: Case) -> None:
        if next(turns) % 3:  # what is there, two times in three
            case.path_parameters = {
                name: known.get(name, value) for name, value in (case.path_parameters or {}).items()
            }
        response = answer_to(caller, case)
        # 503 is an answer: no telemetry in the last minutes, if that is asked for.
        for check in (
            *([] if response.status_code == 503 else [not_a_server_error]),
            response_schema_conformance,
        ):
            try:
                case.validate_response(response, checks=[check])
            except FailureGroup as failure:
                found.append(f"{case.method} {case.formatted_path}: {told(failure)}")
                return

    call()
    return found


@pytest.mark.parametrize("methods", [("GET",), ("POST", "PUT", "PATCH"), ("DELETE",)], ids="/".join)
def test_no_call_breaks_and_answers_have_their_shapes(
    ours: Keys, known: dict[str, str], methods: tuple[str, ...]
) -> None:
    found = [one for operation in calls(*methods) for one in trouble(ours, operation, known)[:1]]
    assert not found, "\n\n".join(found)
