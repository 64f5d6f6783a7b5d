"""Signing up, and who becomes the first admin."""

from __future__ import annotations

import io

import pytest
from django.core.cache import cache
from django.core.handlers.asgi import ASGIRequest
from django.test import Client, RequestFactory
from django.urls import reverse

from apps.accounts import bootstrap
from apps.accounts.models import User
from apps.audit.models import AuditEntry
from tests import factories

pytestmark = pytest.mark.django_db

FORM = {"name": "Ada Lovelace", "email": "Ada@Example.org", "password1": "analytical-engine-1843"}
HERE = {"headers": {"host": "localhost:3000"}, "REMOTE_ADDR": "127.0.0.1"}
ELSEWHERE = {"headers": {"host": "traces.example.org"}, "REMOTE_ADDR": "203.0.113.9"}


@pytest.fixture(autouse=True)
def _fresh_rate_limits() -> None:
    cache.clear()


def _sign_up(client: Client, place: dict, **changes: str):
    return client.post(reverse("account_signup"), {**FORM, **changes}, **place)


def test_the_first_visit_leads_to_sign_up(client: Client) -> None:
    response = client.get("/", follow=True)
    assert response.redirect_chain[-1][0].startswith("/auth/sign-up")
    assert "first account" in response.content.decode()
    factories.user()
    assert client.get("/", follow=True).redirect_chain[-1][0].startswith("/auth/sign-in")


def test_the_first_account_from_this_machine_is_the_admin(client: Client) -> None:
    response = _sign_up(client, HERE)
    assert response.status_code == 302 and response.url == "/setup"
    user = User.objects.get()
    assert (user.email, user.name, user.is_superuser) == ("ada@example.org", "Ada Lovelace", True)
    assert client.get("/").status_code == 200  # signed in
    assert {entry.action for entry in AuditEntry.objects.all()} == {"create", "update"}


def test_the_first_account_from_elsewhere_needs_the_token(client: Client) -> None:
    assert 'name="token"' in client.get(reverse("account_signup"), **ELSEWHERE).content.decode()
    for token in ("", "wrong", "é"):
        response = _sign_up(client, ELSEWHERE, token=token)
        assert response.status_code == 200 and "not the token" in response.content.decode()
    assert not User.objects.exists()
    assert _sign_up(client, ELSEWHERE, token=bootstrap.first_admin_token()).status_code == 302
    assert User.objects.get().is_superuser


def test_the_printed_link_fills_the_token_in(client: Client) -> None:
    page = client.get(reverse("account_signup") + "?token=abc123", **ELSEWHERE).content.decode()
    assert 'value="abc123"' in page


def test_later_accounts_are_nobody_special(client: Client) -> None:
    factories.user()
    page = client.get(reverse("account_signup"), **ELSEWHERE).content.decode()
    assert 'name="token"' not in page
    assert _sign_up(client, HERE, token=bootstrap.first_admin_token()).status_code == 302
    assert not User.objects.get(email="ada@example.org").is_superuser


@pytest.mark.parametrize(
    ("peer", "host", "extra", "expected"),
    [
        ("127.0.0.1", "localhost:3000", {}, True),
        ("127.0.0.1", "127.0.0.1:3000", {}, True),
        ("::1", "[::1]:3000", {}, True),
        ("::ffff:127.0.0.1", "localhost", {}, True),
        ("127.0.0.1", "localhost", {"HTTP_X_FORWARDED_FOR": "203.0.113.9"}, False),
        ("127.0.0.1", "localhost", {"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, False),
        ("127.0.0.1", "localhost", {"HTTP_FORWARDED": "for=203.0.113.9"}, False),
        ("127.0.0.1", "traces.example.org", {}, False),  # a tunnel that says nothing, or a rebound name
        ("127.0.0.1", "127.0.0.1.example.org", {}, False),
        (
            "127.0.0.1",
            "127.0.0.1:3000",
            {"SERVER_PROTOCOL": "HTTP/1.0"},
            False,
        ),  # a bare nginx
        ("203.0.113.9", "localhost", {}, False),
        ("", "localhost", {}, False),
    ],
)
def test_what_counts_as_this_machine(peer: str, host: str, extra: dict, expected: bool) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR=peer, HTTP_HOST=host, **extra)
    assert bootstrap.is_from_this_machine(request) is expected


def test_with_a_public_address_nobody_counts_as_this_machine(settings) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="127.0.0.1", HTTP_HOST="127.0.0.1:3000")
    assert bootstrap.is_from_this_machine(request)
    settings.PUBLIC_URL = "https://traces.example.org"
    assert not bootstrap.is_from_this_machine(request)


def test_the_protocol_of_the_real_server_counts() -> None:
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"localhost")]}
    scope |= {"client": ("127.0.0.1", 5), "query_string": b""}
    for version, expected in (("1.1", True), ("1.0", False)):
        request = ASGIRequest(scope | {"http_version": version}, io.BytesIO())
        assert bootstrap.is_from_this_machine(request) is expected


def test_sign_up_can_be_closed_but_not_for_the_first(client: Client, settings) -> None:
    settings.SIGNUP_DISABLED = True
    assert 'name="email"' in client.get(reverse("account_signup"), **HERE).content.decode()
    factories.user()
    assert 'name="email"' not in client.get(reverse("account_signup"), **HERE).content.decode()
    _sign_up(client, HERE)
    assert User.objects.count() == 1
    assert reverse("account_signup") not in client.get(reverse("account_login")).content.decode()


@pytest.mark.parametrize(
    "changes",
    [{"name": ""}, {"name": "see http://evil.example"}, {"name": "x" * 101}, {"email": "nobody"},
     {"password1": "short"}, {"password1": "password123"}, {"password1": "ada@example.org"}],
)  # fmt: skip
def test_refused_forms(client: Client, changes: dict[str, str]) -> None:
    response = _sign_up(client, HERE, **changes)
    assert response.status_code == 200 and 'aria-invalid="true"' in response.content.decode()
    assert not User.objects.exists()


def test_an_address_has_one_account(client: Client) -> None:
    factories.user("ada@example.org")
    _sign_up(client, HERE)
    assert User.objects.count() == 1


def test_sign_ups_are_limited(client: Client) -> None:
    codes = [_sign_up(client, ELSEWHERE).status_code for _ in range(22)]
    assert codes[-1] == 429
