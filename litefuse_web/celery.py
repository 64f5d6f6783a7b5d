"""The Celery application: the same tasks and schedule in one process or in many.

Without REDIS_URL messages stay in this process (`memory_broker`) and `embedded_celery` runs them in
threads; what is queued is gone when the process ends, so every task that must not be lost has a row in
the database and is handed over again by one of `AT_START`. With REDIS_URL, `manage.py worker` and
`manage.py beat` run the tasks. Every task is safe to repeat.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.schedules import crontab

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "litefuse_web.settings")

# Static: a schedule is part of the program. Seconds, or a crontab (UTC).
SCHEDULE: dict[str, dict[str, Any]] = {
    "hand over due parcels": {"task": "outbox.hand_over_due", "schedule": 30.0},
    "go on with re-runs": {"task": "ingestion.resume_remaps", "schedule": 60.0},
    "estimate missing usage": {"task": "tracing.estimate_usage", "schedule": 15.0},
    "go on with re-pricing": {"task": "tracing.resume_repricing", "schedule": 60.0},
    "apply deletes": {"task": "tracing.apply_deletes", "schedule": crontab(minute="23")},
    "finish deletions": {"task": "tracing.finish_deletions", "schedule": 60.0},
    "delete what is too old": {"task": "tracing.expire", "schedule": crontab(minute="9")},
    "erase deleted projects": {"task": "tracing.erase_deleted_projects", "schedule": 60.0},
    "tidy up media": {"task": "tracing.sweep_media", "schedule": crontab(minute="*/20")},
    "count usage and cost": {"task": "usage.count", "schedule": 60.0},
    "check quotas": {"task": "usage.check_quotas", "schedule": 60.0},
    "count budgets": {"task": "usage.count_budgets", "schedule": 300.0},
    "forget counts": {"task": "usage.forget_counts", "schedule": crontab(minute="41", hour="3")},
    "close billing periods": {"task": "billing.close_periods", "schedule": crontab(minute="10")},
    "report units to Stripe": {"task": "billing.report_usage", "schedule": crontab(minute="17")},
    "forget journals": {"task": "tracing.forget_journals", "schedule": crontab(minute="29", hour="3")},
    "forget old parcels": {"task": "outbox.forget_old", "schedule": crontab(minute="17", hour="3")},
}

# Sent whenever a worker starts: what an earlier process left undone.
AT_START = (
    "outbox.hand_over_due",
    "ingestion.resume_remaps",
    "tracing.finish_deletions",
    "tracing.resume_repricing",
    "usage.count",
    "usage.count_budgets",
    "billing.close_periods",
    "billing.report_usage",
)

EMBEDDED_THREADS = 4
_VISIBILITY_SECONDS = 3600  # Redis gives a task to another worker when it is not done by then


def _configuration() -> dict[str, Any]:
    """Read when first needed: settings may not be complete when this module is imported."""
    from django.conf import settings

    common = {
        "beat_schedule": SCHEDULE,
        "beat_scheduler": "celery.beat:Scheduler",  # keeps no file: every task catches up by itself
        "enable_utc": True,
        "result_expires": None,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_enable_remote_control": False,
        "worker_pool": "threads",  # never fork: stores keep threads and locks of their own
        "worker_timer_precision": 0.5,
        "broker_connection_retry_on_startup": True,
    }
    if settings.REDIS_URL:
        return common | {
            "broker_url": settings.REDIS_URL,
            "broker_transport_options": {
                "visibility_timeout": _VISIBILITY_SECONDS,
                "global_keyprefix": "litefuse:",
            },
            "task_acks_late": True,
            "task_reject_on_worker_lost": True,
            "worker_prefetch_multiplier": 1,
        }
    return common | {
        "broker_url": "memory://localhost/",
        "broker_transport": "litefuse_web.memory_broker:Transport",
        "worker_prefetch_multiplier": 0,  # no limit: the queue and the worker share one memory anyway
    }


app = Celery("litefuse")
app.add_defaults(_configuration)
app.autodiscover_tasks()  # `tasks` of every installed app
app.set_default()  # the current app is per thread; without this a retry in a worker thread gets lost
