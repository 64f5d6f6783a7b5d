"""Logging: one line a fact on standard error, as text for people or JSON for machines.

Lines carry ids and counts, never payloads, keys or addresses of mail.
"""

from __future__ import annotations

import logging.config
from typing import Any

import structlog
from structlog.types import Processor


def logging_config(*, level: str, form: str) -> dict[str, Any]:
    """A `logging` configuration; `form` is "text" or "json"."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": structlog.stdlib.ProcessorFormatter, "processors": _processors(form)}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django logs every 4xx answer as a warning; only what is our fault deserves a line.
            "django.request": {"level": "ERROR"},
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            "uvicorn.error": {"level": "WARNING"},
            "celery": {"level": "WARNING"},
            "kombu": {"level": "WARNING"},
            "httpx": {"level": "WARNING"},
            "fontTools": {"level": "WARNING"},
        },
    }


def _processors(form: str) -> list[Processor]:
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
    ]
    if form == "json":
        return [*shared, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [
        *shared,
        structlog.dev.ConsoleRenderer(
            colors=False,
            pad_event_to=0,
            pad_level=True,
            exception_formatter=structlog.dev.plain_traceback,  # the fancier one prints variables: secrets
        ),
    ]


def configure(config: dict[str, Any]) -> None:
    """Apply `config`, and send structlog's own loggers the same way."""
    logging.config.dictConfig(config)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
