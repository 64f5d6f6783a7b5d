"""Model definitions: which names they match, what each kind of usage costs, and every price they ever had."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core.ids import new_id


class Unit(models.TextChoices):
    """What one unit of usage is."""

    TOKENS = "TOKENS", _("Tokens")
    CHARACTERS = "CHARACTERS", _("Characters")
    MILLISECONDS = "MILLISECONDS", _("Milliseconds")
    SECONDS = "SECONDS", _("Seconds")
    REQUESTS = "REQUESTS", _("Requests")
    IMAGES = "IMAGES", _("Images")


class Tokenizer(models.TextChoices):
    """Tokenizers that can count text when the sender gave no usage."""

    OPENAI = "openai", "OpenAI"
    CLAUDE = "claude", "Claude"


class PriceMapField(models.JSONField):
    """Usage key -> US dollars for one unit. Kept as decimal text, since SQLite's own decimals are floats."""

    def get_prep_value(self, value: dict[str, Decimal] | None) -> Any:
        """Decimals to text without exponent."""
        if value is None:
            return None
        return super().get_prep_value({key: format(price, "f") for key, price in value.items()})

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> dict[str, Decimal] | None:
        """Text back to exact decimals."""
        stored = super().from_db_value(value, expression, connection)
        return None if stored is None else {key: Decimal(price) for key, price in stored.items()}


class ModelDefinition(models.Model):
    """A model as the platform knows it (no project: managed, seen by all) or as one project defines it.

    Prices that change on a date are several definitions of one name with different start dates.
    """

    id = models.CharField(primary_key=True, max_length=200, default=new_id)
    project_id = models.CharField(max_length=64, null=True, blank=True, db_index=True)
    name = models.CharField(max_length=200)
    provider = models.CharField(max_length=64, blank=True, help_text="Who charges; managed models only.")
    match_pattern = models.CharField(max_length=5000)
    start_date = models.DateTimeField(null=True, blank=True)
    unit = models.CharField(max_length=20, choices=Unit.choices, default=Unit.TOKENS)
    tokenizer_id = models.CharField(max_length=20, choices=Tokenizer.choices, blank=True)
    tokenizer_config = models.JSONField(default=dict, blank=True)
    rank = models.PositiveIntegerField(
        default=0, help_text="Order among managed models; lowest is tried first."
    )
    revision = models.PositiveIntegerField(default=1, help_text="Number of the PriceRevision in force.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project_id", "name"],
                condition=Q(project_id__isnull=False),
                name="model_name_once_per_project",
            )
        ]

    def __str__(self) -> str:
        return self.name


class PricingTier(models.Model):
    """The prices of a model under some conditions; the default tier holds when no other does."""

    id = models.CharField(primary_key=True, max_length=220, default=new_id)
    definition = models.ForeignKey(ModelDefinition, on_delete=models.CASCADE, related_name="tiers")
    name = models.CharField(max_length=100)
    is_default = models.BooleanField(default=False)
    priority = models.PositiveSmallIntegerField(default=0, help_text="0 for the default tier, else 1 to 999.")
    conditions = models.JSONField(default=list, blank=True)
    prices = PriceMapField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["definition", "name"], name="tier_name_once_per_model"),
            models.UniqueConstraint(fields=["definition", "priority"], name="tier_priority_once_per_model"),
            models.CheckConstraint(
                condition=Q(is_default=True, priority=0) | Q(is_default=False, priority__range=(1, 999)),
                name="only_the_default_tier_has_priority_0",
            ),
        ]


class PriceRevision(models.Model):
    """What a definition said from one change to the next; append-only, outlives the definition.

    A computed cost names its revision (`<definition>@<number>`), so that it can be explained later.
    """

    definition_id = models.CharField(max_length=200)
    number = models.PositiveIntegerField()
    content = models.JSONField(help_text="The definition with its tiers and prices (as text).")
    origin = models.CharField(max_length=100, help_text="Who set it: a library and its version, or a person.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["definition_id", "number"], name="revision_number_once")
        ]


class CatalogueVersion(models.Model):
    """A number per scope that grows with every change, so that readers notice cheaply."""

    MANAGED = "managed"
    PROJECTS = "projects"

    scope = models.CharField(primary_key=True, max_length=20)
    number = models.PositiveBigIntegerField(default=0)
    note = models.CharField(max_length=100, blank=True, help_text="For managed: what it was seeded from.")
