"""App config."""

from django.apps import AppConfig


class EvaluationConfig(AppConfig):
    """Room `evaluation`."""

    name = "apps.evaluation"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have comments go with the traces they are about."""
        from apps.evaluation import services
        from apps.tracing import erasure

        erasure.register(services.forget)
