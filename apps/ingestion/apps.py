"""App config."""

from django.apps import AppConfig


class IngestionConfig(AppConfig):
    """Room `ingestion`."""

    name = "apps.ingestion"
    default_auto_field = "django.db.models.BigAutoField"
