"""GET /api/public/health and /ready."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db import OperationalError

from apps.core import lifecycle
from apps.core.errors import Unavailable
from apps.telemetry import gate
from litefuse_web import health
from tests.support.otlp import request
from tests.support.program import Sender

OK = {"status": "OK", "version": settings.VERSION}


@pytest.mark.parametrize("path", ["health", "ready"])
async def test_it_works_without_credentials(sender: Sender, path: str):
    response = await sender.http.get(f"/api/public/{path}")
    assert (response.status_code, response.json()) == (200, OK)
    assert (await sender.http.post(f"/api/public/{path}")).status_code == 405


async def test_stores_are_looked_at_when_asked(sender: Sender, monkeypatch: pytest.MonkeyPatch):
    asked = {"failIfDatabaseUnavailable": "true"}
    assert (await sender.http.get("/api/public/health", params=asked)).json() == OK

    def unavailable():
        raise Unavailable("Its disk is full.")

    monkeypatch.setattr(gate, "gate", unavailable)
    response = await sender.http.get("/api/public/health", params=asked)
    assert response.status_code == 503
    assert "Its disk is full." in response.json()["status"]
    assert (await sender.http.get("/api/public/ready")).status_code == 503
    assert (await sender.http.get("/api/public/health")).json() == OK


async def test_a_database_that_does_not_answer(sender: Sender, monkeypatch: pytest.MonkeyPatch):
    class Broken:
        vendor = "postgresql"

        def cursor(self):
            raise OperationalError("gone")

    monkeypatch.setattr(health, "connection", Broken())
    response = await sender.http.get("/api/public/ready")
    assert response.status_code == 503
    assert "Database" in response.json()["status"]


async def test_recent_data_is_looked_for_when_asked(sender: Sender, monkeypatch: pytest.MonkeyPatch):
    asked = {"failIfNoRecentEvents": "true"}
    monkeypatch.setattr(health, "RECENT_SECONDS", -60)
    response = await sender.http.get("/api/public/health", params=asked)
    assert response.status_code == 503
    assert "No traces" in response.json()["status"]
    monkeypatch.undo()
    await sender.export(request({}))
    assert (await sender.http.get("/api/public/health", params=asked)).json() == OK


async def test_a_stopping_server_is_not_ready(sender: Sender, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lifecycle, "is_stopping", lambda: True)
    assert (await sender.http.get("/api/public/ready")).status_code == 500
    assert (await sender.http.get("/api/public/health")).status_code == 200
