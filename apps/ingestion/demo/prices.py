"""A price of the demo that was typed wrongly, and its correction: most costs are re-priced, those of the last
days wait for whoever tries it."""

from __future__ import annotations

from django.db.models import QuerySet

from apps.audit.services import SYSTEM
from apps.core.clock import MICROS_PER_DAY
from apps.core.errors import Conflict
from apps.organizations.models import Project
from apps.pricing import catalogue, services
from apps.pricing.drafts import read_draft
from apps.pricing.models import ModelDefinition
from apps.tracing.costing import repricing
from apps.tracing.costing.candidates import Range
from apps.tracing.costing.models import Repricing

_NAME = "gemini-2.5-flash (contract)"
_LEFT = 3 * MICROS_PER_DAY  # microseconds before now whose costs stay as they were


def mistype(project: Project) -> None:
    """Agree on a price for a model, with a digit too many; once."""
    if not _known(project).exists():
        _put(project, "0.0000027")


def correct(project: Project, since: int, until: int) -> None:
    """Mend that price, and most of the costs that came of it; once."""
    if Repricing.objects.filter(project=project).exists():
        return
    _put(project, "0.00000027")
    try:
        repricing.start(actor=SYSTEM, project=project, range_=Range(project.id, since, until - _LEFT))
    except Conflict:  # somebody else tells the demo at this moment
        return


def _known(project: Project) -> QuerySet[ModelDefinition]:
    """By name: an id is never given twice, not even after the demo was erased."""
    return ModelDefinition.objects.filter(project_id=project.id, name=_NAME)


def _put(project: Project, input_price: str) -> None:
    draft = read_draft(
        {
            "modelName": _NAME,
            "matchPattern": r"(?i)^gemini-2\.5-flash$",
            "unit": "TOKENS",
            "pricingTiers": [
                {
                    "name": "Standard",
                    "isDefault": True,
                    "priority": 0,
                    "prices": {
                        "input": input_price,
                        "input_cache_read": "0.00000003",
                        "output": "0.00000225",
                        "output_reasoning_tokens": "0.00000225",
                    },
                }
            ],
        }
    )
    model = _known(project).first()
    if model is None:
        services.create_model(actor=SYSTEM, project=project, draft=draft)
    else:
        services.replace_model(actor=SYSTEM, project=project, model=model, draft=draft)
    catalogue.forget()
