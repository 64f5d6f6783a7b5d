"""App config."""

from django.apps import AppConfig


class LiveConfig(AppConfig):
    """Room `live`."""

    name = "apps.live"
    default_auto_field = "django.db.models.BigAutoField"
