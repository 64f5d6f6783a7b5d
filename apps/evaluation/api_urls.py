"""Endpoints of this room, below `/api/public/`."""

from __future__ import annotations

from django.urls import path

from apps.evaluation.api import CommentDetail, Comments

urlpatterns = [
    path("comments", Comments.as_view()),
    path("comments/<str:comment_id>", CommentDetail.as_view()),
]
