"""Who is at the other end of a request."""

from __future__ import annotations

import ipaddress

from django.http import HttpRequest


def client_ip(request: HttpRequest) -> str | None:
    """The client's address, or None when there is none (a Unix socket) or it is no address.

    The server has applied X-Forwarded-For already where the peer is a trusted proxy, and proxies may write
    anything there.
    """
    try:
        return str(ipaddress.ip_address(request.META.get("REMOTE_ADDR", "").partition("%")[0]))
    except ValueError:
        return None
