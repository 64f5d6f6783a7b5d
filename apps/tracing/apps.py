"""App config."""

from django.apps import AppConfig


class TracingConfig(AppConfig):
    """Room `tracing`."""

    name = "apps.tracing"
    default_auto_field = "django.db.models.BigAutoField"
