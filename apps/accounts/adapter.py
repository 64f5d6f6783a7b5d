"""How allauth behaves here: who may sign up, whose address a request has, which links mails hold."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse

from apps.accounts import bootstrap, services
from apps.accounts.models import User
from apps.audit import services as audit
from apps.core.clients import client_ip


class AccountAdapter(DefaultAccountAdapter):
    """allauth's decisions."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Closed by setting, but never for the first account, which proves itself otherwise."""
        return not settings.SIGNUP_DISABLED or bootstrap.is_empty()

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """Keep the name, and make the first account the instance's admin."""
        user.name = form.cleaned_data["name"]
        first = form.first_account and bootstrap.is_empty()
        with transaction.atomic():  # an account that lost its rights half-way could never get them again
            user = super().save_user(request, user, form, commit)
            actor = audit.person(user, ip=client_ip(request))
            audit.record(actor, "create", "user", str(user.pk), after={"email": user.email})
            if first:
                services.make_instance_admin(actor=actor, user=user)
        if first:
            # Whoever holds the machine or its token needs no mail to prove themselves, and must not be
            # locked out of a fresh instance whose mail does not work yet.
            self.stash_verified_email(request, user.email)
        return user

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        """Back to where the button was."""
        return reverse("accounts:settings")

    def get_client_ip(self, request: HttpRequest) -> str:
        """The server has applied X-Forwarded-For already where the peer is a trusted proxy."""
        return str(request.META.get("REMOTE_ADDR", ""))

    def get_reset_password_from_key_url(self, key: str) -> str:
        """Links in mail lead to the configured address, never to what a request's Host header claims."""
        uid, _, token = key.partition("-")
        return _public(reverse("account_reset_password_from_key", kwargs={"uidb36": uid, "key": token}))

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: Any) -> str:
        """As above."""
        return _public(reverse("account_confirm_email", args=[emailconfirmation.key]))

    def render_mail(
        self, template_prefix: str, email: str, context: dict[str, Any], headers: dict[str, str] | None = None
    ) -> Any:
        """Mail templates know the instance's own addresses."""
        links = {
            "instance_url": settings.PUBLIC_URL + settings.BASE_PATH + "/",
            "new_password_url": _public(reverse("account_reset_password")),
        }
        return super().render_mail(template_prefix, email, {**context, **links}, headers)

    def format_email_subject(self, subject: str) -> str:
        """No prefix: the sender says who it is."""
        return subject


def _public(path: str) -> str:
    return str(settings.PUBLIC_URL) + path
