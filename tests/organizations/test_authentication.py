"""API keys: what each kind of credentials opens, and what is refused."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.audit.services import SYSTEM
from apps.core.errors import Forbidden, Unauthorized
from apps.organizations import authentication, services
from apps.organizations.authentication import authenticate, authenticate_cached
from apps.organizations.models import ApiKey, KeyScope
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    authentication.forget_answers()


def _basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_a_project_key_opens_its_project() -> None:
    project = factories.project()
    made = factories.key(project)
    access = authenticate(factories.basic(made))
    assert (access.kind, access.project_id, access.scope) == ("project", project.id, "full")
    assert access.organization_id == project.organization_id
    assert access.require("read") == project.id


def test_a_blank_as_otel_writes_it_in_its_environment() -> None:
    made = factories.key(factories.project())
    assert authenticate(factories.basic(made).replace(" ", "%20")).key_id == made.key.id


def test_the_secret_is_stored_as_a_keyed_hash_only(settings) -> None:
    made = factories.key(factories.project())
    stored = str(ApiKey.objects.filter(pk=made.key.pk).values().get())
    assert made.secret not in stored
    assert made.secret.startswith("sk-lf-") and made.key.public_key.startswith("pk-lf-")
    before = authentication.hash_secret(made.secret)
    settings.SECRET_KEY = "another"
    assert authentication.hash_secret(made.secret) == before
    settings.KEY_HASH_SECRET = "another"
    assert authentication.hash_secret(made.secret) != before


@pytest.mark.parametrize(
    "header",
    [None, "", "Basic", "Basic ", "Basic !!", _basic("pk-lf-x"), _basic("pk-lf-x:"), _basic(":"),
     _basic("a:b"), "Bearer", "Bearer sk-lf-1", "Digest x", "Basic " + "A" * 5000, _basic("pk\0:sk"),
     "Bearer a\0b",
     "Basic \ud800", "Basic " + base64.b64encode(b"\xff\xfe:x").decode()],
)  # fmt: skip
def test_what_is_no_key_is_401(header: str | None) -> None:
    with pytest.raises(Unauthorized) as refusal:
        authenticate(header)
    assert refusal.value.status == 401
    assert refusal.value.body() == {"message": refusal.value.message}
    with pytest.raises(Unauthorized):
        authenticate(header)  # remembered, and the same


@given(st.text(max_size=200))
def test_no_header_breaks_it(header: str) -> None:
    with pytest.raises(Unauthorized):
        authenticate(header)


@given(st.binary(max_size=120), st.sampled_from(["Basic ", "basic ", "BASIC  ", "Bearer "]))
def test_no_credentials_break_it(raw: bytes, scheme: str) -> None:
    with pytest.raises(Unauthorized):
        authenticate(scheme + base64.b64encode(raw).decode())


def test_another_public_key_of_the_same_project_is_let_pass() -> None:
    project = factories.project()
    old, new = factories.key(project), factories.key(project)
    access = authenticate(_basic(f"{old.key.public_key}:{new.secret}"))
    assert access.key_id == new.key.id


def test_a_strangers_public_key_is_refused() -> None:
    made, foreign = factories.key(factories.project()), factories.key(factories.project())
    for public_key in (foreign.key.public_key, "pk-lf-unknown", ""):
        with pytest.raises(Unauthorized):
            authenticate(_basic(f"{public_key}:{made.secret}"))


def test_a_public_key_alone_writes_scores_only() -> None:
    project = factories.project()
    made = factories.key(project)
    access = authenticate(f"Bearer {made.key.public_key}")
    assert access.kind == "public"
    assert access.require("scores") == project.id
    for operation in ("identify", "read", "ingest", "write"):
        with pytest.raises(Forbidden):
            access.require(operation)


def test_the_public_half_of_a_key_that_only_reads_writes_nothing() -> None:
    made = factories.key(factories.project(), scope=KeyScope.READ)
    access = authenticate(f"Bearer {made.key.public_key}")
    for operation in ("scores", "identify", "read", "ingest", "write"):
        with pytest.raises(Forbidden):
            access.require(operation)


def test_an_organization_key_opens_no_project_route() -> None:
    organization = factories.organization()
    made = factories.organization_key(organization)
    access = authenticate(factories.basic(made))
    assert access.kind == "organization" and access.project_id is None
    assert access.require_organization("organization:write") == organization.id
    with pytest.raises(Forbidden):
        access.require("read")
    with pytest.raises(Unauthorized):
        authenticate(f"Bearer {made.key.public_key}")


def test_a_project_key_opens_no_organization_route() -> None:
    access = authenticate(factories.basic(factories.key(factories.project())))
    with pytest.raises(Forbidden):
        access.require_organization("organization:read")


@pytest.mark.parametrize(
    ("scope", "allowed", "refused"),
    [
        (KeyScope.FULL, {"identify", "ingest", "scores", "read", "write"}, set()),
        (KeyScope.INGEST, {"identify", "ingest", "scores"}, {"read", "write"}),
        (KeyScope.READ, {"identify", "read"}, {"ingest", "scores", "write"}),
    ],
)
def test_key_scopes(scope: str, allowed: set[str], refused: set[str]) -> None:
    access = authenticate(factories.basic(factories.key(factories.project(), scope=scope)))
    for operation in allowed:
        access.require(operation)
    for operation in refused:
        with pytest.raises(Forbidden):
            access.require(operation)


def test_an_expired_key_is_refused_also_when_remembered() -> None:
    made = factories.key(factories.project(), expires_at=timezone.now() + timedelta(hours=1))
    header = factories.basic(made)
    authenticate(header)
    remembered = authentication._answers[authentication._digest(header)]
    authentication._answers[authentication._digest(header)] = authentication._Answer(
        remembered.until, remembered.access, timezone.now(), ""
    )
    with pytest.raises(Unauthorized, match="expired"):
        authenticate(header)
    ApiKey.objects.filter(pk=made.key.pk).update(expires_at=timezone.now())
    authentication.forget_answers()
    with pytest.raises(Unauthorized, match="expired"):
        authenticate(header)


def test_revoking_takes_effect_at_once_here(django_capture_on_commit_callbacks) -> None:
    made = factories.key(factories.project())
    authenticate(factories.basic(made))
    with django_capture_on_commit_callbacks(execute=True):
        services.revoke_key(actor=SYSTEM, key=made.key)
    for header in (factories.basic(made), f"Bearer {made.key.public_key}"):
        with pytest.raises(Unauthorized, match="revoked"):
            authenticate(header)


def test_elsewhere_revoking_takes_effect_when_the_memory_ends(monkeypatch) -> None:
    made = factories.key(factories.project())
    header = factories.basic(made)
    authenticate(header)
    ApiKey.objects.filter(pk=made.key.pk).update(revoked_at=timezone.now())  # as another process would
    assert authenticate_cached(header) is not None
    now = authentication.time.monotonic()
    monkeypatch.setattr(authentication.time, "monotonic", lambda: now + authentication.CACHE_SECONDS + 0.1)
    assert authenticate_cached(header) is None
    with pytest.raises(Unauthorized, match="revoked"):
        authenticate(header)


def test_a_second_request_asks_no_database() -> None:
    header = factories.basic(factories.key(factories.project()))
    authenticate(header)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert authenticate(header) == authenticate_cached(header)
    assert len(queries) == 0


def test_use_is_written_down_at_most_once_a_minute() -> None:
    made = factories.key(factories.project())
    authenticate(factories.basic(made))
    first = ApiKey.objects.get(pk=made.key.pk).last_used_at
    assert first is not None
    authentication.forget_answers()
    authenticate(factories.basic(made))
    assert ApiKey.objects.get(pk=made.key.pk).last_used_at == first


def test_the_memory_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(authentication, "CACHE_ENTRIES", 5)
    for number in range(20):
        with pytest.raises(Unauthorized):
            authenticate(_basic(f"pk:sk{number}"))
    assert len(authentication._answers) <= 5
