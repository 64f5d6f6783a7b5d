"""Endpoints of this room, below `/api/public/`."""

from __future__ import annotations

from django.urls import path

from apps.tracing.api import TraceDetail, Traces
from apps.tracing.costing.api import CostExplained, ObservationCost, TraceCost
from apps.tracing.costing.repricing_api import RepricingRun, Repricings, RepricingUndo
from apps.tracing.media.api import MediaCollection, MediaDetail
from apps.tracing.observations_api import ObservationDetail, Observations, ObservationsV2
from apps.tracing.score_api import ScoreDetail, ScoreDetailV2, Scores, ScoresV2, ScoresV3
from apps.tracing.score_configs.api import ScoreConfigDetail, ScoreConfigs
from apps.tracing.sessions_api import SessionDetail, Sessions

urlpatterns = [
    path("traces", Traces.as_view()),
    path("traces/<name:trace_id>/cost", TraceCost.as_view()),
    path("traces/<name:trace_id>", TraceDetail.as_view()),
    path("observations", Observations.as_view()),
    path("observations/<name:observation_id>/cost", ObservationCost.as_view()),
    path("observations/<name:observation_id>", ObservationDetail.as_view()),
    path("cost/explain", CostExplained.as_view()),
    path("cost/reprice", Repricings.as_view()),
    path("cost/reprice/<str:id>", RepricingRun.as_view()),
    path("cost/reprice/<str:id>/undo", RepricingUndo.as_view()),
    path("v2/observations", ObservationsV2.as_view()),
    path("sessions", Sessions.as_view()),
    path("sessions/<name:session_id>", SessionDetail.as_view()),
    path("score-configs", ScoreConfigs.as_view()),
    path("score-configs/<str:config_id>", ScoreConfigDetail.as_view()),
    path("scores", Scores.as_view()),
    path("scores/<name:score_id>", ScoreDetail.as_view()),
    path("v2/scores", ScoresV2.as_view()),
    path("v2/scores/<name:score_id>", ScoreDetailV2.as_view()),
    path("v3/scores", ScoresV3.as_view()),
    path("media", MediaCollection.as_view()),
    path("media/<str:media_id>", MediaDetail.as_view()),
]
