"""Words for how a model name was read, and why a definition took it or not."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.translation import gettext_lazy as _

from apps.core.clock import to_datetime

register = template.Library()

_STAGES = {
    "exact": _("by its name"),
    "undated": _("without date or version"),
    "resold": _("as a reseller lists it"),
    "deployment": _("a known name inside it"),
}
_VERDICTS = {
    "taken": _("Taken"),
    "taken early": _("Taken, although it starts later: no earlier price is known"),
    "starts later": _("Not yet in force then"),
    "replaced": _("Passed over: another price began later"),
    "after own": _("Passed over: the project's own come first"),
    "other provider": _("Passed over: the name speaks of another provider"),
    "later provider": _("Passed over: asked after the one taken"),
    "looser": _("Passed over: a closer reading of the name fitted"),
}


@register.filter
def stage_name(stage: str) -> Any:
    """How a name was read."""
    return _STAGES.get(stage, stage)


@register.filter
def verdict_text(verdict: str) -> Any:
    """What became of a candidate."""
    return _VERDICTS.get(verdict, verdict)


@register.filter
def utc_day(micros: int) -> str:
    """The day of a start date, which is in UTC whoever looks."""
    return to_datetime(micros).strftime("%Y-%m-%d")
