"""App config."""

from django.apps import AppConfig


class OutboxConfig(AppConfig):
    """Room `outbox`."""

    name = "apps.outbox"
    default_auto_field = "django.db.models.BigAutoField"
