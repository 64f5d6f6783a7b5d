"""Where a telemetry request may show its credentials."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from django.conf import settings

from apps.core.errors import Unauthorized
from apps.organizations.authentication import PUBLIC_PREFIX, SECRET_PREFIX

BEARER = "Bearer "
# Who sends one of these is not the program that made the telemetry, or is a page in somebody's browser.
_PASSED_ON = frozenset(
    {"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "origin"}
)


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
        f" of a project's key{header}. Exporters without headers: set the resource attribute 'token' to that."
    )


def is_local(peer: str | None, headers: Mapping[str, str]) -> bool:
    """Whether a program on this machine sends to us directly. `peer` is the connection's other end.

    What a proxy passed on came from anywhere, trusted or not; so did what a browser sends for a page, and
    what was sent to a name of this machine in the network.
    """
    if peer is None or not _PASSED_ON.isdisjoint(headers) or not _is_loopback(peer):
        return False
    try:
        host = urlsplit("//" + headers.get("host", "localhost")).hostname or ""
    except ValueError:
        return False
    return host == "localhost" or _is_loopback(host)


def _is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)
