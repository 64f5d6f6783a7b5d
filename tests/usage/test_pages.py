"""Pages of usage, budgets and plans: who may see and change what, and what they say."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, date, datetime, timedelta

import pytest
from asgiref.sync import async_to_sync
from django.http import StreamingHttpResponse
from django.test import Client
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.organizations.models import Project, Role
from apps.usage import plans, quotas, report
from apps.usage.budget_models import Budget, BudgetCount, UsageSettings
from apps.usage.models import CostDay, MeterEntry
from tests import factories
from tests.usage.budgeting import budget

FORM = {
    "name": "Each user, a day", "scope": "user", "measure": "usd", "amount": "5", "window": "day",
    "thresholds": "50, 100", "sends_mail": "on", "project": "", "key": "", "value": "", "webhook_url": "",
}  # fmt: skip


def signed_in(home: Project, role: str) -> Client:
    """A member with a role."""
    client = Client()
    client.force_login(factories.member(home.organization, role))
    return client


def admin() -> Client:
    """An admin of the instance."""
    client = Client()
    client.force_login(factories.user(admin=True))
    return client


def url(home: Project, page: str) -> str:
    """A page of the organization's settings."""
    return f"/organization/{home.organization_id}/settings/{page}"


@pytest.mark.parametrize("page", ["usage", "usage.csv", "usage/now", "budgets"])
def test_who_may_see_them(home: Project, page: str):
    for role, status in ((Role.OWNER, 200), (Role.ADMIN, 200), (Role.MEMBER, 403), (Role.VIEWER, 403)):
        assert signed_in(home, role).get(url(home, page)).status_code == status
    stranger = Client()
    stranger.force_login(factories.user())
    assert stranger.get(url(home, page)).status_code == 404


def test_owners_change_budgets_and_admins_read_them(home: Project):
    owner, reader = signed_in(home, Role.OWNER), signed_in(home, Role.ADMIN)
    assert reader.post(url(home, "budgets/new"), FORM).status_code == 403
    assert owner.post(url(home, "budgets/new"), FORM).status_code == 302
    made = Budget.objects.get()
    assert (made.amount, made.thresholds, made.value) == (5 * 10**12, [50, 100], "")
    page = url(home, f"budgets/{made.id}")
    reader.post(page, {**FORM, "amount": "7"})
    assert Budget.objects.get().amount == 5 * 10**12
    owner.post(page, {**FORM, "amount": "7.5"})
    assert Budget.objects.get().amount == 7_500_000_000_000
    assert "7.5" in owner.get(page).content.decode()
    assert reader.post(f"{page}/delete").status_code == 403
    owner.post(f"{page}/delete")
    assert not Budget.objects.exists()
    assert list(
        AuditEntry.objects.filter(resource_type="budget").order_by("pk").values_list("action", flat=True)
    ) == ["create", "update", "delete"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", "0"), ("amount", "-1"), ("amount", "NaN"), ("amount", "2000000"), ("amount", "1e9999"),
        ("thresholds", ""), ("thresholds", "0"), ("thresholds", "a"), ("thresholds", "1,2,3,4,5,6"),
        ("thresholds", "5000"), ("window", "year"), ("scope", "galaxy"), ("name", ""), ("name", "x" * 101),
        ("webhook_url", "ftp://example.org"), ("webhook_url", "http://127.0.0.1/"), ("value", "x" * 201),
        ("project", "nobodys"), ("key", "nobodys"), ("measure", "apples"),
    ],
)  # fmt: skip
def test_what_makes_no_budget(home: Project, field: str, value: str):
    response = signed_in(home, Role.OWNER).post(url(home, "budgets/new"), {**FORM, field: value})
    assert response.status_code == 400
    assert not Budget.objects.exists()


def test_projects_and_keys_of_others_are_refused(home: Project):
    other = factories.project()
    owner = signed_in(home, Role.OWNER)
    for scope, field, value in (
        ("project", "project", other.id),
        ("key", "key", factories.key(other).key.id),
    ):
        assert owner.post(url(home, "budgets/new"), {**FORM, "scope": scope, field: value}).status_code == 400
    theirs = budget(other.organization)
    assert owner.get(url(home, f"budgets/{theirs.id}")).status_code == 404
    assert owner.post(url(home, f"budgets/{theirs.id}"), FORM).status_code == 404
    assert owner.post(url(home, f"budgets/{theirs.id}/delete")).status_code == 404
    assert Budget.objects.get() == theirs


def test_the_time_zone_of_an_organization(home: Project):
    owner = signed_in(home, Role.OWNER)
    owner.post(url(home, "budgets/time-zone"), {"time_zone": "Asia/Shanghai"})
    assert UsageSettings.objects.get().time_zone == "Asia/Shanghai"
    owner.post(url(home, "budgets/time-zone"), {"time_zone": "Nowhere"})
    assert UsageSettings.objects.get().time_zone == "Asia/Shanghai"


def test_where_budgets_stand(home: Project):
    made = budget(home.organization, name="<b>Ten</b>", scope="user")
    month = timezone.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    BudgetCount.objects.create(budget=made, bucket=month, subject="ann<", amount=9 * 10**12)
    text = signed_in(home, Role.ADMIN).get(url(home, "budgets")).content.decode()
    assert "90 %" in text and "ann&lt;" in text and "&lt;b&gt;Ten" in text


# --- usage ------------------------------------------------------------------------------------------------


def used(home: Project, day: date, *, spans: int = 100, dollars: int = 3, **fields: str) -> None:
    """What was metered and rolled up of a day."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    whose = {"organization_id": home.organization_id, "project_id": home.id}
    common = {"api_key_id": "k1", "environment": "production", "source": "otel", **fields}
    MeterEntry.objects.create(
        **whose, hour=at + timedelta(hours=5), spans=spans, roots=10, scores=1, infrastructure=20, **common
    )
    CostDay.objects.create(
        **whose, day=at, model="gpt-5", user_id="ann", observations=4, input_tokens=5, output_tokens=6,
        total_tokens=11, dollars=dollars, picos=5 * 10**11, **common,
    )  # fmt: skip


def test_units_cost_and_users(home: Project):
    today = timezone.now().astimezone(UTC).date()
    used(home, today)
    reader = signed_in(home, Role.ADMIN)
    units = reader.get(url(home, "usage")).content.decode()
    for part in ("111", "$3.50", "17 %", "ann", "production", "OpenTelemetry", home.name, "<rect"):
        assert part in units, part
    assert "gpt-5" not in units  # units are of no model
    cost = reader.get(url(home, "usage"), {"show": "cost"}).content.decode()
    for part in ("gpt-5", "$3.50", "production"):
        assert part in cost, part


def test_a_free_model_costs_zero_and_one_without_a_price_has_a_dash(home: Project):
    today = timezone.now().astimezone(UTC).date()
    for model, priced in (("free-model", 2), ("unknown-model", 0)):
        CostDay.objects.create(
            organization_id=home.organization_id, project_id=home.id, day=report.midnight(today), model=model,
            observations=2, input_tokens=1, output_tokens=1, total_tokens=2, priced=priced, dollars=0,
            picos=0,
        )  # fmt: skip
    text = signed_in(home, Role.ADMIN).get(url(home, "usage"), {"show": "cost"}).content.decode()
    (table,) = re.findall(r"<tbody>.*?unknown-model.*?</tbody>", text, re.DOTALL)
    free, unknown = sorted(re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL), key=lambda row: "unknown" in row)
    assert '<td class="num">$0</td>' in free
    assert 'title="No price is known">–' in unknown and "$" not in unknown


def test_the_first_day_shows_what_was_used_though_it_forecasts_nothing(home: Project, monkeypatch):
    today = timezone.now().astimezone(UTC).date()
    monkeypatch.setattr(plans, "cycle", lambda anchor, on: plans.Cycle(today, today + timedelta(days=30)))
    used(home, today)
    text = signed_in(home, Role.ADMIN).get(url(home, "usage")).content.decode()
    assert '<b class="figure num">111</b>' in text and "after the first whole day" in text


def test_what_it_is_filtered_by_stands_in_the_address(home: Project):
    today = timezone.now().astimezone(UTC).date()
    used(home, today)
    used(home, today, spans=7, environment="staging")
    reader = signed_in(home, Role.ADMIN)
    text = reader.get(url(home, "usage"), {"environment": "staging"}).content.decode()
    assert "18" in text and "111" not in text
    cost = reader.get(url(home, "usage"), {"show": "cost", "by": "environment"}).content.decode()
    assert "production: " in cost


@pytest.mark.parametrize(
    "query",
    [
        {"from": "x", "to": "y"}, {"from": "2026-13-01"}, {"from": "2026-05-01", "to": "2026-04-01"},
        {"last": "9"}, {"show": "all", "by": "nothing"}, {"project_id": "\0"}, {"from": "0001-01-01"},
        {"from": "2000-01-01", "to": "2199-12-31"}, {"to": "9999-12-31"}, {"model": "x" * 5000},
    ],
)  # fmt: skip
def test_addresses_that_make_no_sense(home: Project, query: dict[str, str]):
    used(home, timezone.now().astimezone(UTC).date())
    assert signed_in(home, Role.ADMIN).get(url(home, "usage"), query).status_code == 200


async def gathered(response: StreamingHttpResponse) -> bytes:
    """All of a file."""
    return b"".join([bytes(chunk) async for chunk in response.streaming_content])  # type: ignore[union-attr]


@pytest.mark.parametrize("formula", ["=1+1", " =1+1", "＝1+1"])
def test_the_file_holds_no_formula(home: Project, formula: str):
    today = timezone.now().astimezone(UTC).date()
    used(home, today, environment=formula)
    response = signed_in(home, Role.ADMIN).get(url(home, "usage.csv"))
    assert isinstance(response, StreamingHttpResponse)
    assert response.is_async  # day by day under ASGI too, where others are gathered whole
    text = async_to_sync(gathered)(response).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["environment"] for row in rows} == {f"'{formula}"}
    assert sum(int(row["units"]) for row in rows) == 111
    assert [row["cost_usd"] for row in rows] == ["", "3.500000000000"]


def test_the_hour_that_is_not_over(home: Project):
    text = signed_in(home, Role.ADMIN).get(url(home, "usage/now")).content.decode()
    assert "<b>0</b>" in text


def test_the_banner(home: Project):
    viewer = signed_in(home, Role.VIEWER)
    assert viewer.get(url(home, "usage/quota")).content.strip() == b""
    plans.assign(actor=SYSTEM, organization=home.organization, plan_id="hobby")
    used(home, timezone.now().astimezone(UTC).date(), spans=85_000)
    quotas.forget()
    assert "85 %" in viewer.get(url(home, "usage/quota")).content.decode()


# --- plans ------------------------------------------------------------------------------------------------

PLAN = {
    "name": "Developer", "currency": "USD", "base_price": "0", "included_units": "10", "price_per_100k": "0",
    "hard_limit_units": "10", "grace_hours": "0", "rate_plan": "hobby", "is_offered": "on",
}  # fmt: skip


def test_only_admins_of_the_instance_see_plans(home: Project):
    owner = signed_in(home, Role.OWNER)
    for path in ("plans", "plans/hobby", f"organizations/{home.organization_id}/plan"):
        assert owner.get(f"/instance/{path}").status_code == 404
        assert admin().get(f"/instance/{path}").status_code == 200
    assert admin().get("/instance/plans/none").status_code == 404


def test_changing_a_plan(db: None):
    client = admin()
    assert client.post("/instance/plans/hobby", PLAN).status_code == 302
    assert plans.Plan.objects.get(id="hobby").included_units == 10
    assert client.post("/instance/plans/hobby", {**PLAN, "included_units": "-1"}).status_code == 400
    assert client.post("/instance/plans/hobby", {**PLAN, "included_units": "20"}).status_code == 400


def test_assigning_and_lifting(home: Project):
    client, path = admin(), f"/instance/organizations/{home.organization_id}/plan"
    used(home, timezone.now().astimezone(UTC).date())
    client.post("/instance/plans/hobby", PLAN)
    client.post(path, {"plan": "hobby"})
    home.organization.refresh_from_db()
    assert "used up" in home.organization.over_quota
    client.post(path, {"plan": "hobby", "lifted_until": "2199-12-31"})
    home.organization.refresh_from_db()
    assert home.organization.over_quota == ""
    client.post(path, {"plan": ""})
    assert plans.plan_of(home.organization_id) is None
