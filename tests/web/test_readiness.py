"""What `/api/public/ready` says while the server goes."""

from __future__ import annotations

import signal

import httpx

from tests.conftest import Launcher


def test_a_second_signal_ends_it_at_once(make_server: Launcher) -> None:
    server = make_server(LITEFUSE_DRAIN_SECONDS="2").start()
    server.send(signal.SIGTERM)
    while httpx.get(f"{server.url}/api/public/ready").status_code != 500:
        pass
    assert server.stop(signal.SIGTERM) == 128 + signal.SIGTERM
    assert "stopping at once" in server.output


def test_readiness_says_no_while_it_drains(make_server: Launcher) -> None:
    server = make_server(LITEFUSE_DRAIN_SECONDS="1").start()
    assert httpx.get(f"{server.url}/api/public/ready").status_code == 200
    server.send(signal.SIGTERM)
    seen = set()
    try:
        while True:
            seen.add(httpx.get(f"{server.url}/api/public/ready").status_code)
    except httpx.TransportError:
        pass  # the listener closed
    assert 500 in seen
    assert server.wait() == 0
