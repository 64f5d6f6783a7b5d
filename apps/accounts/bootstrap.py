"""Who may open the first account, which becomes the instance's admin.

Somebody at the machine itself (loopback), or who has the token that the server prints at start. Without
this, the first stranger to find a fresh server on the internet would own it.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from urllib.parse import urlsplit

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

from apps.accounts.models import User

# A proxy on the same machine connects from loopback on behalf of anybody; these headers give it away.
_FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_REAL_IP", "HTTP_FORWARDED", "HTTP_VIA")


def is_empty() -> bool:
    """Whether nobody has an account yet."""
    return not User.objects.exists()


def first_admin_token() -> str:
    """The token printed at start. Derived, so that all processes agree; worthless once an account exists."""
    digest = hmac.new(settings.SECRET_KEY.encode(), b"first admin of this instance", hashlib.sha256)
    return digest.hexdigest()[:32]


def may_open_first_account(request: HttpRequest, token: str) -> bool:
    """Whether this request may make the first account."""
    return is_from_this_machine(request) or hmac.compare_digest(token.encode(), first_admin_token().encode())


def is_from_this_machine(request: HttpRequest) -> bool:
    """Whether the browser runs on the server's own machine.

    The name it asked for must be loopback's too: a tunnel or a proxy that adds no header still asks for
    a public name, and so does a page that rebinds its own name to 127.0.0.1. nginx, set up with nothing but
    `proxy_pass`, adds no header and asks for 127.0.0.1: it is known by HTTP/1.0, which no browser speaks, and
    an instance with a public address trusts no loopback at all.
    """
    if any(request.META.get(header) for header in _FORWARDED) or _protocol(request) == "1.0":
        return False
    public_host = urlsplit(settings.PUBLIC_URL).hostname or ""
    asked_host = urlsplit(f"//{request.get_host()}").hostname or ""
    here = request.META.get("REMOTE_ADDR", "")
    return _is_loopback(here) and _is_loopback_name(asked_host) and _is_loopback_name(public_host)


def _protocol(request: HttpRequest) -> str:
    """The version of HTTP that was spoken."""
    if isinstance(request, ASGIRequest):
        return str(request.scope.get("http_version", ""))
    return str(request.META.get("SERVER_PROTOCOL", "")).removeprefix("HTTP/")


def _is_loopback_name(host: str) -> bool:
    return host == "localhost" or _is_loopback(host)


def _is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_loopback
