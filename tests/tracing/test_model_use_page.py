"""Names without a price, and calls by definition, as the pages of models show them."""

from __future__ import annotations

import re
from decimal import Decimal
from html import unescape

import pytest
from django.test import Client

from apps.audit.services import SYSTEM
from apps.core.clock import now_micros
from apps.core.errors import Unavailable
from apps.organizations.models import Membership
from apps.pricing import catalogue, services
from apps.pricing.drafts import read_draft
from apps.tracing import model_use
from apps.tracing.writer import Writer
from tests import factories
from tests.tracing.spans import SECOND, span

pytestmark = pytest.mark.django_db
DAY = 86_400 * SECOND


@pytest.fixture
def project(client: Client):
    person = factories.user(name="Ines")
    client.force_login(person)
    yield factories.project(owner=person)
    catalogue.forget()


def call(project, id: str, *, ago: int = 60 * SECOND, **fields: object):
    """A call that names its model and tells its usage."""
    given = {"model": "house-7b", "usage": {"input": 10, "pages": 2, "total": 12}, "total_cost": None}
    return span(project.id, "t", id, start_time=now_micros() - ago, **{**given, **fields})


def shown(client: Client, project, part: str = "unpriced", query: str = "") -> str:
    response = client.get(f"/project/{project.id}/settings/models/{part}{query}")
    assert response.status_code == 200
    return unescape(response.content.decode())


def test_calls_with_usage_and_no_cost_are_listed_by_name(client: Client, project, writer: Writer) -> None:
    assert shown(client, project).strip() == ""
    writer.commit(
        [
            call(project, "a"),
            call(project, "b", ago=5 * DAY),
            call(project, "old", ago=31 * DAY),
            call(project, "other", model="free", total_cost=Decimal(0)),
            call(project, "silent", model="silent", usage={}),
        ]
    )
    [found] = model_use.unpriced(project.id)
    assert (found.model, found.calls, found.total_tokens, found.keys) == (
        "house-7b",
        2,
        24,
        ("input", "pages", "total"),
    )
    text = shown(client, project)
    assert "house-7b" in text and "free" not in text and "silent" not in text
    assert "/models/new?name=house-7b&key=input&key=pages&key=total" in text


def test_a_name_that_has_a_price_by_now_says_so(client: Client, project, writer: Writer) -> None:
    writer.commit([call(project, "a")])
    draft = read_draft({"modelName": "House", "matchPattern": "^house", "inputPrice": 1e-6})
    made = services.create_model(actor=SYSTEM, project=project, draft=draft)
    catalogue.forget()
    text = shown(client, project)
    assert "new calls take House" in text and "/models/new" not in text
    [link] = re.findall(r'href="([^"]*settings/reprice[^"]*)"', text)
    response = client.get(link)
    assert response.status_code == 200 and "house-7b" in response.content.decode()
    assert shown(client, project, "calls", f"?id={made.id}&id=none").count("–") == 2
    writer.commit([call(project, "b", model_id=made.id, total_cost=Decimal(1))])
    text = shown(client, project, "calls", f"?id=none&id={made.id}")
    assert 'id="used-0" hx-swap-oob="true" class="muted">–' in text
    assert 'id="used-1" hx-swap-oob="true">1<' in text


def test_models_in_use_stand_by_their_cost(client: Client, project, writer: Writer) -> None:
    draft = read_draft({"modelName": "House", "matchPattern": "^house", "inputPrice": 1e-6})
    made = services.create_model(actor=SYSTEM, project=project, draft=draft)
    catalogue.forget()
    writer.commit(
        [
            call(project, "a", model_id="gone", total_cost=Decimal(2)),
            call(project, "b", model_id=made.id, total_cost=Decimal(3), model="house/7b"),
            call(project, "c", model_id=made.id, total_cost=None),
        ]
    )
    first, second = model_use.in_use(project.id)
    assert (first.model_id, first.names, first.calls, first.cost) == (
        made.id,
        ("house-7b", "house/7b"),
        2,
        Decimal(3),
    )
    assert second.model_id == "gone"
    text = shown(client, project)
    assert "Models in use" in text and "$3.0000" in text and text.index("House") < text.index("deleted")


def test_strangers_and_those_who_may_not_change(client: Client, project, writer: Writer) -> None:
    writer.commit([call(project, "a")])
    client.force_login(factories.user("other@example.org"))
    for part in ("unpriced", "calls"):
        assert client.get(f"/project/{project.id}/settings/models/{part}").status_code == 404
    member = factories.user("member@example.org")
    Membership.objects.create(organization=project.organization, user=member, role="MEMBER")
    client.force_login(member)
    text = shown(client, project)
    assert "house-7b" in text and "/models/new" not in text


def test_a_store_that_is_away_leaves_the_page(
    client: Client, project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise Unavailable("The telemetry store is away.")

    monkeypatch.setattr(model_use, "gate", away)
    assert "The telemetry store is away." in shown(client, project)
    assert shown(client, project, "calls", "?id=x").strip() == ""
