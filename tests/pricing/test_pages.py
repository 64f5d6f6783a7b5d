"""Pages of models: they show, test, copy, make, change and delete, and refuse whoever may not."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from django.test import Client

from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.organizations.models import Membership, Project, Role
from apps.pricing import catalogue, library, queries, seed, services
from apps.pricing.drafts import read_draft
from apps.pricing.models import ModelDefinition, PriceRevision
from apps.pricing.pricing import price
from tests import factories

pytestmark = pytest.mark.django_db
FORM = {
    "name": "house-7b",
    "pattern": "(?i)^(house-7b)$",
    "unit": "TOKENS",
    "start": "",
    "tokenizer": "",
    "per": "1000000",
    "revision": "",
    "tier": ["0"],
    "tier-0-name": "Standard",
    "tier-0-keys": ["input input_tokens", "output"],
    "tier-0-price": ["0.20", "0.60"],
}
SECOND_TIER = {
    "tier": ["0", "1"],
    "tier-1-name": "x",
    "tier-1-priority": "5",
    "tier-1-keys": ["input"],
    "tier-1-price": ["1"],
}


@dataclass
class Settings:
    """A member of a project, and the pages of its models."""

    client: Client
    project: Project

    @property
    def path(self) -> str:
        return f"/project/{self.project.id}/settings/models"

    def text(self, path: str = "", status: int = 200, **headers: str) -> str:
        response = self.client.get(self.path + path, headers=headers or None)
        assert response.status_code == status, response.content
        return response.content.decode()

    def post(self, path: str, status: int = 302, **changed: object) -> str:
        response = self.client.post(self.path + path, {**FORM, **changed})
        assert response.status_code == status, response.content.decode()
        return response.url if status == 302 else response.content.decode()


@pytest.fixture(scope="module")
def openai() -> list[library.SeedModel]:
    return [model for model in library.read() if model.provider in ("openai", "google", "deepseek")]


@pytest.fixture
def settings_pages(client: Client, openai: list[library.SeedModel]) -> Settings:
    seed.apply(openai)
    person = factories.user("ines@example.org")
    client.force_login(person)
    yield Settings(client, factories.project(owner=person))
    catalogue.forget()


def as_role(pages: Settings, role: str) -> None:
    person = factories.user(f"{role.lower()}@example.org")
    Membership.objects.create(organization=pages.project.organization, user=person, role=role)
    pages.client.force_login(person)


def test_the_list_is_searched_filtered_and_paged(settings_pages: Settings) -> None:
    text = settings_pages.text()
    assert "1–50 of" in text and "page=2" in text
    text = settings_pages.text("?q=gpt-4o-mini")
    assert "gpt-4o-mini" in text and "$0.15" in text and "$0.60" in text and "$0.075" in text
    assert "gemini" not in settings_pages.text("?q=gpt&provider=openai")
    assert "No model is called so" in settings_pages.text("?q=zebra")
    assert "<html" not in settings_pages.text("?q=gpt", **{"HX-Request": "true"})
    settings_pages.post("/new")
    own = settings_pages.text("?owner=own")
    assert "house-7b" in own and "gpt-4o" not in own
    assert "house-7b" not in settings_pages.text("?owner=managed&q=house")
    assert settings_pages.text().index("house-7b") < settings_pages.text().index("gpt-")


@pytest.mark.parametrize(
    "query", ["?page=0", "?page=x", "?page=99999", "?owner=nobody", "?q=%00", "?provider=%00x"]
)
def test_odd_questions_are_answered(settings_pages: Settings, query: str) -> None:
    settings_pages.text(query)


def test_a_managed_model_with_tiers_and_history(settings_pages: Settings) -> None:
    text = settings_pages.text("/definition/" + quote("google:gemini-2.5-pro"))
    assert "usage (input|prompt|cache) &gt; 200000" in text
    assert "$1.25" in text and "$2.50" in text and "input_cached_tokens" in text and "$0.035 each" in text
    assert "google:gemini-2.5-pro@1" in text and "Clone into this project" in text
    assert "/edit" not in text and "delete-model" not in text
    dated = ModelDefinition.objects.filter(id__startswith="deepseek:deepseek-v4-pro").exclude(start_date=None)
    assert "prices from" in settings_pages.text("/definition/deepseek:deepseek-v4-pro")
    assert "prices before" in settings_pages.text("/definition/" + quote(dated[0].id))
    settings_pages.text("/definition/nothing", status=404)
    settings_pages.text("/definition/%00", status=404)


def test_a_name_is_explained(settings_pages: Settings) -> None:
    text = settings_pages.text("/test?name=" + quote("openai/gpt-4o-2024-08-06"))
    assert "takes" in text and "gpt-4o" in text and "Candidates" in text
    settings_pages.post("/new", name="mine", pattern="gpt-4o")
    catalogue.forget()
    text = settings_pages.text("/test?name=gpt-4o")
    assert "own come first" in text
    text = settings_pages.text("/test?name=gpt-4o-ultra", **{"HX-Request": "true"})
    assert "mine" in text and "<html" not in text
    text = settings_pages.text("/test?name=zebra")
    assert "No definition takes this name" in text and "/new?name=zebra" in text
    assert "not a date" in settings_pages.text("/test?name=gpt-4o&at=tomorrow")
    assert "never take" in settings_pages.text("/test?name=" + "x" * 301)
    settings_pages.text("/test?name=%00&at=%00")


def test_a_model_is_made_changed_and_deleted(settings_pages: Settings) -> None:
    url = settings_pages.post("/new")
    model = ModelDefinition.objects.get(project_id=settings_pages.project.id)
    assert url == f"{settings_pages.path}/definition/{model.id}"
    usage = {"input": 10, "input_tokens": 1, "output": 2}
    project_id = settings_pages.project.id
    found = price(project_id, "gateway/house-7b", usage, {}, "", {}, catalogue.current())
    assert found.total_cost == Decimal("0.0000034")
    form = settings_pages.text(f"/definition/{model.id}/edit")
    assert 'value="0.2"' in form and "input input_tokens" in form and 'name="revision" value="1"' in form
    tier = {
        "tier": ["0", "3"], "tier-3-name": "Large", "tier-3-priority": "1",
        "tier-3-conditions": "usage input > 1000\r\nhours 00:00-06:00",
        "tier-3-keys": ["input"], "tier-3-price": ["0.4"],
    }  # fmt: skip
    settings_pages.post(
        f"/definition/{model.id}/edit", revision="1", tokenizer="openai", tokenizer_model="gpt-4o", **tier
    )
    model.refresh_from_db()
    assert model.revision == 2 and model.tokenizer_config["tokenizerModel"] == "gpt-4o"
    text = settings_pages.text(f"/definition/{model.id}")
    assert "usage input &gt; 1000" in text and "hours 00:00-06:00" in text and "Large input" in text
    assert "changed this model meanwhile" in settings_pages.post(
        f"/definition/{model.id}/edit", 400, revision="1"
    )
    settings_pages.client.post(f"{settings_pages.path}/definition/{model.id}/delete")
    assert not ModelDefinition.objects.filter(id=model.id).exists()
    assert PriceRevision.objects.filter(definition_id=model.id).count() == 2
    actions = AuditEntry.objects.filter(resource_type="model").order_by("id").values_list("action", flat=True)
    assert list(actions) == ["create", "update", "delete"]


def test_a_clone_prices_every_call_as_the_managed_one_does(settings_pages: Settings) -> None:
    form = settings_pages.text("/new?from=" + quote("google:gemini-2.5-pro"))
    assert "A copy of gemini-2.5-pro" in form
    settings_pages.post("/new", **fields_of(form))
    own = ModelDefinition.objects.get(project_id=settings_pages.project.id)
    catalogue.forget()
    prices = catalogue.current()
    for usage in (
        {"input": 250_000, "input_cached_tokens": 7, "output": 9, "output_reasoning_tokens": 4},
        {"prompt_token_count": 12, "candidates_token_count": 9, "input_audio": 3},
    ):
        mine = price(settings_pages.project.id, "gemini-2.5-pro", usage, {}, "", {}, prices)
        managed = price("another", "gemini-2.5-pro", usage, {}, "", {}, prices)
        assert mine.model_id == own.id and managed.model_id == "google:gemini-2.5-pro"
        assert mine.cost == managed.cost and mine.pricing_tier_name == managed.pricing_tier_name


class _Form(HTMLParser):
    """Collects the fields of a model's form; what stands in templates is none of it."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, list[str]] = {}
        self._within, self._in_template, self._area = False, 0, ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        self._within |= "data-model-form" in values
        self._in_template += tag == "template"
        name = values.get("name", "")
        if not self._within or self._in_template or not name or name == "csrfmiddlewaretoken":
            return
        if tag in ("input", "textarea"):
            self.fields.setdefault(name, []).append(values.get("value", ""))
        self._area = name if tag == "textarea" else ""

    def handle_endtag(self, tag: str) -> None:
        self._in_template -= tag == "template"
        self._within &= tag != "form"
        self._area = "" if tag == "textarea" else self._area

    def handle_data(self, data: str) -> None:
        if self._area:
            self.fields[self._area][-1] += data


def fields_of(html: str) -> dict[str, list[str]]:
    """What a browser would send back of the form, untouched."""
    form = _Form()
    form.feed(html)
    return form.fields


def test_a_seen_name_gets_a_form_of_its_own(settings_pages: Settings) -> None:
    form = settings_pages.text(
        "/new?name=" + quote("acme/kestrel-reranker-v2") + "&key=input&key=total&key=pages"
    )
    assert "(?i)^(kestrel-reranker-v2)$" in form
    assert ">pages</textarea>" in form and ">total</textarea>" not in form
    proposed = settings_pages.text("/new?name=gpt-4o-mini-pro&key=input")
    assert "a proposal" in proposed and 'value="0.15"' in proposed
    assert 'value="0.15"' not in settings_pages.text("/new?name=gpt-4o-mini-pro&key=input&from=")
    fields = fields_of(proposed)
    settings_pages.post("/new", **fields)
    catalogue.forget()
    assert catalogue.current().resolve(settings_pages.project.id, "openai/gpt-4o-mini-pro") is not None


def test_any_usage_key_survives_the_form(settings_pages: Settings) -> None:
    keys = ["a key", "one,two", 'quo"ted', "plain", "\\back"]
    draft = read_draft(
        {
            "modelName": "odd",
            "matchPattern": "odd",
            "startDate": "2026-11-21T08:30:00Z",
            "pricingTiers": [{"name": "Base", "isDefault": True, "prices": dict.fromkeys(keys, 0.5)}],
        }
    )
    made = services.create_model(actor=SYSTEM, project=settings_pages.project, draft=draft)
    path = f"/definition/{made.id}/edit"
    settings_pages.post(
        path, **{**fields_of(settings_pages.text(path)), "unit": ["IMAGES"], "per": ["1000000"]}
    )
    made.refresh_from_db()
    assert made.revision == 2 and made.unit == "IMAGES" and made.start_date == draft.start_date
    assert made.tiers.get().prices == dict.fromkeys(keys, Decimal("0.5"))
    bad = {"tier-0-keys": ['"open \\x"', ""], "tier-0-price": ["1", ""], "revision": "2"}
    assert "not well quoted" in settings_pages.post(path, 400, **bad)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": ""}, "Must be a text of 1 to 200 characters"),
        ({"pattern": "(["}, "Is not a valid regular expression"),
        ({"pattern": "((a{1000}){1000}){1000}"}, "come to too many"),
        ({"start": "tomorrow"}, "Must be a date"),
        ({"unit": "POUNDS"}, "Must be one of TOKENS"),
        ({"tokenizer": "abacus"}, "Must be one of openai"),
        ({"tier-0-price": ["cheap", ""]}, "is not a price"),
        ({"tier-0-price": ["-1", ""]}, "is not a price"),
        ({"tier-0-price": ["NaN", ""]}, "is not a price"),
        ({"tier-0-price": ["", ""]}, "has no price"),
        ({"tier-0-keys": ["input", "input"]}, "has two prices"),
        ({"tier": []}, "needs prices"),
        ({"tier": ["0", "1"]}, "priority must be a whole number"),
        ({**SECOND_TIER, "tier-1-priority": "²"}, "priority must be a whole number"),
        (SECOND_TIER, "at least one condition"),
        ({**SECOND_TIER, "tier-1-conditions": "when cheap"}, "is not a condition"),
        ({**SECOND_TIER, "tier-1-priority": "1000", "tier-1-conditions": "usage input > 1"}, "1 to 999"),
    ],
)  # fmt: skip
def test_what_is_refused_is_said_and_kept(settings_pages: Settings, changed: dict, said: str) -> None:
    text = settings_pages.post("/new", 400, **changed)
    assert said in text
    assert not ModelDefinition.objects.exclude(project_id=None).exists()


def test_a_definition_and_its_prices_are_refused_together(settings_pages: Settings) -> None:
    wrong = {"name": "", "tier-0-price": ["cheap", ""]}
    text = settings_pages.post("/new", 400, **wrong)
    assert "Must be a text of 1 to 200 characters" in text and "is not a price" in text


def test_what_is_refused_is_said_in_chinese(settings_pages: Settings) -> None:
    settings_pages.client.cookies["django_language"] = "zh-hans"
    text = settings_pages.post("/new", 400, pattern="([", **{"tier-0-price": ["1", ""]})
    assert "不是有效的正则表达式" in text


def test_a_name_is_taken_once(settings_pages: Settings) -> None:
    settings_pages.post("/new")
    assert "already" in settings_pages.post("/new", 400)


def test_who_may_not_change_sees_and_is_refused(settings_pages: Settings) -> None:
    settings_pages.post("/new")
    own = ModelDefinition.objects.get(project_id=settings_pages.project.id)
    as_role(settings_pages, Role.MEMBER)
    assert "New model" not in settings_pages.text() and "/edit" not in settings_pages.text(
        f"/definition/{own.id}"
    )
    settings_pages.text("/test?name=zebra")
    for path in ("/new", f"/definition/{own.id}/edit", f"/definition/{own.id}/delete"):
        assert settings_pages.client.post(settings_pages.path + path, FORM).status_code == 403
    as_role(settings_pages, Role.NONE)
    settings_pages.text("", status=404)


def test_managed_and_other_projects_models_are_not_there_to_change(settings_pages: Settings) -> None:
    other = factories.project(factories.organization("Other"))
    foreign = ModelDefinition.objects.create(id="foreign", project_id=other.id, name="x", match_pattern="x")
    for model_id in ("openai:gpt-4o", foreign.id):
        for path in ("edit", "delete"):
            response = settings_pages.client.post(f"{settings_pages.path}/definition/{model_id}/{path}", FORM)
            assert response.status_code == 404
    settings_pages.text("/definition/foreign", status=404)
    assert settings_pages.client.get(
        f"{settings_pages.path}/definition/openai:gpt-4o/delete"
    ).status_code in (404, 405)


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("gpt-5.1-codex-mini", (5, 1)),
        ("claude-sonnet-4-5", (4, 5)),
        ("gpt-4o-2024-05-13", (4, 0)),
        ("aws/global.anthropic.claude-opus-4-10-v1:0", (4, 10)),
        ("mixtral-8x7b", (0, 0)),
        ("gpt-oss-120b", (0, 0)),
        ("mistral-large-2512", (0, 0)),
        ("gemma-4-26b-a4b-it", (4, 0)),
        ("davinci", (0, 0)),
    ],
)
def test_names_tell_their_generation(name: str, version: tuple[int, int]) -> None:
    assert queries.generation(name) == version


def test_current_models_stand_before_old_ones() -> None:
    project = factories.project()
    names = "davinci", "gpt-4-mini", "gpt-5.1", "gpt-5.1-mini"
    made = [ModelDefinition(name=name, provider="openai", rank=rank) for rank, name in enumerate(names)]
    made.append(ModelDefinition(name="claude-9", provider="anthropic", rank=library.RANKS_EACH))
    made.append(ModelDefinition(name="house", project_id=project.id))
    for model in made:
        model.match_pattern, model.unit = f"^{model.name}$", "TOKENS"
    ModelDefinition.objects.bulk_create(made)
    found, total = queries.search_models(project.id, text="", provider="", owner="", limit=4, offset=0)
    assert [model.name for model in found] == ["house", "gpt-5.1", "gpt-5.1-mini", "gpt-4-mini"]
    rest, total = queries.search_models(project.id, text="", provider="", owner="", limit=4, offset=4)
    assert [model.name for model in rest] == ["davinci", "claude-9"] and total == 6
