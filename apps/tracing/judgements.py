"""Scores as the page of a trace shows them: badges in a row, and a list with everything said. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.core import formats
from apps.core.formats import visible
from apps.tracing.content import Text, cut_text
from apps.tracing.detail import MAX_NAME, Section, given, section_of
from apps.tracing.records import Score, ScoreType

MAX_BADGES = 12  # in the row; the list has the others
_SOURCES: dict[str, tuple[str, Any]] = {
    "API": ("plug", _("Sent by a program")),
    "EVAL": ("agent", _("Given by an evaluator")),
    "ANNOTATION": ("user", _("Given by a person")),
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """One score."""

    name: str
    value: str  # short enough for a badge
    source_icon: str
    source: Any
    timestamp: int
    comment: Text | None
    text: Text | None  # what the value is too long for
    observation_id: str  # empty: the trace itself is judged
    sections: list[Section]


def judgements(scores: Sequence[Score], observation_id: str) -> list[Judgement]:
    """Scores of one observation; with an empty id those of the trace itself, then of its observations."""
    if observation_id:
        chosen = [score for score in scores if score.observation_id == observation_id]
    else:
        chosen = sorted(scores, key=lambda score: bool(score.observation_id))
    return [_judgement(score) for score in chosen]


def badges(shown: Sequence[Judgement], observation_id: str) -> list[Judgement]:
    """What stands in the row under the head: scores of exactly this."""
    return [judgement for judgement in shown if judgement.observation_id == observation_id]


def state(scores: Sequence[Score]) -> str:
    """Changes whenever a score does; pages compare it."""
    return f"{len(scores)}.{max((score.updated_at for score in scores), default=0)}"


def _judgement(score: Score) -> Judgement:
    icon, source = _SOURCES.get(score.source, _SOURCES["API"])
    is_text = score.type in (ScoreType.TEXT, ScoreType.CORRECTION)
    return Judgement(
        name=gettext("correction") if score.type is ScoreType.CORRECTION else visible(score.name[:MAX_NAME]),
        value="" if is_text else value(score),
        source_icon=icon,
        source=source,
        timestamp=score.timestamp,
        comment=cut_text(score.comment, 12, 1_500, 20_000) if score.comment else None,
        text=cut_text(score.string_value, 12, 1_500, 20_000) if is_text else None,
        observation_id=score.observation_id,
        sections=[
            found
            for found in (section_of(_("Metadata"), score.metadata), section_of(_("Origin"), _origin(score)))
            if found.entries
        ],
    )


def value(score: Score) -> str:
    """The value as people read it: at most four decimals, a label as it was sent."""
    if score.type is not ScoreType.NUMERIC:
        return visible(score.string_value[:MAX_NAME])
    number = round(score.value, 4)
    if abs(number) >= 1e15 or (number == 0) != (score.value == 0):
        return f"{score.value:g}"
    written = number_format(f"{number:.4f}".rstrip("0").rstrip("."), force_grouping=True)
    return str(written)


def _origin(score: Score) -> dict[str, str]:
    return given(
        {
            gettext("Score id"): score.id,
            gettext("Type"): str(score.type),
            gettext("Source"): score.source,
            gettext("Environment"): score.environment,
            gettext("Config"): score.config_id,
            gettext("Changed"): formats.moment(score.updated_at) if score.updated_at else "",
        }
    )
