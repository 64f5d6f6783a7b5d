"""App config."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Room `billing`."""

    name = "apps.billing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have accounts settled before organizations are deleted."""
        from apps.billing import leaving
        from apps.organizations import administration

        administration.register_leaving(leaving.settle)
