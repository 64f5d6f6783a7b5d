"""HTTP to addresses that people type in (webhooks, gateways), without lending them our network.

The guard sits where the socket is opened: names are resolved there, every address is checked, and the
checked address is the one connected to. So neither a name that answers differently the second time nor a
redirect reaches loopback, private networks or a cloud's metadata service.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import httpcore
import httpx
from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Services of the host's own cloud that look global to some versions of `ipaddress`.
_CLOUD_SERVICES = (ipaddress.ip_network("168.63.129.16/32"), ipaddress.ip_network("192.0.0.0/24"))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_MAX_URL = 2_000


class OutgoingRefused(Exception):
    """The request is not one we make: where it goes is not allowed. Repeating it is pointless."""


class OutgoingFailed(Exception):
    """The request was made and came to nothing: no answer in time, a broken one, or one too large."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes = b"",
    seconds: float = 10.0,
    max_bytes: int = 1_000_000,
    redirects: int = 0,
) -> Reply:
    """Make one request. `seconds` bounds all of it, redirects included; `max_bytes` the answer's body.

    Raises OutgoingRefused for an address that is not allowed, OutgoingFailed for anything else amiss.
    """
    check_url(url)
    transport = _GuardedTransport(time.monotonic() + seconds)
    with httpx.Client(
        transport=transport,
        trust_env=False,  # a proxy from the environment would connect in our place, past the guard
        timeout=seconds,
        follow_redirects=redirects > 0,
        max_redirects=redirects,
    ) as client:
        try:
            with client.stream(method, url, headers=headers, content=content) as response:
                body = _read(response, max_bytes)
                return Reply(response.status_code, dict(response.headers), body)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise OutgoingFailed(f"{type(error).__name__}: {error}") from error


def check_url(url: str) -> None:
    """Refuse what can be refused by looking: for forms, before anything is stored."""
    try:
        parsed = httpx.URL(url) if len(url) <= _MAX_URL else None
    except httpx.InvalidURL:
        parsed = None
    if parsed is None or parsed.scheme not in ("http", "https") or not parsed.host:
        raise OutgoingRefused("This is not an address of the form https://host/path.")
    if parsed.userinfo:
        raise OutgoingRefused("The address holds a user name or password. Use a header instead.")
    try:
        address = ipaddress.ip_address(parsed.host)
    except ValueError:
        return  # a name: checked when it is resolved
    _check(parsed.host, parsed.port or (443 if parsed.scheme == "https" else 80), [address])


def _read(response: httpx.Response, max_bytes: int) -> bytes:
    """The body, unless it is larger than allowed (counted after decompression)."""
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > max_bytes:
            raise OutgoingFailed(f"The answer is larger than {max_bytes} bytes.")
    return bytes(body)


def _check(host: str, port: int, addresses: Iterable[Address]) -> None:
    """Refuse a host any of whose addresses is not on the public internet, unless allowed by setting."""
    for address in addresses:
        if not _is_public(address) and not _is_allowed(host, port, address):
            raise OutgoingRefused(
                f"{host} is {address}, not a public address. LITEFUSE_OUTGOING_ALLOW can allow it."
            )


def _is_public(address: Address) -> bool:
    """Whether an address, also one wrapped in another, is on the public internet."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address.teredo is not None:
            inner = address.teredo[1]
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in _CLOUD_SERVICES)
    )


def _is_allowed(host: str, port: int, address: Address) -> bool:
    """Whether the allow-list (host, host:port, address or network) names it."""
    for entry in settings.OUTGOING_ALLOW:
        if entry.lower() in (host.lower(), f"{host.lower()}:{port}", f"[{host}]:{port}"):
            return True
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            continue
        if address.version == network.version and address in network:
            return True
    return False


def _resolve(host: str, port: int) -> list[Address]:
    """Every address of a name, in the resolver's order."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(f"{host} cannot be resolved: {error}") from error
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


class _GuardedTransport(httpx.HTTPTransport):
    """httpx's transport over a pool whose sockets are opened by the guard."""

    def __init__(self, deadline: float) -> None:
        super().__init__(trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_keepalive_connections=0,
            network_backend=_GuardedBackend(deadline),
        )


class _GuardedBackend(httpcore.NetworkBackend):
    """Resolves, checks, and connects to the checked address."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to the first address that takes one."""
        addresses = _resolve(host, port)
        _check(host, port, addresses)
        failure: Exception = httpcore.ConnectError(f"{host} has no address.")
        for address in addresses:
            try:
                stream = self._sockets.connect_tcp(
                    str(address), port, _left(self._deadline), local_address, socket_options
                )
                return _TimedStream(stream, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class _TimedStream(httpcore.NetworkStream):
    """A stream that ends with the request's deadline, however slowly the other side drips."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read within what is left of the time."""
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write within what is left of the time."""
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        """Close the socket."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """TLS for the name that was asked for, whatever address it led to."""
        stream = self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline))
        return _TimedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> typing.Any:
        """As the socket says."""
        return self._stream.get_extra_info(info)


def _left(deadline: float) -> float:
    """Seconds until the deadline; past it, the timeout error of the transport."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("The time for the request is over.")
    return left
