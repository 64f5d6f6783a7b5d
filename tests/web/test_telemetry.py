"""Telemetry over real sockets: what a client on the network sees, and what a stop leaves."""

from __future__ import annotations

import base64
import gzip
import os
import signal
import socket
import threading
import zlib
from pathlib import Path

import httpx
import pytest

from tests.conftest import Launcher
from tests.support.otlp import request
from tests.support.server import ServerProcess

PUBLIC, SECRET = "pk-lf-telemetry", "sk-lf-telemetry"
PROVISIONED = {
    "LITEFUSE_INIT_ORG_ID": "org",
    "LITEFUSE_INIT_PROJECT_ID": "shop",
    "LITEFUSE_INIT_PROJECT_PUBLIC_KEY": PUBLIC,
    "LITEFUSE_INIT_PROJECT_SECRET_KEY": SECRET,
}
BASIC = "Basic " + base64.b64encode(f"{PUBLIC}:{SECRET}".encode()).decode()
HEADERS = {"authorization": BASIC, "content-type": "application/x-protobuf"}
MEGABYTE = 1024 * 1024
TRACES = "/api/public/otel/v1/traces"


@pytest.fixture
def server(make_server: Launcher) -> ServerProcess:
    """A server with a small limit on bodies, below a base path."""
    return make_server(**PROVISIONED, LITEFUSE_MAX_BODY_MB="2", LITEFUSE_BASE_PATH="/lf").start()


def peak_memory(server: ServerProcess) -> int:
    """Bytes of the most memory the process ever had."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def raw(server: ServerProcess, *headers: str) -> socket.socket:
    """A connection on which a request's head has been sent."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    head = [f"POST /lf{TRACES} HTTP/1.1", "Host: x", f"Authorization: {BASIC}", *headers]
    connection.sendall("\r\n".join([*head, "Content-Type: application/x-protobuf", "", ""]).encode())
    return connection


def test_stored_and_read_at_once_below_a_base_path(server: ServerProcess):
    body = gzip.compress(request({"trace_id": bytes(range(16)), "name": "over the wire"}))
    with httpx.Client(base_url=server.url + "/lf", headers=HEADERS) as client:
        response = client.post(TRACES, content=body, headers={"content-encoding": "gzip"})
        assert response.status_code == 200
        read = client.get(
            f"/api/public/traces/{bytes(range(16)).hex()}",
            params={"minReceipt": response.headers["x-litefuse-receipt"]},
        )
        assert read.json()["name"] == "over the wire"
        # A peculiar fact of servers in front of us: underscores reach this one.
        odd = client.post(TRACES, content=request({}), headers={"x_langfuse_ingestion_version": "9"})
        assert odd.status_code == 400


def test_a_huge_body_is_refused_by_its_announced_length(server: ServerProcess):
    with raw(server, "Content-Length: 10000000000") as connection:
        answer = b"".join(iter(lambda: connection.recv(4096), b""))  # until the server hangs up
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_an_endless_body_is_cut_off(server: ServerProcess):
    chunk = b"100000\r\n" + b"\0" * MEGABYTE + b"\r\n"
    sent = 0
    with raw(server, "Transfer-Encoding: chunked") as connection:
        try:
            while sent < 200 * MEGABYTE:
                connection.sendall(chunk)
                sent += MEGABYTE
        except OSError:
            pass  # hung up on
    assert sent < 50 * MEGABYTE  # the limit is 2; what the system buffers comes on top


def test_a_bomb_takes_no_memory(server: ServerProcess):
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join([packer.compress(b"\0" * MEGABYTE) for _ in range(1000)]) + packer.flush()
    headers = HEADERS | {"content-encoding": "gzip"}
    httpx.post(server.url + "/lf" + TRACES, content=request({}), headers=HEADERS)
    before = peak_memory(server)
    response = httpx.post(server.url + "/lf" + TRACES, content=bomb, headers=headers)
    assert response.status_code == 413
    assert peak_memory(server) - before < 64 * MEGABYTE


def test_a_stop_loses_nothing_that_was_acknowledged(make_server: Launcher):
    server = make_server(**PROVISIONED).start()
    acknowledged: list[str] = []
    enough = threading.Event()

    def stream() -> None:
        with httpx.Client(base_url=server.url, headers=HEADERS, timeout=30) as client:
            while True:
                trace = os.urandom(16)
                try:
                    response = client.post(TRACES, content=request(*({"trace_id": trace} for _ in range(20))))
                except httpx.HTTPError:
                    return
                if response.status_code == 200:
                    acknowledged.append(trace.hex())
                if len(acknowledged) >= 20:
                    enough.set()

    threads = [threading.Thread(target=stream) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert enough.wait(60)
    assert server.stop(signal.SIGTERM) == 0
    for thread in threads:
        thread.join()
    server.start()
    with httpx.Client(base_url=server.url, headers=HEADERS, timeout=30) as client:
        for trace in acknowledged:
            found = client.get(f"/api/public/traces/{trace}", params={"fields": "observations"}).json()
            assert len(found["observations"]) == 20
