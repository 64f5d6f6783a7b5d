"""App config."""

from django.apps import AppConfig


class UsageConfig(AppConfig):
    """Room `usage`."""

    name = "apps.usage"
    default_auto_field = "django.db.models.BigAutoField"
