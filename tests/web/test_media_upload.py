"""Files over real sockets: large ones in bounded memory, senders that leave, and a base path."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conftest import Launcher
from tests.support import media
from tests.support.provisioned import CREDENTIALS, ENVIRONMENT
from tests.support.server import ServerProcess
from tests.support.waiting import wait_until

PIECE = bytes(range(256)) * 4096
PIECES = 192
LARGE = len(PIECE) * PIECES  # 200 MB


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with a project, below a path."""
    directory = tmp_path_factory.mktemp("files") / "data"
    with ServerProcess(directory, **ENVIRONMENT, LITEFUSE_BASE_PATH="/below/here") as server:
        yield server


@pytest.fixture
def client(server: ServerProcess) -> Iterator[httpx.Client]:
    """A client with the project's key."""
    with httpx.Client(base_url=f"{server.url}/below/here", auth=CREDENTIALS, timeout=120) as client:
        yield client


def peak_memory(server: ServerProcess) -> int:
    """Most memory the server ever held, bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{server.pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def arriving(server: ServerProcess) -> list[Path]:
    return list((server.data_dir / "media" / "arriving").iterdir())


def test_a_large_file_is_never_held_whole(server: ServerProcess, client: httpx.Client) -> None:
    whole = hashlib.sha256()
    for _ in range(PIECES):
        whole.update(PIECE)
    body = media.announcement(b"") | {
        "contentType": "application/zip",
        "contentLength": LARGE,
        "sha256Hash": base64.b64encode(whole.digest()).decode(),
    }
    made = client.post("/api/public/media", json=body).json()
    media.upload(client, media.png())  # so that what is loaded on first use is there
    before = peak_memory(server)
    put = httpx.put(made["uploadUrl"], content=(PIECE for _ in range(PIECES)), timeout=120)
    assert put.status_code == 200, put.text
    url = client.get(f"/api/public/media/{made['mediaId']}").json()["url"]
    read = hashlib.sha256()
    with httpx.stream("GET", url, timeout=120) as answer:
        for piece in answer.iter_raw():
            read.update(piece)
    assert read.digest() == whole.digest()
    assert peak_memory(server) - before < LARGE / 4


def test_who_leaves_early_leaves_nothing(server: ServerProcess, client: httpx.Client) -> None:
    content = PIECE * 8
    made = client.post("/api/public/media", json=media.announcement(content)).json()
    parts = urlsplit(made["uploadUrl"])
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as connection:
        head = f"PUT {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(content)}\r\n\r\n"
        connection.sendall(head.encode() + content[: 4 * len(PIECE)])
    assert client.get(f"/api/public/media/{made['mediaId']}").status_code == 404
    put = httpx.put(made["uploadUrl"], content=content, headers=media.headers(content))
    assert put.status_code == 200
    assert client.get(f"/api/public/media/{made['mediaId']}").status_code == 200
    wait_until(lambda: arriving(server) == [], "the end of the upload")  # which the server notices by itself


def test_a_refused_file_is_refused_at_once(client: httpx.Client) -> None:
    """Before its body is sent: a client that waits for leave is not made to send it."""
    content = PIECE * 9
    made = client.post("/api/public/media", json=media.announcement(content)).json()
    parts = urlsplit(made["uploadUrl"])
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as connection:
        head = f"PUT {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: 99999999\r\n"
        connection.sendall((head + "Expect: 100-continue\r\n\r\n").encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")


def test_addresses_are_below_the_path(server: ServerProcess, client: httpx.Client) -> None:
    media_id = media.upload(client, media.wav())
    url = client.get(f"/api/public/media/{media_id}").json()["url"]
    assert url.startswith(f"{server.url}/below/here/media/")
    assert httpx.get(url).content == media.wav()


def test_a_file_survives_a_kill(make_server: Launcher) -> None:
    server = make_server(**ENVIRONMENT).start()
    with httpx.Client(base_url=server.url, auth=CREDENTIALS) as client:
        media_id = media.upload(client, media.png())
    server.kill()
    server.start()
    with httpx.Client(base_url=server.url, auth=CREDENTIALS) as client:
        url = client.get(f"/api/public/media/{media_id}").json()["url"]
    assert httpx.get(url).content == media.png()
