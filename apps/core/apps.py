"""App config."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """Room `core`."""

    name = "apps.core"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks."""
        from apps.core import assets  # noqa: F401
