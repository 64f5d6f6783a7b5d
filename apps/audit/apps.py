"""App config."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Room `audit`."""

    name = "apps.audit"
    default_auto_field = "django.db.models.BigAutoField"
