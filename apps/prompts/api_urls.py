"""Endpoints of this room, below `/api/public/`."""

from __future__ import annotations

from django.urls import path

from apps.prompts.api import PromptDetail, Prompts, PromptsV1, PromptVersionDetail

urlpatterns = [
    path("v2/prompts", Prompts.as_view()),
    # Before the next, which takes bare slashes too.
    path("v2/prompts/<name:prompt_name>/versions/<int:version>", PromptVersionDetail.as_view()),
    path("v2/prompts/<name:prompt_name>", PromptDetail.as_view()),
    path("prompts", PromptsV1.as_view()),
]
