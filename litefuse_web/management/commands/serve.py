"""`manage.py serve`: the whole program in one process, or one web process of several."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.core import lifecycle
from apps.ingestion.grpc_server import GrpcServer
from apps.telemetry import gate
from litefuse_web import server, startup
from litefuse_web.asgi import application
from litefuse_web.embedded_celery import EmbeddedCelery
from litefuse_web.instance_lock import DirectoryInUse, InstanceLock


class Command(BaseCommand):
    """Thin: order of start-up here, each step in a module of its own."""

    help = (
        "Serve pages, API, ingestion and sockets on HOST:PORT. With nothing else configured this one"
        " process is all of Litefuse: stores and background tasks run inside it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to listen comes from the environment, as all configuration does."""
        parser.add_argument(
            "--demo", action="store_true", help="load the demo organization in the background, once started"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until stopped by a signal."""
        lock = InstanceLock(settings.DATA_DIR)
        try:
            if not settings.SEVERAL_PROCESSES:
                lock.acquire(settings.PUBLIC_URL)
            sockets = server.listen(settings.HOST, settings.PORT)
            otlp = server.listen_if_free(
                settings.HOST, settings.OTLP_HTTP_PORT, setting="LITEFUSE_OTLP_HTTP_PORT", default=4318
            )
            has_grpc = server.is_free(
                settings.HOST, settings.OTLP_GRPC_PORT, setting="LITEFUSE_OTLP_GRPC_PORT", default=4317
            )
        except (DirectoryInUse, server.CannotListen) as refusal:
            lock.release()
            raise CommandError(str(refusal)) from None
        with lock:
            startup.prepare()
            tasks = None if settings.REDIS_URL else EmbeddedCelery()
            server.run(
                [*sockets, *otlp],
                [GrpcServer(application.intake, settings.HOST, settings.OTLP_GRPC_PORT)] if has_grpc else [],
                started=lambda: self.started(tasks, options["demo"], _exporters(bool(otlp), has_grpc)),
                stopped=[application.close, *([tasks.stop] if tasks else []), gate.close],
            )

    def started(self, tasks: EmbeddedCelery | None, demo: bool, exporters: list[str]) -> None:
        """Tell the person at the terminal where to go, then do what the first request need not wait for."""
        self.stdout.write("\n".join(startup.banner(exporters)) + "\n")
        self.stdout.flush()
        steps = [lambda: startup.warm_up(application.open_store)]
        steps += [tasks.start] if tasks else []
        steps += [lambda: startup.load_demo(application.writer)] if demo else []
        for step in steps:
            if lifecycle.is_stopping():  # asked to stop while starting: begin nothing more
                return
            step()


def _exporters(has_http: bool, has_grpc: bool) -> list[str]:
    """Where exporters find this server by themselves."""
    host = "localhost" if settings.HOST in ("127.0.0.1", "0.0.0.0", "::1", "::") else settings.HOST  # noqa: S104
    http = [f"http://{host}:{settings.OTLP_HTTP_PORT}"] if has_http else []
    return http + ([f"{host}:{settings.OTLP_GRPC_PORT} (gRPC)"] if has_grpc else [])
