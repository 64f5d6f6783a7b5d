"""What of this room is in the relational store. Traces are in the telemetry store (`tables`)."""

from __future__ import annotations

from apps.tracing.costing.models import EstimateClock, RepricedStep, Repricing
from apps.tracing.deletions import Expired, Settled, TraceDeletion
from apps.tracing.media.models import Media, MediaLink, MediaRemoval
from apps.tracing.score_configs.models import ScoreConfig

__all__ = [
    "EstimateClock",
    "Expired",
    "Media",
    "MediaLink",
    "MediaRemoval",
    "RepricedStep",
    "Repricing",
    "ScoreConfig",
    "Settled",
    "TraceDeletion",
]
