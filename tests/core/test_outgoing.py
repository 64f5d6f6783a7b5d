"""Guarded outgoing HTTP against real sockets: what is let through, and what is not."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from apps.core import outgoing
from apps.core.outgoing import OutgoingFailed, OutgoingRefused


class _Handler(BaseHTTPRequestHandler):
    """Answers by path; keeps what it got."""

    got: list[tuple[str, str, bytes]] = []

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.got.append((self.command, self.path, body))
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
        elif self.path == "/large":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x" * 5_000)
        elif self.path == "/drip":
            self.send_response(200)
            self.end_headers()
            released.wait(30)
        else:
            self.send_response(201)
            self.send_header("X-Kind", "plain")
            self.end_headers()
            self.wfile.write(b"done")

    do_GET = do_POST = _answer

    def log_message(self, *args: object) -> None:
        """Quiet."""


released = threading.Event()


@pytest.fixture
def server() -> Iterator[str]:
    _Handler.got = []
    released.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"127.0.0.1:{http.server_address[1]}"
        released.set()
        http.shutdown()
        thread.join()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """A resolver of our own: each name answers its lists in turn, the last one for good."""
    table: dict[str, list[list[str]]] = {}

    def getaddrinfo(host: str, port: int, *args: object, **kwargs: object) -> list[tuple]:
        turns = table.get(host) or [[host]]
        addresses = turns.pop(0) if len(turns) > 1 else turns[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(outgoing.socket, "getaddrinfo", getaddrinfo)
    return table


def test_it_works_where_allowed(server: str, settings) -> None:
    settings.OUTGOING_ALLOW = [server]
    reply = outgoing.request("POST", f"http://{server}/hook", content=b"{}", headers={"x-a": "b"})
    assert (reply.status, reply.body, reply.headers["x-kind"]) == (201, b"done", "plain")
    assert _Handler.got == [("POST", "/hook", b"{}")]


def test_loopback_is_refused_by_default(server: str) -> None:
    with pytest.raises(OutgoingRefused):
        outgoing.request("GET", f"http://{server}/")
    assert _Handler.got == []


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
     "224.0.0.1", "255.255.255.255", "168.63.129.16", "192.0.0.192", "::1", "::", "fe80::1", "fc00::1",
     "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "2002:7f00:1::",
     "64:ff9b::7f00:1", "2001:db8::1"],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    parsed = ipaddress.ip_address(address)
    host = f"[{address}]" if parsed.version == 6 else address
    with pytest.raises(OutgoingRefused):
        outgoing.request("GET", f"http://{host}/")


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_pass_the_check(address: str) -> None:
    assert outgoing._is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    ["", "ftp://example.org/", "file:///etc/passwd", "http://", "https://user:pw@example.org/",
     "http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://[::1", "javascript:1",
     "http://a" * 900],
)  # fmt: skip
def test_odd_urls_are_refused_or_lead_nowhere(url: str) -> None:
    with pytest.raises((OutgoingRefused, OutgoingFailed)):
        outgoing.request("GET", url, seconds=2)


def test_a_name_that_resolves_to_a_private_address(names) -> None:
    names["inside.example"] = [["10.0.0.7"]]
    with pytest.raises(OutgoingRefused, match=r"10\.0\.0\.7"):
        outgoing.request("GET", "http://inside.example/")


def test_one_private_address_among_public_ones_refuses_the_name(names) -> None:
    names["mixed.example"] = [["93.184.216.34", "127.0.0.1"]]
    with pytest.raises(OutgoingRefused):
        outgoing.request("GET", "http://mixed.example/")


def test_a_name_that_changes_its_mind_is_asked_once(names, server: str, settings) -> None:
    """The checked address is the one connected to: a second answer is never asked for."""
    port = server.rpartition(":")[2]
    settings.OUTGOING_ALLOW = ["127.0.0.1/32"]
    names["rebinding.example"] = [["127.0.0.1"], ["10.0.0.1"]]
    assert outgoing.request("GET", f"http://rebinding.example:{port}/").status == 201
    assert names["rebinding.example"] == [["10.0.0.1"]]


def test_a_redirect_inside_is_refused(names, server: str, settings) -> None:
    port = server.rpartition(":")[2]
    settings.OUTGOING_ALLOW = [f"outside.example:{port}"]
    names["outside.example"] = [["127.0.0.1"]]
    with pytest.raises(OutgoingRefused):
        outgoing.request("GET", f"http://outside.example:{port}/to/http://{server}/secret", redirects=3)
    assert [path for _, path, _ in _Handler.got] == [f"/to/http://{server}/secret"]


def test_redirects_are_not_followed_unless_asked_and_bounded(server: str, settings) -> None:
    settings.OUTGOING_ALLOW = [server]
    assert outgoing.request("GET", f"http://{server}/to/http://{server}/x").status == 302
    loop = f"http://{server}/to/" + f"http://{server}/to/" * 3 + f"http://{server}/x"
    assert outgoing.request("GET", loop, redirects=5).status == 201
    with pytest.raises(OutgoingFailed, match="TooManyRedirects"):
        outgoing.request("GET", loop, redirects=2)


def test_a_large_answer_is_cut_off(server: str, settings) -> None:
    settings.OUTGOING_ALLOW = [server]
    assert len(outgoing.request("GET", f"http://{server}/large").body) == 5_000
    with pytest.raises(OutgoingFailed, match="larger"):
        outgoing.request("GET", f"http://{server}/large", max_bytes=4_999)


def test_a_silent_answer_ends_with_the_deadline(server: str, settings) -> None:
    settings.OUTGOING_ALLOW = [server]
    with pytest.raises(OutgoingFailed, match="Timeout"):
        outgoing.request("GET", f"http://{server}/drip", seconds=0.3)


def test_an_environment_proxy_is_not_used(server: str, settings, monkeypatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{server}")
    monkeypatch.setenv("ALL_PROXY", f"http://{server}")
    with pytest.raises(OutgoingRefused):
        outgoing.request("GET", "http://10.0.0.1/")
    assert _Handler.got == []
