"""Pages of model definitions in a project's settings: list, detail, which one a name takes, and changes."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.core.clock import from_datetime
from apps.core.errors import ApiError
from apps.organizations.access import ProjectRequest, actor, may, project_page
from apps.pricing import catalogue, forms, library, queries, services, showing
from apps.pricing.candidates import explain, similar
from apps.pricing.drafts import MAX_NAME as MAX_MODEL_NAME
from apps.pricing.drafts import read_moment
from apps.pricing.forms import ModelInput
from apps.pricing.models import ModelDefinition, Tokenizer, Unit
from apps.pricing.names import MAX_NAME, exact_forms

PAGE_SIZE = 50
OWNERS = ("all", "own", "managed")
_MAX_PAGE = 1000
_MAX_KEYS = 50
_ALIKE = 3  # models with similar names that are offered
_VERY_ALIKE = 0.65  # and from here on the prices of the first are filled in


@project_page("models:read")
@require_safe
def model_list(request: ProjectRequest, project_id: str) -> HttpResponse:
    """Every definition the project sees, searched and in pages; under htmx the table alone."""
    text = request.GET.get("q", "").replace("\0", "")[:200].strip()
    provider = request.GET.get("provider", "").replace("\0", "")[:64]
    owner = request.GET.get("owner", "")
    owner = owner if owner in OWNERS else "all"
    page = _page_number(request.GET.get("page", ""))
    found, total = queries.search_models(
        project_id, text=text, provider=provider, owner=owner,
        limit=PAGE_SIZE, offset=(page - 1) * PAGE_SIZE,
    )  # fmt: skip
    now = timezone.now()
    asked = {"q": text, "provider": provider, "owner": owner if owner != "all" else ""}
    context = {
        **_frame(request),
        "rows": [showing.row(model, now) for model in found],
        "use_query": urlencode([("id", model.id) for model in found]),
        "total": total,
        "text": text,
        "provider": provider,
        "owner": owner,
        "first": (page - 1) * PAGE_SIZE + 1,
        "last": (page - 1) * PAGE_SIZE + len(found),
        "before_url": _query(asked, page - 1) if page > 1 else "",
        "after_url": _query(asked, page + 1) if page * PAGE_SIZE < total else "",
    }
    if request.headers.get("HX-Request"):
        response = render(request, "pricing/_models.html", context)
    else:
        source = queries.managed_source()
        context |= {
            "providers": queries.providers(),
            "source": source,
            "newer": library.source() if source and source != library.source() else "",
        }
        response = render(request, "pricing/models.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


@project_page("models:read")
@require_safe
def model_detail(request: ProjectRequest, project_id: str, model_id: str) -> HttpResponse:
    """One definition: tiers, history, what it matches."""
    model = _model(project_id, model_id)
    tiers = sorted(model.tiers.all(), key=lambda tier: tier.priority)
    context = {
        **_frame(request),
        "model": model,
        "is_own": model.project_id is not None,
        "tiers": [showing.tier(model, tier) for tier in tiers],
        "by_the_million": showing.per(model.unit) == showing.MILLION,
        "revisions": showing.revisions(queries.history_of(model)),
        "periods": [each for each in queries.periods_of(model) if each.id != model.id],
        "price_version": f"{model.id}@{model.revision}",
        "use_query": urlencode({"id": model.id}),
        "names": catalogue.literal_names(model.match_pattern)[:20],
    }
    return render(request, "pricing/model.html", context)


@project_page("models:read")
@require_safe
def test_name(request: ProjectRequest, project_id: str) -> HttpResponse:
    """Which definition a model name would take, and why; under htmx the answer alone."""
    name = request.GET.get("name", "").replace("\0", "").strip()
    typed = request.GET.get("at", "").strip()[:40]
    context: dict[str, Any] = {**_frame(request), "name": name, "at": typed, "max_name": MAX_NAME}
    try:
        moment = read_moment(typed) or timezone.now()
    except ApiError:
        context["problem"] = _("“%(text)s” is not a date. Write it as 2026-11-21.") % {"text": typed}
    else:
        if len(name) > MAX_NAME:
            context["problem"] = _("Names longer than %(n)s characters never take a price.") % {"n": MAX_NAME}
        elif name:
            context |= _explained(project_id, name, from_datetime(moment))
    partial = request.headers.get("HX-Request")
    template = "pricing/_test_answer.html" if partial else "pricing/test_name.html"
    response = render(request, template, context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _explained(project_id: str, name: str, at: int) -> dict[str, Any]:
    prices = catalogue.current()
    found = explain(prices, project_id, name, at)
    alike = [] if found.taken else similar(prices, name, _ALIKE)
    return {"found": found, "readings": found.readings[:30], "alike": alike, "at_micros": at}


@project_page("models:CUD")
def new_model(request: ProjectRequest, project_id: str) -> HttpResponse:
    """A definition of the project's own: empty, a copy (`from`), or for a name that was seen (`name`)."""
    if request.method == "POST":
        given = forms.of_post(request.POST)
        draft = forms.draft_of(given)
        if draft is not None:
            try:
                made = services.create_model(actor=actor(request), project=request.project, draft=draft)
            except ApiError as error:
                forms.refuse(given, error)
            else:
                messages.success(request, _("Saved. Calls from now on are priced by it."))
                return redirect("pricing:model", project_id, made.id)
        return _form(request, given, {})
    return _form(request, *_prefilled(request, project_id))


def _prefilled(request: ProjectRequest, project_id: str) -> tuple[ModelInput, dict[str, Any]]:
    """The form as asked for. For a name that was seen, the prices of a model that is nearly called so are
    proposed, unless one was chosen (`from`, which may be empty)."""
    name = request.GET.get("name", "").replace("\0", "").strip()[:MAX_NAME]
    chosen = request.GET.get("from")
    prices = catalogue.current()
    if chosen is None and name:
        chosen = next((near.id for near in similar(prices, name, 1, _VERY_ALIKE)), "")
    source = queries.find_model(project_id, chosen or "")
    given = forms.of_model(source) if source else ModelInput()
    given.revision = ""
    if name:
        given.name, given.pattern, given.start = name[:MAX_MODEL_NAME], _pattern_for(name), ""
    keys = [key for key in request.GET.getlist("key")[:_MAX_KEYS] if key != "total"]
    if source is None:
        given.tiers = forms.of_keys(keys or ["input", "output"])
    alike = similar(prices, name, _ALIKE) if name else []
    again = urlencode([("name", name), *(("key", key) for key in keys)])
    return given, {"source": source, "alike": alike, "seen_name": name, "again_query": again}


def _pattern_for(name: str) -> str:
    """A pattern for this very name, whatever gateway stands before it."""
    return f"(?i)^({library.escaped(exact_forms(name)[-1].name)})$"


@project_page("models:CUD")
def edit_model(request: ProjectRequest, project_id: str, model_id: str) -> HttpResponse:
    """Give one of the project's own definitions other contents."""
    model = _own(project_id, model_id)
    if request.method != "POST":
        return _form(request, forms.of_model(model), {"model": model})
    given = forms.of_post(request.POST)
    if given.revision != str(model.revision):
        given.errors[""] = _(
            "Somebody changed this model meanwhile. Open it again and change what is there now."
        )
        return _form(request, given, {"model": model})
    draft = forms.draft_of(given, config=model.tokenizer_config)
    if draft is not None:
        try:
            services.replace_model(actor=actor(request), project=request.project, model=model, draft=draft)
        except ApiError as error:
            forms.refuse(given, error)
        else:
            messages.success(request, _("Saved. Calls from now on are priced by it."))
            return redirect("pricing:model", project_id, model.id)
    return _form(request, given, {"model": model})


@project_page("models:CUD")
@require_POST
def delete_model(request: ProjectRequest, project_id: str, model_id: str) -> HttpResponse:
    """Remove one of the project's own definitions; its history stays."""
    model = _own(project_id, model_id)
    name = model.name
    services.delete_model(actor=actor(request), project=request.project, model=model)
    messages.success(request, _("The model %(name)s was deleted.") % {"name": name})
    return redirect("pricing:models", project_id)


def _form(request: ProjectRequest, given: ModelInput, extra: dict[str, Any]) -> HttpResponse:
    context = {
        **_frame(request),
        "given": given,
        "units": Unit.choices,
        "tokenizers": Tokenizer.choices,
        **extra,
    }
    return render(request, "pricing/model_form.html", context, status=400 if given.errors else 200)


def _frame(request: ProjectRequest) -> dict[str, Any]:
    """What the tabs of the settings and the buttons need."""
    return {
        "tab": "models",
        "may_see_keys": may(request, "apiKeys:read"),
        "may_change": may(request, "models:CUD"),
    }


def _model(project_id: str, model_id: str) -> ModelDefinition:
    model = queries.find_model(project_id, model_id)
    if model is None:
        raise Http404
    return model


def _own(project_id: str, model_id: str) -> ModelDefinition:
    model = _model(project_id, model_id)
    if model.project_id is None:
        raise Http404
    return model


def _page_number(text: str) -> int:
    return min(max(int(text), 1), _MAX_PAGE) if text.isdecimal() and len(text) < 6 else 1


def _query(asked: dict[str, str], page: int) -> str:
    pairs = {key: value for key, value in asked.items() if value}
    return f"?{urlencode({**pairs, 'page': page} if page > 1 else pairs)}"
