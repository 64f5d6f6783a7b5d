"""App config."""

from django.apps import AppConfig


class IngestionConfig(AppConfig):
    """Room `ingestion`."""

    name = "apps.ingestion"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have the wire inspector forget what is erased."""
        from apps.ingestion.inspector import recording
        from apps.tracing import erasure

        erasure.register(recording.forget)
