"""Pages that ask for no role in a tenant: open to all, to whoever is signed in, to instance admins.

Every view of the program carries `scope`, naming what it demands; these are the names without a tenant.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from apps.accounts.models import User

PUBLIC: Final = "public"
SIGNED_IN: Final = "signed-in"
INSTANCE_ADMIN: Final = "instance-admin"

Page = Callable[..., HttpResponseBase]


def user_of(request: HttpRequest) -> User:
    """The person behind a request that a guard has let in."""
    if not isinstance(request.user, User):
        raise TypeError("Only for pages behind a guard that demands signing in.")
    return request.user


def declare(view: Page, scope: str) -> Page:
    """`view` with its scope written on it."""
    view.scope = scope  # type: ignore[attr-defined]
    return view


def public(view: Page) -> Page:
    """Open to everybody; says so explicitly."""

    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return view(request, *args, **kwargs)

    return declare(guarded, PUBLIC)


def signed_in(view: Page) -> Page:
    """Whoever is signed in; others go to the sign-in page and come back."""
    return declare(functools.wraps(view)(login_required(view)), SIGNED_IN)


def instance_admin(view: Page) -> Page:
    """Admins of the instance; for everybody else the page does not exist."""

    @functools.wraps(view)
    @login_required
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_superuser:
            raise Http404
        return view(request, *args, **kwargs)

    return declare(guarded, INSTANCE_ADMIN)
