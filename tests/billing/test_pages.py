"""Pages of billing: ADMIN reads, OWNER changes, strangers find nothing; files are safe to open."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django.test import Client
from reportlab.pdfbase import pdfmetrics

from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.billing import closing, drafts, fonts, services
from apps.billing.models import Account, Entry, Invoice
from apps.billing.periods import day_of, midnight, period_at
from apps.organizations.models import Organization
from apps.usage import plans
from apps.usage.models import Plan
from tests import factories
from tests.billing.plans import TERMS, make_plans, meter, metered_until, on_plan

pytestmark = pytest.mark.django_db
ROLES = ("OWNER", "ADMIN", "MEMBER", "VIEWER", "NONE")


def _now() -> datetime:
    return datetime.now(UTC)


def _today() -> date:
    return day_of(_now())


@pytest.fixture(autouse=True)
def ready() -> None:
    make_plans()
    metered_until(_now() + timedelta(days=1))


@pytest.fixture
def organization() -> Organization:
    """On a plan for two whole periods, both billed, and some days of a third."""
    current = period_at(date(2026, 1, 1), _today())
    before = period_at(date(2026, 1, 1), current.start - timedelta(days=40))
    made = on_plan("pro", before.start, organization=factories.organization("Meridian"))
    meter(made, before.start, 450_000)
    meter(made, current.start, 12_345, hour=0)
    closing.close(made, midnight(current.start) + timedelta(hours=2))
    return made


def _as(organization: Organization, role: str) -> Client:
    client = Client()
    client.force_login(factories.member(organization, role))
    return client


def _path(organization: Organization, rest: str = "") -> str:
    return f"/organization/{organization.id}/settings/billing{rest}"


def _order(plan: str, **more: str) -> dict[str, str]:
    return {"plan": plan, "day": _today().isoformat(), "once": "5d1f5df4-76cc-4a4f-b7b2-8b7d26e3a5b5", **more}


def test_the_page_shows_plan_period_and_invoices(organization: Organization) -> None:
    page = _as(organization, "ADMIN").get(_path(organization)).content.decode()
    draft = drafts.current(organization, _now())
    assert draft is not None and draft.units == 12_345
    for text in ("Pro", "12,345", "200,000", "$199.00", "$209.00", "LF-000001", "LF-000002", "Draft"):
        assert text in page
    assert "Change plan" not in page and '<form class="card"' not in page  # for owners
    assert "Change plan" in _as(organization, "OWNER").get(_path(organization)).content.decode()


def test_without_a_plan_nothing_is_charged() -> None:
    made = factories.organization(owner=factories.user())
    assert "Nothing is charged" in _as(made, "OWNER").get(_path(made)).content.decode()


@pytest.mark.parametrize(
    ("method", "rest", "least"),
    [
        ("get", "", "ADMIN"),
        ("get", "/invoices.csv", "ADMIN"),
        ("get", "/invoices/1.pdf", "ADMIN"),
        ("get", "/invoices/1.csv", "ADMIN"),
        ("get", "/plan", "OWNER"),
        ("post", "/plan/change", "OWNER"),
        ("post", "/details", "OWNER"),
        ("post", "/portal", "OWNER"),
    ],
)
def test_who_may(organization: Organization, method: str, rest: str, least: str) -> None:
    for role in ROLES:
        answer = getattr(_as(organization, role), method)(_path(organization, rest))
        allowed = ROLES.index(role) <= ROLES.index(least)
        assert (answer.status_code != 403) == allowed, role
    stranger = Client()
    stranger.force_login(factories.user(admin=True))
    assert getattr(stranger, method)(_path(organization, rest)).status_code == 404
    assert getattr(Client(), method)(_path(organization, rest)).url.startswith("/auth/sign-in")


def test_anothers_invoice_is_not_there(organization: Organization) -> None:
    other = factories.organization(owner=factories.user())
    client = _as(other, "OWNER")
    for ending in ("pdf", "csv"):
        assert client.get(_path(other, f"/invoices/1.{ending}")).status_code == 404
    assert len(client.get(_path(other, "/invoices.csv")).content.decode().splitlines()) == 1


def test_a_change_is_previewed_then_done(organization: Organization) -> None:
    client = _as(organization, "OWNER")
    page = client.get(_path(organization, "/plan?plan=team")).content.decode()
    change = drafts.preview(organization, Plan.objects.get(id="team"), _now())
    before = drafts.current(organization, _now())
    assert f"${change.charged / 100:,.2f}" in page and f"−${change.credited / 100:,.2f}" in page
    form = dict(re.findall(r'type="hidden" name="(plan|day|once)" value="([^"]+)"', page))
    assert client.post(_path(organization, "/plan/change"), form).url == _path(organization)
    after = drafts.current(organization, _now())
    assert before is not None and after is not None
    assert after.bills[0].sum_of("base") - before.bills[0].sum_of("base") == change.difference
    assert plans.plan_of(organization.id).plan_id == "team"
    assert AuditEntry.objects.filter(resource_type="organizationPlan").exists()
    again = client.post(_path(organization, "/plan/change"), form)
    assert again.status_code == 409 and "already" in again.content.decode()


def test_a_plan_that_keeps_less_says_so_before(organization: Organization) -> None:
    client = _as(organization, "OWNER")
    for pro, team, is_told in (
        (None, 30, True),
        (90, 30, True),
        (30, 30, False),
        (30, 90, False),
        (30, None, False),
    ):
        Plan.objects.filter(id="pro").update(retention_days=pro)
        Plan.objects.filter(id="team").update(retention_days=team)
        page = client.get(_path(organization, "/plan?plan=team")).content.decode()
        assert ("14 days after the change" in page) == is_told, (pro, team)


def test_a_first_plan_begins_today() -> None:
    made = factories.organization(owner=factories.user())
    client = _as(made, "OWNER")
    assert "Choose a plan" in client.get(_path(made)).content.decode()
    assert client.post(_path(made, "/plan/change"), _order("pro")).status_code == 302
    draft = drafts.current(made, _now())
    assert draft is not None and draft.period.start == _today() and draft.bills[0].total == TERMS["pro"][1]


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({}, 400),
        (_order("team", day="yesterday"), 400),
        (_order("team", once="x"), 400),
        (_order("team", day="2026-01-01"), 409),  # previewed before midnight
        (_order("nothing"), 404),
        (_order("hidden"), 404),
        (_order("euro"), 400),
    ],
)
def test_refused_changes(organization: Organization, form: dict[str, str], status: int) -> None:
    Plan.objects.create(id="hidden", name="Hidden", is_offered=False)
    Plan.objects.create(id="euro", name="Euro", currency="EUR")
    answer = _as(organization, "OWNER").post(_path(organization, "/plan/change"), form)
    assert answer.status_code == status
    assert plans.plan_of(organization.id).plan_id == "pro"


def test_who_pays(organization: Organization) -> None:
    client = _as(organization, "OWNER")
    form = {
        "company": " Meridian Ltd ", "tax_id": "IE1", "address": "1 Way\r\nDublin", "country": "Ireland",
        "contacts": "a@example.org, B@example.org",
    }  # fmt: skip
    assert client.post(_path(organization, "/details"), form).status_code == 302
    account = Account.objects.get(organization=organization)
    assert account.company == "Meridian Ltd" and account.address == "1 Way\nDublin"
    assert account.contacts == ["a@example.org", "b@example.org"]
    entry = AuditEntry.objects.get(resource_type="billingDetails")
    assert entry.after["tax_id"] == "IE1" and entry.organization_id == organization.id
    bad = client.post(_path(organization, "/details"), {**form, "contacts": "<script>"})
    assert bad.status_code == 400 and "&lt;script&gt; is no e-mail address" in bad.content.decode()
    many = "\n".join(f"a{n}@example.org" for n in range(11))
    assert client.post(_path(organization, "/details"), {**form, "contacts": many}).status_code == 400
    assert client.post(_path(organization, "/details"), {**form, "company": "x" * 201}).status_code == 400


def test_files_hold_what_the_invoice_does(organization: Organization) -> None:
    client = _as(organization, "ADMIN")
    answer = client.get(_path(organization, "/invoices/1.csv"))
    assert answer["Content-Disposition"] == 'attachment; filename="LF-000001.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [(row["kind"], row["amount"]) for row in rows] == [
        ("base", "199.00"), ("usage", "10.00"), ("total", "209.00"),
    ]  # fmt: skip
    everything = client.get(_path(organization, "/invoices.csv")).content.decode("utf-8-sig")
    assert [row["total"] for row in csv.DictReader(io.StringIO(everything))] == ["199.00", "209.00"]
    assert client.get(_path(organization, "/invoices/1.pdf")).content.startswith(b"%PDF-")
    assert client.get(_path(organization, "/invoices/77.pdf")).status_code == 404
    assert client.get(_path(organization, f"/invoices/{10**30}.pdf")).status_code == 404


def test_nothing_typed_becomes_a_formula(organization: Organization) -> None:
    services.set_details(
        actor=SYSTEM, organization=organization, company='=HYPERLINK("http://x")', address="", country="",
        tax_id="", contacts=[],
    )  # fmt: skip
    services.set_rates(
        actor=SYSTEM, organization=organization, discount=1_000, discount_note="+1", tax=0, tax_name=""
    )
    period = period_at(date(2026, 1, 1), _today())
    metered_until(_now() + timedelta(days=60))
    closing.close(organization, midnight(period.end) + timedelta(hours=2))
    client = _as(organization, "ADMIN")
    everything = client.get(_path(organization, "/invoices.csv")).content.decode("utf-8-sig")
    newest = next(csv.DictReader(io.StringIO(everything)))
    assert newest["billed to"].startswith("'=HYPERLINK")
    assert newest["discount"] == "-19.90"  # a number stays one


def test_a_pdf_in_chinese(organization: Organization) -> None:
    from reportlab import rl_config

    services.set_details(
        actor=SYSTEM, organization=organization, company="子午线旅行 <b>", address="上海市", country="中国",
        tax_id="", contacts=[],
    )  # fmt: skip
    period = period_at(date(2026, 1, 1), _today())
    metered_until(_now() + timedelta(days=60))
    closing.close(organization, midnight(period.end) + timedelta(hours=2))
    number = Invoice.objects.latest("number").number
    client = _as(organization, "ADMIN")
    client.cookies["django_language"] = "zh-hans"
    rl_config.pageCompression, before = 0, rl_config.pageCompression
    try:
        made = client.get(_path(organization, f"/invoices/{number}.pdf")).content
    finally:
        rl_config.pageCompression = before
    assert made.count(b"/FontFile2") >= 2  # embedded: not every reader brings Chinese letters
    assert b"STSong-Light" not in made


def test_an_address_is_a_few_lines(organization: Organization) -> None:
    client = _as(organization, "OWNER")
    lines = [f"Line {n}" for n in range(9)]
    refused = client.post(_path(organization, "/details"), {"address": "\r\n".join(lines)})
    assert refused.status_code == 400 and "at most 8 lines" in refused.content.decode()
    assert (
        client.post(_path(organization, "/details"), {"address": "\r\n".join(lines[:8])}).status_code == 302
    )


@pytest.mark.parametrize("address", ["x\n" * 60, "x\n" * 499, "上海市" * 333, "W" * 1000])
def test_a_pdf_of_any_address(organization: Organization, address: str) -> None:
    services.set_details(
        actor=SYSTEM, organization=organization, company="子" * 200, address=address, country="中" * 100,
        tax_id="", contacts=[],
    )  # fmt: skip
    period = period_at(date(2026, 1, 1), _today())
    metered_until(_now() + timedelta(days=60))
    closing.close(organization, midnight(period.end) + timedelta(hours=2))
    number = Invoice.objects.latest("number").number
    made = _as(organization, "ADMIN").get(_path(organization, f"/invoices/{number}.pdf"))
    assert made.status_code == 200 and made.content.startswith(b"%PDF-")


def test_letters_are_embedded_in_a_font_that_has_them() -> None:
    names = fonts.embed("发票Łőşж₹发\U0001f600")
    assert set(names) == set("发票Łőşж₹")  # of the rest some readers know more
    for letter, name in names.items():
        assert ord(letter) in pdfmetrics.getFont(name).face.charToGlyph


def test_ranges_of_letters_as_style_sheets_write_them() -> None:
    assert fonts.ranges_of("U+460-52f, U+2116,U+4??") == ((0x460, 0x52F), (0x2116, 0x2116), (0x400, 0x4FF))


# --- whoever runs the instance ------------------------------------------------------------------------


def _admin() -> Client:
    client = Client()
    client.force_login(factories.user(admin=True))
    return client


def test_the_instance_sees_who_owes_what(organization: Organization) -> None:
    page = _admin().get("/instance/billing").content.decode()
    assert "Meridian" in page and "$408.00" in page
    assert "LF-000001" in _admin().get("/instance/billing/invoices.csv").content.decode()


def test_settling(organization: Organization) -> None:
    client = _admin()
    where = f"/instance/billing/organizations/{organization.id}"
    assert client.post("/instance/billing/invoices/1/settle", {"as": "paid", "note": "wire"}).url == where
    client.post("/instance/billing/invoices/2/settle", {"as": "void", "note": ""})
    assert Invoice.objects.get(number=2).state == "issued"  # no reason, no void
    client.post("/instance/billing/invoices/2/settle", {"as": "void", "note": "wrong plan"})
    client.post("/instance/billing/invoices/2/settle", {"as": "paid"})
    assert list(Invoice.objects.order_by("number").values_list("state", flat=True)) == ["paid", "void"]
    assert sum(Entry.objects.values_list("amount", flat=True)) == 0
    page = client.get(where).content.decode()
    assert "wrong plan" in page and "owes nothing" in page
    assert client.post("/instance/billing/invoices/99/settle", {"as": "paid"}).status_code == 404


def test_rates(organization: Organization) -> None:
    client = _admin()
    where = f"/instance/billing/organizations/{organization.id}"
    form = {"discount": "20", "discount_note": "Launch", "tax": "7.5", "tax_name": "VAT"}
    assert client.post(f"{where}/rates", form).status_code == 302
    account = Account.objects.get(organization=organization)
    assert (account.discount, account.tax, account.tax_name) == (2_000, 750, "VAT")
    assert AuditEntry.objects.get(resource_type="billingRates").after["discount"] == 2_000
    for bad in ({"discount": "101"}, {"tax": "abc"}, {"tax": "-1"}):
        assert client.post(f"{where}/rates", {**form, **bad}).status_code == 400
    page = _as(organization, "ADMIN").get(_path(organization)).content.decode()
    assert "Discount 20%, Launch" in page and "VAT 7.5%" in page


@pytest.mark.parametrize(
    "path", ["/instance/billing", "/instance/billing/organizations/{o}", "/instance/billing/invoices.csv"]
)
def test_only_the_instances_admins(organization: Organization, path: str) -> None:
    assert _as(organization, "OWNER").get(path.format(o=organization.id)).status_code == 404
    assert _as(organization, "OWNER").post("/instance/billing/invoices/1/settle").status_code == 404
    assert Client().get(path.format(o=organization.id)).url.startswith("/auth/sign-in")


def test_invoices_of_an_organization_that_is_gone(organization: Organization) -> None:
    id_ = organization.id
    organization.delete()
    page = _admin().get(f"/instance/billing/organizations/{id_}")
    assert page.status_code == 200 and "Meridian" in page.content.decode()
    assert _admin().get("/instance/billing/organizations/%00").status_code == 404
    assert _admin().get("/instance/billing/organizations/nobody").status_code == 404
