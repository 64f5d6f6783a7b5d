"""Signing in and out, passwords, verification, cookies and a person's own settings."""

from __future__ import annotations

import re

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from apps.accounts import bootstrap
from apps.accounts.models import User
from apps.accounts.services import create_user
from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.outbox.models import Mail
from tests import factories

pytestmark = pytest.mark.django_db
PASSWORD = "analytical-engine-1843"


@pytest.fixture(autouse=True)
def _surroundings(settings) -> None:
    cache.clear()
    settings.EMAIL_BACKEND = "apps.outbox.mail.OutboxBackend"
    settings.PUBLIC_URL = "https://traces.example.org"


@pytest.fixture
def ada() -> User:
    return factories.user("ada@example.org", password=PASSWORD, name="Ada")


def _sign_in(client: Client, password: str = PASSWORD, **extra: str):
    return client.post(reverse("account_login"), {"login": "ada@example.org", "password": password, **extra})


def test_sign_in_and_out(client: Client, ada: User) -> None:
    response = _sign_in(client)
    assert (response.status_code, response.url) == (302, "/")
    cookie = response.cookies["litefuse_session"]
    assert cookie["httponly"] and cookie["samesite"] == "Lax"
    assert client.get("/").status_code == 200
    assert client.post(reverse("account_logout")).status_code == 302
    assert client.get("/").status_code == 302


def test_it_comes_back_to_where_it_was(client: Client, ada: User) -> None:
    assert client.get("/account/settings").url == "/auth/sign-in?next=/account/settings"
    assert _sign_in(client, next="/account/settings").url == "/account/settings"
    client.logout()
    assert _sign_in(client, next="https://evil.example/").url == "/"


def test_a_wrong_password_is_refused_and_then_slowed_down(client: Client, ada: User) -> None:
    for _ in range(5):
        assert _sign_in(client, "wrong").status_code == 200
    assert _sign_in(client, "wrong").status_code in (200, 429)
    assert "/auth/sign-in" in client.get("/").url
    assert _sign_in(client).status_code != 302  # even the right one has to wait now


def test_a_password_is_reset_by_mail(client: Client, ada: User) -> None:
    response = client.post(
        reverse("account_reset_password"), {"email": "ada@example.org"}, headers={"host": "evil.example"}
    )
    assert response.status_code == 302
    mail = Mail.objects.get()
    [link] = re.findall(r"https://traces\.example\.org(/auth/reset-password/\S+)", mail.text)
    assert "evil.example" not in mail.text  # the Host header is anybody's to choose
    form = client.get(link, follow=True)
    path = form.redirect_chain[-1][0]
    new = "difference-engine-1822"
    assert client.post(path, {"password1": new, "password2": new}).status_code == 302
    assert _sign_in(client, new).status_code == 302
    client.logout()
    assert "no longer works" in client.get(link, follow=True).content.decode()


def test_an_unknown_address_looks_the_same(client: Client, ada: User) -> None:
    known = client.post(reverse("account_reset_password"), {"email": "ada@example.org"})
    unknown = client.post(reverse("account_reset_password"), {"email": "nobody@example.org"})
    assert (known.status_code, known.url) == (unknown.status_code, unknown.url)


def test_an_address_must_be_verified_where_mail_is_set_up(client: Client, settings) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    factories.user()  # somebody was first
    form = {"name": "Ada", "email": "ada@example.org", "password1": PASSWORD}
    response = client.post(reverse("account_signup"), form)
    assert response.url == reverse("account_email_verification_sent")
    assert client.get(response.url).status_code == 200
    assert client.get("/").status_code == 302
    text = Mail.objects.get().text
    [link] = re.findall(r"https://traces\.example\.org(/auth/verify-email/\S+)", text)
    assert client.get(link).status_code == 200
    assert not EmailAddress.objects.get(email="ada@example.org").verified
    assert client.post(link).status_code == 302
    assert EmailAddress.objects.get(email="ada@example.org").verified
    client.logout()
    assert _sign_in(client).url == "/"


def test_the_first_admin_is_not_locked_out_by_mail_that_does_not_work(client: Client, settings) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    form = {"name": "Ada", "email": "ada@example.org", "password1": PASSWORD}
    client.post(reverse("account_signup"), form | {"token": bootstrap.first_admin_token()})
    assert client.get("/").status_code == 200


def test_an_account_made_by_the_program_needs_no_verification(client: Client, settings) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    create_user(actor=SYSTEM, email="Ada@example.org", name="Ada", password=PASSWORD)
    assert _sign_in(client).url == "/"
    assert not Mail.objects.exists()


def test_settings_of_a_person(client: Client, ada: User) -> None:
    client.force_login(ada)
    page = client.get("/account/settings").content.decode()
    assert "ada@example.org" in page and 'value="Ada"' in page
    assert client.post("/account/settings", {"name": " Ada  King "}).status_code == 302
    assert User.objects.get(pk=ada.pk).name == "Ada King"
    entry = AuditEntry.objects.get()
    assert (entry.before, entry.after, entry.actor_id) == ({"name": "Ada"}, {"name": "Ada King"}, str(ada.pk))
    assert client.post("/account/settings", {"name": "www.evil.example"}).status_code == 400


def test_a_password_is_changed(client: Client, ada: User) -> None:
    other = Client()
    other.force_login(ada)
    _sign_in(client)
    assert client.get(reverse("account_change_password")).status_code == 200
    form = {
        "oldpassword": PASSWORD,
        "password1": "difference-engine-1822",
        "password2": "difference-engine-1822",
    }
    assert (
        client.post(reverse("account_change_password"), {**form, "oldpassword": "wrong"}).status_code == 200
    )
    assert client.post(reverse("account_change_password"), form).status_code == 302
    assert client.get("/").status_code == 200  # still signed in here
    assert other.get("/").status_code == 302  # and nowhere else


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_account_page_renders(client: Client, ada: User, language: str) -> None:
    client.cookies["django_language"] = language
    for name in ("account_login", "account_signup", "account_reset_password", "account_reset_password_done",
                 "account_reset_password_from_key_done", "account_email_verification_sent",
                 "account_inactive"):  # fmt: skip
        response = client.get(reverse(name))
        assert response.status_code == 200, name
        assert "style=" not in response.content.decode()
    assert client.get(reverse("account_confirm_email", args=["nonsense"])).status_code in (200, 404)
    client.force_login(ada)
    for name in ("accounts:settings", "account_change_password", "account_reauthenticate", "account_logout"):
        assert client.get(reverse(name)).status_code == 200, name


def test_the_language_is_switched(client: Client, ada: User) -> None:
    response = client.post("/i18n/setlang/", {"language": "zh-hans", "next": "/auth/sign-in"})
    assert response.status_code == 302
    assert 'lang="zh-hans"' in client.get("/auth/sign-in").content.decode()


def test_security_headers(client: Client) -> None:
    headers = client.get("/auth/sign-up").headers
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]


def test_forms_need_their_token(ada: User) -> None:
    client = Client(enforce_csrf_checks=True)
    assert _sign_in(client).status_code == 403
