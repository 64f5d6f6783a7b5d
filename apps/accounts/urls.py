"""`/auth/…`: signing up, in and out, under allauth's own names."""

from __future__ import annotations

from allauth.account import views as allauth_views
from django.urls import path, re_path
from django.views.generic import RedirectView

from apps.accounts import views
from apps.accounts.guards import public, signed_in

urlpatterns = [
    path("sign-up", public(views.SignUp.as_view()), name="account_signup"),
    path("sign-in", public(views.SignIn.as_view()), name="account_login"),
    path("sign-out", public(allauth_views.logout), name="account_logout"),
    path("inactive", public(allauth_views.account_inactive), name="account_inactive"),
    path("reauthenticate", signed_in(allauth_views.reauthenticate), name="account_reauthenticate"),
    path(
        "verify-email", public(allauth_views.email_verification_sent), name="account_email_verification_sent"
    ),
    path("verify-email/<str:key>", public(allauth_views.confirm_email), name="account_confirm_email"),
    path("reset-password", public(allauth_views.password_reset), name="account_reset_password"),
    path(
        "reset-password/sent", public(allauth_views.password_reset_done), name="account_reset_password_done"
    ),
    path(
        "reset-password/done",
        public(allauth_views.password_reset_from_key_done),
        name="account_reset_password_from_key_done",
    ),
    re_path(
        r"^reset-password/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[-:\w]+)$",
        public(allauth_views.password_reset_from_key),
        name="account_reset_password_from_key",
    ),
    path("change-password", signed_in(allauth_views.password_change), name="account_change_password"),
    path("set-password", signed_in(allauth_views.password_set), name="account_set_password"),
    # allauth links to its page of addresses; ours are part of the settings.
    path("email", signed_in(RedirectView.as_view(pattern_name="accounts:settings")), name="account_email"),
]
