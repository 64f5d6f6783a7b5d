"""App config."""

from django.apps import AppConfig
from django.urls import register_converter


class CoreConfig(AppConfig):
    """Room `core`."""

    name = "apps.core"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks and the path converter."""
        from apps.core import assets  # noqa: F401
        from apps.core.segments import NameConverter

        register_converter(NameConverter, "name")
