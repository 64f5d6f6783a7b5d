"""App config."""

from django.apps import AppConfig


class UsageConfig(AppConfig):
    """Room `usage`."""

    name = "apps.usage"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have deleted projects counted for the last time before they are erased."""
        from apps.tracing import erasure
        from apps.usage import counting

        erasure.register_counting(counting.close)
