"""App config of the project package itself: its commands and its system checks."""

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """Registers the checks of the configuration as a whole."""

    name = "litefuse_web"

    def ready(self) -> None:
        """Checks register themselves when imported."""
        from litefuse_web import checks  # noqa: F401
