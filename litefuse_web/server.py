"""The server process: one event loop in the main thread, everything else in threads, one clean way out.

Order of a stop: readiness says no, the listener closes, requests in flight are answered (the commit group
is drained by that: an acknowledgement waits for its commit), sockets close, tasks stop, the telemetry
store closes. Whatever was acknowledged is durable before its answer, so even the hard ways out (a second
signal, the deadline) lose nothing that a client was promised.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import uvicorn
from django.conf import settings
from uvicorn.server import HANDLED_SIGNALS

from apps.core import lifecycle

logger = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS = 75  # longer than proxies keep theirs (60), so that they close first
REQUEST_GRACE_SECONDS = 2  # for requests in flight at a stop
COLLECT_AFTER = 50_000  # new objects that are still alive
SWITCH_SECONDS = 0.0005  # after which a thread that computes lets another one in
STOP_DEADLINE_SECONDS = 4.8  # all of a stop; then the process ends whatever still hangs


class CannotListen(Exception):
    """The main port cannot be had; the message says what to do."""


def listen(host: str, port: int) -> list[socket.socket]:
    """Listening sockets on every address of `host`; raises CannotListen with a hint.

    They listen at once, before migrations: a taken port is found out before anything is touched, and
    whoever connects early waits instead of being refused.
    """
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        ):
            listener = socket.socket(family, kind, protocol)
            sockets.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind(address)
            listener.listen(2048)
    except OSError as error:
        for listener in sockets:
            listener.close()
        raise CannotListen(
            f"cannot listen on {host} port {port}: {error.strerror or error}.\n"
            "Stop the program that has the port, or choose another: set PORT (or HOST), or bin/up --port N."
        ) from error
    return sockets


def listen_if_free(host: str, port: int, *, setting: str, default: int) -> list[socket.socket]:
    """Listening sockets of a further way in, none for port 0.

    A taken default port is warned about and done without: the program that has it is most likely another
    collector, or another Litefuse. Raises CannotListen for a port that was chosen.
    """
    if not port:
        return []
    try:
        return listen(host, port)
    except CannotListen as taken:
        if port != default:
            raise CannotListen(
                f"cannot listen on {host} port {port}.\n"
                f"Stop the program that has the port, or set {setting} to another one, or to 0 for none."
            ) from taken
        logger.warning("port %d is taken: going on without it; set %s to choose another", port, setting)
        return []


def is_free(host: str, port: int, *, setting: str, default: int) -> bool:
    """Whether a service that listens by itself will find its port; as `listen_if_free`."""
    found = listen_if_free(host, port, setting=setting, default=default)
    for listener in found:
        listener.close()
    return bool(found)


class Service(Protocol):
    """Something that serves beside HTTP in the same event loop."""

    async def start(self) -> None:
        """Begin to answer."""

    async def stop(self, grace: float) -> None:
        """Take nothing new; what is in flight has `grace` seconds."""


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling, and idle while idle."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stop = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `run`: uvicorn would raise them again and end the process before clean-up."""
        yield

    async def main_loop(self) -> None:
        """Refresh the Date header once a second until told to stop (uvicorn wakes ten times)."""
        while not self.stop.is_set() and not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), 1)


def _config() -> uvicorn.Config:
    return uvicorn.Config(
        "litefuse_web.asgi:application",
        http="litefuse_web.http_protocol:BoundedHttpProtocol",
        ws="websockets-sansio",
        ws_max_size=64 * 1024,  # browsers only send small control messages
        ws_max_queue=8,
        interface="asgi3",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.TRUSTED_PROXIES),
        forwarded_allow_ips=settings.TRUSTED_PROXIES,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=REQUEST_GRACE_SECONDS,
    )


def run(
    sockets: Sequence[socket.socket],
    services: Sequence[Service],
    *,
    started: Callable[[], None],
    stopped: Sequence[Callable[[], object]],
) -> None:
    """Serve until a signal; `started` is called once requests are answered, `stopped` in order at the end.

    Returns after a clean stop. The first SIGTERM or SIGINT asks for one; the second ends the process at
    once, as does a stop that outlives its deadline.
    """
    # Debug must stay off: uvloop's and asyncio's debug modes slow every callback.
    with asyncio.Runner(loop_factory=_loop_factory) as runner:
        runner.run(_serve(list(sockets), services, started))
        for close in stopped:
            try:
                close()
            except Exception:
                logger.exception("could not stop cleanly: %s", getattr(close, "__qualname__", close))


def _loop_factory() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()


async def _serve(
    sockets: list[socket.socket], services: Sequence[Service], started: Callable[[], None]
) -> None:
    loop = asyncio.get_running_loop()
    server = _Server(_config())
    for number in HANDLED_SIGNALS:
        loop.add_signal_handler(number, _on_signal, server, number)
    serving = asyncio.create_task(server.serve(sockets=sockets))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    if server.started:
        for service in services:
            await service.start()
        await asyncio.to_thread(started)
        _collect_less()
        _switch_often()
    await asyncio.wait(
        {serving, asyncio.ensure_future(server.stop.wait())}, return_when=asyncio.FIRST_COMPLETED
    )
    await asyncio.gather(serving, *(service.stop(REQUEST_GRACE_SECONDS) for service in services))


def _collect_less() -> None:
    """Look for garbage in cycles rarely, and never among what was loaded at the start.

    Records hold no cycles and die with their commit, yet with the default of 700 new objects the collector
    looked at them 800 times in 40,000 spans: a sixth of Python's part in a span (docs/performance.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)


def _switch_often() -> None:
    """Let the event loop in soon while other threads compute.

    A body arrives in a dozen pieces, and for each the loop waits for the interpreter: by default 5 ms, while
    the request before is decoded. Then the decoder waits for bodies (docs/performance.md).
    """
    sys.setswitchinterval(SWITCH_SECONDS)


def _on_signal(server: _Server, number: int) -> None:
    if lifecycle.is_stopping():
        sys.stderr.write("litefuse: stopping at once\n")
        os._exit(128 + number)
    logger.info("stopping on %s", signal.Signals(number).name)
    lifecycle.begin_stop()
    deadline = threading.Timer(STOP_DEADLINE_SECONDS, _give_up)
    deadline.daemon = True
    deadline.start()
    # An orchestrator that polls readiness sees the 500 before connections are refused. At a keyboard
    # nobody polls.
    drain = settings.DRAIN_SECONDS if number == signal.SIGTERM else 0
    asyncio.get_running_loop().call_later(drain, server.stop.set)


def _give_up() -> None:
    logger.error("a part of the server did not stop in %.1f s; ending anyway", STOP_DEADLINE_SECONDS)
    os._exit(1)
