"""Rate limits: off by default, by plan, by organization, and never in the way when they cannot be counted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.cache import caches
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.audit.models import AuditEntry
from apps.organizations import authentication, limits
from apps.organizations.limits import DAY, HOUR, MINUTE, Limit, limit_of
from apps.organizations.models import Organization
from apps.organizations.rest import KeyView
from tests.support.api import Caller, Keys

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()


@pytest.fixture(autouse=True)
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of no window's change."""
    caches["limits"].clear()
    monkeypatch.setattr(limits.time, "time", lambda: NOON + 10)


def override(keys: Keys, **own: Any) -> None:
    Organization.objects.filter(id=keys.organization.id).update(rate_limits=own)
    authentication.forget_answers()


@pytest.fixture
def counted(settings: Any, ours: Keys) -> Keys:
    settings.RATE_LIMIT_PLAN = "hobby"
    override(ours, **{"public-api": [4, MINUTE]})
    return ours


def read(caller: Caller) -> Any:
    return caller.get("media/AAAAAAAAAAAAAAAAAAAAAA")


def test_the_request_that_would_leave_nothing_is_the_first_refused(counted: Keys):
    assert [read(counted.full).status_code for _ in range(5)] == [404, 404, 404, 429, 429]
    answer = read(counted.read)  # another key of the same organization
    details = {
        "retryAfterSeconds": 50, "limit": 4, "remaining": 0, "resetAt": "2026-11-21T12:01:00.000Z",
    }  # fmt: skip
    assert answer.json() == {"message": answer.json()["message"], "code": "rate_limited", "details": details}
    assert "public-api" in answer.json()["message"]
    headers = {name: answer.headers[name] for name in answer.headers if name.startswith(("X-Rate", "Retry"))}
    assert headers == {
        "Retry-After": "50",
        "X-RateLimit-Limit": "4",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "2026-11-21T12:01:00.000Z",
    }


def test_only_refusals_carry_the_headers(counted: Keys):
    assert not [name for name in read(counted.full).headers if name.startswith("X-Rate")]


def test_a_new_window_begins(counted: Keys, monkeypatch: pytest.MonkeyPatch):
    assert [read(counted.full).status_code for _ in range(4)][-1] == 429
    monkeypatch.setattr(limits.time, "time", lambda: NOON + 60)
    assert read(counted.full).status_code == 404


def test_others_are_counted_by_themselves(counted: Keys, theirs: Keys):
    for _ in range(5):
        read(counted.full)
    assert read(theirs.full).status_code == 404


def test_who_am_i_is_never_limited(counted: Keys):
    assert {counted.full.get("projects").status_code for _ in range(8)} == {200}


def test_refused_credentials_count_for_nobody(counted: Keys):
    for _ in range(6):
        assert read(Caller("Basic eDp5")).status_code == 401
        assert read(counted.ingest).status_code == 403
    assert read(counted.full).status_code == 404


def test_off_unless_switched_on(ours: Keys):
    override(ours, **{"public-api": [1, MINUTE]})
    assert {read(ours.full).status_code for _ in range(3)} == {404}


def test_a_broken_counter_refuses_nobody(counted: Keys, settings: Any):
    settings.CACHES = {
        **settings.CACHES,
        "limits": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        },
    }
    assert {read(counted.full).status_code for _ in range(6)} == {404}


def test_redis_counts_for_all_processes(counted: Keys, settings: Any, redis_url: str):
    redis = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": redis_url}
    settings.CACHES = {**settings.CACHES, "limits": redis}
    assert [read(counted.full).status_code for _ in range(4)] == [404, 404, 404, 429]
    caches["limits"].clear()


@pytest.mark.parametrize(
    ("plan", "resource", "expected"),
    [
        ("hobby", "public-api", Limit(30, MINUTE)),
        ("core", "public-api", Limit(1000, MINUTE)),
        ("team", "public-api-legacy", Limit(100, MINUTE)),
        ("core", "public-api-v2-metrics", Limit(100, HOUR)),
        ("enterprise", "trace-delete", Limit(1000, DAY)),
        ("enterprise", "prompts", None),
        ("", "public-api", None),
        ("oss", "public-api", None),
    ],
)
def test_plans(plan: str, resource: str, expected: Limit | None):
    assert limit_of(plan, resource, {}) == expected
    assert limit_of(plan, resource, {resource: None}) is None
    assert limit_of(plan, resource, {resource: Limit(7, 7)}) == Limit(7, 7)


def test_every_endpoint_counts_against_a_known_resource():
    from tests.organizations.test_scopes_declared import _routes, get_resolver

    classes = {getattr(view, "cls", None) for _, view in _routes(get_resolver().url_patterns)}
    keyed = [cls for cls in classes if cls is not None and issubclass(cls, KeyView)]
    for view in keyed:
        of_view = {view.resource, *getattr(view, "resources", {}).values()}
        assert of_view <= limits.RESOURCES, view


def test_the_command_sets_and_shows_them(ours: Keys, capsys: pytest.CaptureFixture[str]):
    name = ours.organization.id
    call_command("rate_limits", name, "datasets=50/60", "prompts=none", plan="pro")
    organization = Organization.objects.get(id=name)
    assert (organization.plan, organization.rate_limits) == ("pro", {"datasets": [50, 60], "prompts": None})
    assert AuditEntry.objects.filter(action="updateLimits", resource_id=name).exists()
    call_command("rate_limits", name, "datasets=default")
    assert Organization.objects.get(id=name).rate_limits == {"prompts": None}
    assert "prompts: none" in capsys.readouterr().out
    for wrong in ("datasets=5", "nothing=5/60", "datasets=0/60", "datasets=x/y"):
        with pytest.raises(CommandError):
            call_command("rate_limits", name, wrong)
    with pytest.raises(CommandError, match="no organization"):
        call_command("rate_limits", "nobody")
