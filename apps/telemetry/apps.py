"""App config."""

from django.apps import AppConfig


class TelemetryConfig(AppConfig):
    """Room `telemetry`."""

    name = "apps.telemetry"
    default_auto_field = "django.db.models.BigAutoField"
