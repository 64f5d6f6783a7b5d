"""App config."""

from django.apps import AppConfig


class EvaluationConfig(AppConfig):
    """Room `evaluation`."""

    name = "apps.evaluation"
    default_auto_field = "django.db.models.BigAutoField"
