"""App config."""

from django.apps import AppConfig


class OrganizationsConfig(AppConfig):
    """Room `organizations`."""

    name = "apps.organizations"
    default_auto_field = "django.db.models.BigAutoField"
