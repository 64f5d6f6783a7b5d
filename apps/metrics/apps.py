"""App config."""

from django.apps import AppConfig


class MetricsConfig(AppConfig):
    """Room `metrics`."""

    name = "apps.metrics"
    default_auto_field = "django.db.models.BigAutoField"
