"""App config."""

from django.apps import AppConfig


class UsageConfig(AppConfig):
    """Room `usage`."""

    name = "apps.usage"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have deleted projects counted for the last time before they are erased, and plans asked what
        organizations may have."""
        from apps.organizations import entitlements
        from apps.tracing import erasure
        from apps.usage import counting, plans

        erasure.register_counting(counting.close)
        entitlements.register(plans.entitlements_of)
