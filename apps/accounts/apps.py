"""App config."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Room `accounts`."""

    name = "apps.accounts"
    default_auto_field = "django.db.models.BigAutoField"
