"""The public API in tests: keys of every kind in two tenants, a small client, what every endpoint refuses.

    def test_refusals(ours: Keys, theirs: Keys):
        check_refusals(ours, "GET", "comments/x", scope="read")
        check_hidden(theirs, "GET", f"comments/{comment.id}")

`ours` and `theirs` are fixtures (tests/conftest.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote, unquote

import orjson
from django.http import HttpResponse
from django.test import Client
from django.urls import resolve

from apps.core.segments import MARK
from apps.organizations.models import KeyScope, Organization, Project
from apps.organizations.scopes import KEY_OPERATIONS
from tests import factories

ROOT = "/api/public/"

# Keys of an error's body where credentials fail: on most routes; on prompts; on routes of organizations.
Shape = Literal["message", "named", "error"]
_KEYS: Mapping[Shape, set[str]] = {"message": {"message"}, "named": {"error", "message"}, "error": {"error"}}


@dataclass(frozen=True)
class Caller:
    """A client that holds some credentials; JSON in, and `.json()` of the response out.

    Paths are below /api/public/ unless they begin with a slash; `%2F` in them stays within a name.
    """

    authorization: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def call(
        self, method: str, path: str, body: Any = None, query: Any = None, **headers: str
    ) -> HttpResponse:
        """Any request. Headers: with underscores, as Django's test client takes them."""
        sent = {**self.headers, **headers}
        if self.authorization is not None:
            sent["authorization"] = self.authorization
        content = {} if body is None else {"data": _json(body), "content_type": "application/json"}
        return Client(raise_request_exception=False).generic(
            method,
            address(path),
            **content,
            headers={name.replace("_", "-"): value for name, value in sent.items()},
            query_params=query or {},
        )

    def get(self, path: str, **query: Any) -> HttpResponse:
        """GET with query parameters; a list repeats its name."""
        return self.call("GET", path, query=query)

    def post(self, path: str, body: Any) -> HttpResponse:
        """POST with a JSON body."""
        return self.call("POST", path, body)

    def put(self, path: str, body: Any) -> HttpResponse:
        """PUT with a JSON body."""
        return self.call("PUT", path, body)

    def patch(self, path: str, body: Any) -> HttpResponse:
        """PATCH with a JSON body."""
        return self.call("PATCH", path, body)

    def delete(self, path: str, body: Any = None) -> HttpResponse:
        """DELETE, some with a JSON body."""
        return self.call("DELETE", path, body)

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """The items of all pages of a list, page by page as they are asked for."""
        page = 1
        while True:
            answer = self.get(path, page=page, **query).json()
            yield from answer["data"]
            page += 1
            if page > answer["meta"]["totalPages"]:
                return

    def cursors(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """The items of a list with cursors, to its end."""
        cursor: dict[str, str] = {}
        while True:
            answer = self.get(path, **query, **cursor).json()
            yield from answer["data"]
            if "cursor" not in answer["meta"]:
                return
            cursor = {"cursor": answer["meta"]["cursor"]}


def address(path: str) -> str:
    """A path of the public API as the real server hands it to Django."""
    path = path.replace("%2F", quote(MARK)).replace("%2f", quote(MARK))
    return path if path.startswith("/") else ROOT + path


def _json(body: Any) -> bytes | str:
    return body if isinstance(body, bytes | str) else orjson.dumps(body)


@dataclass(frozen=True)
class Keys:
    """A project of an organization of its own, and a caller with each kind of credentials."""

    organization: Organization
    project: Project
    full: Caller
    ingest: Caller
    read: Caller
    public: Caller  # Bearer with the public key alone
    whole: Caller  # a key of the organization
    whole_read: Caller  # one that only reads

    @property
    def project_id(self) -> str:
        """Of the project."""
        return self.project.id


def project_with_keys(project: Project | None = None) -> Keys:
    """A new project, or the given one, with keys of every scope."""
    project = project or factories.project()
    made = {scope: factories.key(project, scope=scope) for scope in KeyScope.values}
    organization = project.organization
    return Keys(
        organization,
        project,
        **{scope: Caller(factories.basic(key)) for scope, key in made.items()},
        public=Caller(f"Bearer {made['full'].key.public_key}"),
        whole=Caller(factories.basic(factories.organization_key(organization))),
        whole_read=Caller(factories.basic(factories.organization_key(organization, scope=KeyScope.READ))),
    )


NOBODY = Caller()


def check_refusals(
    keys: Keys,
    method: str,
    path: str,
    *,
    scope: str,
    body: Any = None,
    query: Any = None,
    shape: Shape = "message",
) -> None:
    """Whom an endpoint turns away: a wrong method before credentials, no or unknown keys, keys whose scope
    lacks the operation `scope` (organizations.scopes.KEY_OPERATIONS)."""
    wrong = NOBODY.call(wrong_method(path), path)
    assert wrong.status_code == 405, f"{wrong_method(path)} {path}: {wrong.content!r}"
    named = {"error"} if shape == "error" else {"message", "error"}
    assert wrong.json().keys() == named, wrong.content
    assert method in wrong.headers["Allow"], wrong.headers
    for stranger in (NOBODY, Caller("Basic eDp5"), Caller("Basic eA=="), Caller("Bearer pk-lf-nobody")):
        _check(stranger.call(method, path, body, query), 401, shape)
    for name in _forbidden(scope):
        caller: Caller = getattr(keys, name)
        _check(caller.call(method, path, body, query), 403, shape, name)


def check_hidden(theirs: Keys, method: str, path: str, *, body: Any = None, query: Any = None) -> None:
    """Something of one project does not exist for another's keys."""
    answer = theirs.full.call(method, path, body, query)
    assert answer.status_code == 404, f"{method} {path}: {answer.status_code} {answer.content!r}"
    assert answer.json()["error"] == "LangfuseNotFoundError"


def check_bad(answer: HttpResponse, *fields: str | int) -> None:
    """A 400 that says which fields are wrong: each is in the path of an issue, or in the message."""
    assert answer.status_code == 400, f"{answer.status_code} {answer.content!r}"
    body = answer.json()
    issues = body["error"] if isinstance(body["error"], list) else []
    told = {part for issue in issues for part in issue["path"]}
    for name in fields:
        assert name in told or str(name) in body["message"], body


def wrong_method(path: str) -> str:
    """A method that the endpoint of `path` does not answer."""
    view = resolve(unquote(address(path).partition("?")[0])).func.cls  # type: ignore[attr-defined]
    # POSTs of some paths are telemetry and answered before Django.
    return next(name for name in ("PUT", "PATCH", "DELETE", "GET", "POST") if not hasattr(view, name.lower()))


def _forbidden(scope: str) -> Iterable[str]:
    """The callers of Keys that may not do an operation."""
    allowed = KEY_OPERATIONS[scope]
    if scope.startswith("organization:"):
        yield from ("full", "ingest", "read")
        if "read" not in allowed:
            yield "whole_read"
        return
    yield from (name for name in ("full", "ingest", "read", "public") if name not in allowed)
    yield "whole"


def _check(answer: HttpResponse, status: int, shape: Shape, who: str = "") -> None:
    assert answer.status_code == status, f"{who}: {answer.status_code} {answer.content!r}"
    assert answer.json().keys() == _KEYS[shape], answer.content
    assert answer.headers["Content-Type"] == "application/json"
    if status == 401:
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
