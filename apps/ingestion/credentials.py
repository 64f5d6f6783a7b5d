"""Where a telemetry request may show its credentials."""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings

from apps.core.errors import Unauthorized
from apps.organizations.authentication import PUBLIC_PREFIX, SECRET_PREFIX

BEARER = "Bearer "


def shown(headers: Mapping[str, str]) -> str | None:
    """The credentials among headers (names in lower case, with dashes), as `authenticate` takes them.

    A header of settings.KEY_HEADERS with a key of ours in it was meant for us, whatever `Authorization` may
    hold for a proxy on the way; what else such headers hold is somebody else's.
    """
    for name in settings.KEY_HEADERS:
        value = headers.get(name, "").strip()
        key = value[len(BEARER) :].lstrip() if value[: len(BEARER)].lower() == "bearer " else value
        if key.startswith((PUBLIC_PREFIX, SECRET_PREFIX)):
            return BEARER + key
    return headers.get("authorization")


def missing() -> Unauthorized:
    """What a sender without credentials is told."""
    header = f", or set {settings.KEY_HEADERS[0]} to 'public key:secret key'" if settings.KEY_HEADERS else ""
    return Unauthorized(
        "No credentials. Set the header 'Authorization: Basic <base64 of public key:secret key>'"
        f" of a project's key{header}."
    )
