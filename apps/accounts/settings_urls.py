"""`/account/…`: a person's own settings."""

from __future__ import annotations

from django.urls import path

from apps.accounts import views

app_name = "accounts"
urlpatterns = [path("settings", views.settings_page, name="settings")]
