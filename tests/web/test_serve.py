"""The server process: how it starts, refuses to start, and stops."""

from __future__ import annotations

import contextlib
import signal
import socket
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.conftest import Launcher
from tests.support.ports import free_port
from tests.support.provisioned import ENVIRONMENT, PERSON, PROJECT_ID
from tests.support.sessions import live_socket, sign_in


def test_it_works(make_server: Launcher) -> None:
    server = make_server().start()
    assert server.url in server.output
    assert httpx.get(server.url, follow_redirects=True).status_code < 500


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(make_server: Launcher, number: int) -> None:
    server = make_server().start()
    with httpx.Client(base_url=server.url) as client:
        client.get("/")  # a connection kept alive must not hold the stop up
        assert server.stop(number) == 0
    assert "Traceback" not in server.output


def test_open_pages_do_not_hold_a_stop_up(make_server: Launcher) -> None:
    server = make_server(**ENVIRONMENT, **PERSON).start()
    with contextlib.closing(sign_in(server.url)) as client, live_socket(client, PROJECT_ID) as socket:
        assert "hello" in str(socket.recv(timeout=30))
        assert server.stop() == 0, server.output
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=30)
    assert "Traceback" not in server.output


def test_a_taken_port_is_refused_with_a_hint(make_server: Launcher) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        server = make_server(port=other.getsockname()[1]).launch()
        assert server.wait() == 1
    assert "Address already in use" in server.output
    assert "--port" in server.output
    assert "Traceback" not in server.output


def test_a_directory_in_use_is_refused_and_names_its_owner(make_server: Launcher) -> None:
    first = make_server().start()
    second = make_server().launch()
    assert second.wait() == 1
    assert f"process {first.pid}" in second.output
    assert "LITEFUSE_DATA_DIR" in second.output
    assert "Traceback" not in second.output
    assert first.stop() == 0


def test_a_directory_that_cannot_be_used_is_refused(make_server: Launcher, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    server = make_server(data_dir=tmp_path / "file").launch()
    assert server.wait() == 1
    assert "LITEFUSE_DATA_DIR" in server.output
    assert "Traceback" not in server.output


def test_a_killed_server_leaves_no_lock_behind(make_server: Launcher) -> None:
    first = make_server().start()
    first.kill()
    make_server().start()


def test_settings_that_make_no_sense_end_it_in_one_line(make_server: Launcher) -> None:
    server = make_server(LITEFUSE_LOG_FORMAT="yaml").launch()
    assert server.wait() == 1
    assert "LITEFUSE_LOG_FORMAT" in server.output
    assert "Traceback" not in server.output


def test_a_head_without_end_is_refused(make_server: Launcher) -> None:
    server = make_server().start()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n")
        line = b"x-filler: " + b"a" * 8000 + b"\r\n"
        answer = b""
        try:
            for _ in range(200):
                connection.sendall(line)
            answer = connection.recv(1000)
        except OSError:
            pass  # closed on us while we were sending
    assert not answer or answer.startswith(b"HTTP/1.1 431")
    assert httpx.get(server.url).status_code < 500


def test_it_names_only_ports_that_exist(make_server: Launcher) -> None:
    server = make_server(port=free_port(), PORT="70000").launch()
    assert server.wait() == 1
    assert "PORT" in server.output
