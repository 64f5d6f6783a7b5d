"""App config."""

from django.apps import AppConfig


class PromptsConfig(AppConfig):
    """Room `prompts`."""

    name = "apps.prompts"
    default_auto_field = "django.db.models.BigAutoField"
