"""App config."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Room `billing`."""

    name = "apps.billing"
    default_auto_field = "django.db.models.BigAutoField"
