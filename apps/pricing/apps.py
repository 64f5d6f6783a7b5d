"""App config."""

from django.apps import AppConfig


class PricingConfig(AppConfig):
    """Room `pricing`."""

    name = "apps.pricing"
    default_auto_field = "django.db.models.BigAutoField"
