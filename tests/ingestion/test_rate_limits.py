"""Telemetry counts against the limit of its own kind; the limits themselves: tests/organizations."""

from __future__ import annotations

from typing import Any

from apps.organizations import authentication
from apps.organizations.limits import DAY
from apps.organizations.models import Organization
from tests.support.otlp import request
from tests.support.program import Sender


async def test_telemetry_counts_as_ingestion(sender: Sender, settings: Any):
    settings.RATE_LIMIT_PLAN = "hobby"
    await Organization.objects.filter(id=sender.project.organization_id).aupdate(
        rate_limits={"ingestion": [3, DAY]}
    )
    authentication.forget_answers()
    body = request({"trace_id": b"t" * 16, "span_id": b"s" * 8, "name": "x"})
    answers = [await sender.export(body) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].json()["code"] == "rate_limited"
    assert int(answers[-1].headers["retry-after"]) > 0
    batch = await sender.http.post(
        "/api/public/ingestion", json={"batch": []}, headers={"authorization": sender.authorization}
    )
    assert (batch.status_code, batch.json()["code"]) == (429, "rate_limited")
