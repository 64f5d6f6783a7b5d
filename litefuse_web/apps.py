"""App config of the project package itself: its commands and its system checks."""

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """Registers the checks of the configuration as a whole."""

    name = "litefuse_web"

    def ready(self) -> None:
        """Checks register themselves when imported; so does the Celery app that tasks are sent by."""
        from litefuse_web import celery, checks  # noqa: F401
