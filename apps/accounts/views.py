"""Pages of accounts: allauth's with our first-visit rule, and a person's own settings."""

from __future__ import annotations

from typing import Any

from allauth.account.views import LoginView, SignupView
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from apps.accounts import bootstrap, services
from apps.accounts.forms import ProfileForm
from apps.accounts.guards import signed_in, user_of
from apps.audit.services import person
from apps.core.clients import client_ip


class SignIn(LoginView):
    """Signing in; on an empty instance there is nobody to sign in, so it leads to sign-up."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """First visit first."""
        if request.method == "GET" and not request.user.is_authenticated and bootstrap.is_empty():
            return redirect("account_signup")
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Whether there is any use in a link to sign-up."""
        return {**super().get_context_data(**kwargs), "signup_open": not settings.SIGNUP_DISABLED}


class SignUp(SignupView):
    """Signing up."""

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form needs to know where the request comes from."""
        return {**super().get_form_kwargs(), "request": self.request}

    def get_initial(self) -> dict[str, Any]:
        """The link printed at start carries the token."""
        return {**super().get_initial(), "token": self.request.GET.get("token", "")[:100]}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Whether this is the instance's first account."""
        return {**super().get_context_data(**kwargs), "first_account": bootstrap.is_empty()}


@signed_in
def settings_page(request: HttpRequest) -> HttpResponse:
    """A person's own name, password, theme and language."""
    user = user_of(request)
    form = ProfileForm(request.POST or None, initial={"name": user.name})
    if request.method == "POST" and form.is_valid():
        actor = person(user, ip=client_ip(request))
        services.rename_user(actor=actor, user=user, name=form.cleaned_data["name"])
        messages.success(request, _("Saved."))
        return redirect("accounts:settings")
    return render(request, "account/settings.html", {"form": form}, status=400 if form.errors else 200)
