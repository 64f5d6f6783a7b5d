"""Comments over the public API: on everything that can be commented on, and each refusal."""

from __future__ import annotations

from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.evaluation.models import Comment
from apps.organizations.models import Role
from apps.tracing import erasure
from apps.tracing.records import Observation, TraceFacts
from apps.tracing.writer import Writer, forget
from tests import factories
from tests.support.api import Keys, check_bad, check_hidden, check_refusals

AT = 1_785_585_600_000_000


@pytest.fixture
def stored(ours: Keys) -> Keys:
    """A project with a trace t of a session s, and its observation o."""
    forget()
    writer = Writer()
    facts = TraceFacts(session_id="s")
    writer.commit([Observation(ours.project_id, "t", "o", start_time=AT, trace=facts)])
    writer.close()
    return ours


def prompt(keys: Keys) -> str:
    """The id of a new prompt's only version."""
    response = keys.full.post("v2/prompts", {"name": "p", "prompt": "Hello"})
    assert response.status_code == 201, response.content
    return response.json()["id"]


def body(**fields: Any) -> dict[str, Any]:
    """A comment on the trace t."""
    return {"projectId": "any", "objectType": "TRACE", "objectId": "t", "content": "Good."} | fields


def make(keys: Keys, **fields: Any) -> str:
    """The id of a new comment."""
    response = keys.full.post("comments", body(**fields))
    assert response.status_code == 200, response.content
    assert response.json().keys() == {"id"}
    return response.json()["id"]


def test_it_works(stored: Keys):
    id = make(stored, content="  Good.\n")
    comment = stored.read.get(f"comments/{id}").json()
    assert comment == {
        "id": id,
        "projectId": stored.project_id,
        "objectType": "TRACE",
        "objectId": "t",
        "content": "Good.",
        "authorUserId": None,
        "createdAt": comment["createdAt"],
        "updatedAt": comment["updatedAt"],
    }
    assert comment["createdAt"].endswith("Z")
    assert stored.read.get("comments").json()["data"] == [comment]
    entry = AuditEntry.objects.get(resource_type="comment")
    assert (entry.resource_id, entry.after) == (id, {"objectType": "TRACE", "objectId": "t"})


def test_everything_can_be_commented_on(stored: Keys):
    objects = {"TRACE": "t", "OBSERVATION": "o", "SESSION": "s", "PROMPT": prompt(stored)}
    made = {kind: make(stored, objectType=kind, objectId=id) for kind, id in objects.items()}
    for kind, id in objects.items():
        found = stored.read.get("comments", objectType=kind, objectId=id).json()["data"]
        assert [item["id"] for item in found] == [made[kind]]
        assert [item["id"] for item in stored.read.get("comments", objectType=kind).json()["data"]] == [
            made[kind]
        ]


@pytest.mark.parametrize("kind", Comment.Subject.values)
def test_what_is_not_there(stored: Keys, theirs: Keys, kind: str):
    id = {"TRACE": "t", "OBSERVATION": "o", "SESSION": "s", "PROMPT": prompt(stored)}[kind]
    check_hidden(theirs, "POST", "comments", body=body(objectType=kind, objectId=id))
    check_hidden(stored, "POST", "comments", body=body(objectType=kind, objectId="absent"))
    check_hidden(stored, "POST", "comments", body=body(objectType=kind, objectId="\U0001f600 /'\"%"))
    assert not Comment.objects.exists()


def test_authors(stored: Keys, theirs: Keys):
    member = factories.member(stored.organization, Role.VIEWER)
    stranger = factories.member(theirs.organization, Role.OWNER)
    id = make(stored, authorUserId=str(member.pk))
    make(stored)
    assert stored.read.get(f"comments/{id}").json()["authorUserId"] == str(member.pk)
    found = stored.read.get("comments", authorUserId=str(member.pk)).json()
    assert [item["id"] for item in found["data"]] == [id]
    assert stored.read.get("comments", authorUserId="ann").json()["data"] == []
    for author in (str(stranger.pk), "ann", "0", "9" * 30, "²"):
        check_bad(stored.full.post("comments", body(authorUserId=author)), "authorUserId")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"objectType": "USER"}, "objectType"),
        ({"objectType": None}, "objectType"),
        ({"objectId": ""}, "objectId"),
        ({"objectId": 5}, "objectId"),
        ({"objectId": "x" * 801}, "objectId"),
        ({"content": ""}, "content"),
        ({"content": " \n "}, "content"),
        ({"content": "x" * 5001}, "content"),
        ({"content": None}, "content"),
        ({"projectId": None}, "projectId"),
        ({"authorUserId": 5}, "authorUserId"),
        ({"stars": 5}, "stars"),
    ],
)
def test_what_is_wrong_is_told_by_field(ours: Keys, changed: dict[str, Any], field: str):
    check_bad(ours.full.post("comments", body(**changed)), field)


def test_bodies_that_are_no_objects(ours: Keys):
    for sent in ([], "text", b"{", b""):
        assert ours.full.post("comments", sent).status_code == 400


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"objectId": "t"}, "objectType"),
        ({"objectId": "t", "objectType": ""}, "objectType"),
        ({"objectType": "trace"}, "objectType"),
        ({"limit": "101"}, "limit"),
        ({"page": "0"}, "page"),
        ({"author": "ann"}, "author"),
    ],
)
def test_what_is_wrong_with_parameters(ours: Keys, query: dict[str, str], field: str):
    check_bad(ours.read.get("comments", **query), field)


def test_pages_to_the_end(stored: Keys):
    made = [make(stored, content=f"number {number}") for number in range(7)]
    first = stored.read.get("comments", limit=3, objectType="TRACE", objectId="t").json()
    assert first["meta"] == {"page": 1, "limit": 3, "totalItems": 7, "totalPages": 3}
    assert [item["id"] for item in stored.read.pages("comments", limit=3)] == made[::-1]


def test_refusals(stored: Keys, theirs: Keys):
    id = make(stored)
    check_refusals(stored, "GET", "comments", scope="read")
    check_refusals(stored, "POST", "comments", scope="write", body=body())
    check_refusals(stored, "GET", f"comments/{id}", scope="read")
    check_hidden(theirs, "GET", f"comments/{id}")
    check_hidden(stored, "GET", "comments/a%00b")
    assert theirs.full.get("comments").json()["data"] == []
    assert Comment.objects.count() == 1


def test_comments_go_with_their_trace(stored: Keys, theirs: Keys):
    kept = make(stored, objectType="SESSION", objectId="s")
    for kind, id in (("TRACE", "t"), ("OBSERVATION", "o")):
        make(stored, objectType=kind, objectId=id)
    erasure.erase_copies(theirs.project_id, frozenset({"t"}))
    assert Comment.objects.count() == 3
    erasure.erase_copies(stored.project_id, frozenset({"t", "u"}))
    assert [comment.id for comment in Comment.objects.all()] == [kept]
    erasure.erase_copies(stored.project_id, None)
    assert not Comment.objects.exists()
