"""App config."""

from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    """Room `datasets`."""

    name = "apps.datasets"
    default_auto_field = "django.db.models.BigAutoField"
