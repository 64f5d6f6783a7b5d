"""Forms of budgets and plans. They parse; services check and refuse."""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.organizations import limits
from apps.organizations.models import ApiKey, Organization, Project
from apps.usage import budgets
from apps.usage.alerts import dollars
from apps.usage.budget_models import Budget, Measure, OrganizationPlan, Plan, Scope, Window
from apps.usage.rules import MAX_SUBJECT

_OFF = {"autocomplete": "off"}


class BudgetForm(forms.Form):
    """A budget."""

    name = forms.CharField(label=_("Name"), max_length=100, widget=forms.TextInput(attrs=_OFF))
    scope = forms.ChoiceField(label=_("Limits"), choices=Scope.choices)
    project = forms.ChoiceField(
        label=_("Project"),
        required=False,
        help_text=_("Only what is sent there counts. A budget of a project needs one."),
    )
    key = forms.ChoiceField(label=_("API key"), required=False)
    value = forms.CharField(
        label=_("User, model or tag"),
        required=False,
        max_length=MAX_SUBJECT,
        help_text=_("Empty: each of them has the limit for itself."),
        widget=forms.TextInput(attrs={**_OFF, "spellcheck": "false"}),
    )
    amount = forms.DecimalField(label=_("Limit"), max_digits=28, decimal_places=12)
    measure = forms.ChoiceField(label=_("Of"), choices=Measure.choices)
    window = forms.ChoiceField(label=_("Over"), choices=Window.choices)
    thresholds = forms.CharField(
        label=_("Thresholds in percent"),
        max_length=60,
        help_text=_("Each is told once in a window, for example: 50, 80, 100."),
        widget=forms.TextInput(attrs=_OFF),
    )
    sends_mail = forms.BooleanField(label=_("Mail to owners and admins"), required=False)
    webhook_url = forms.CharField(
        label=_("Webhook"),
        required=False,
        max_length=2000,
        help_text=_("Gets a signed POST for each threshold."),
        widget=forms.URLInput(attrs={**_OFF, "placeholder": "https://"}),
    )

    def __init__(self, organization: Organization, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        projects = Project.objects.filter(organization=organization).order_by("name")
        keys = ApiKey.objects.filter(organization=organization, revoked_at=None).order_by("created_at")
        self.fields["project"].choices = [("", _("All projects")), *projects.values_list("id", "name")]  # type: ignore[attr-defined]
        self.fields["key"].choices = [  # type: ignore[attr-defined]
            ("", _("Each key")),
            *((key.id, f"{key.note or key.public_key} …{key.secret_hint}") for key in keys),
        ]

    def clean_thresholds(self) -> tuple[int, ...]:
        """Whole numbers between commas or blanks."""
        words = self.cleaned_data["thresholds"].replace(",", " ").replace("%", " ").split()
        if not all(word.isascii() and word.isdigit() and len(word) < 6 for word in words):
            raise forms.ValidationError(_("Give whole numbers, for example: 50, 80, 100."))
        return tuple(int(word) for word in words)

    def wanted(self) -> budgets.Wanted:
        """What the form asks for."""
        given = self.cleaned_data
        scope = given["scope"]
        named = {Scope.PROJECT: "project", Scope.KEY: "key"}.get(scope, "value")
        return budgets.Wanted(
            name=given["name"],
            scope=scope,
            value="" if scope == Scope.ORGANIZATION else given[named],
            project_id="" if scope == Scope.PROJECT else given["project"],
            measure=given["measure"],
            amount=given["amount"],
            window=given["window"],
            thresholds=given["thresholds"],
            sends_mail=given["sends_mail"],
            webhook_url=given["webhook_url"],
        )

    @classmethod
    def filled(cls, budget: Budget) -> BudgetForm:
        """The form of a budget as it is."""
        is_usd = budget.measure == Measure.USD
        amount = dollars(budget.amount).normalize() if is_usd else Decimal(budget.amount)
        return cls(
            budget.organization,
            initial={
                **{name: getattr(budget, name) for name in ("name", "scope", "measure", "window")},
                "sends_mail": budget.sends_mail,
                "webhook_url": budget.webhook_url,
                "project": budget.value if budget.scope == Scope.PROJECT else budget.project_id,
                "key": budget.value if budget.scope == Scope.KEY else "",
                "value": budget.value if budget.scope in (Scope.USER, Scope.MODEL, Scope.TAG) else "",
                "amount": format(amount, "f"),
                "thresholds": ", ".join(map(str, budget.thresholds)),
            },
        )


class TimeZoneForm(forms.Form):
    """In which time zone an organization's days begin."""

    time_zone = forms.ChoiceField(label=_("Time zone"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"].choices = [(name, name) for name in sorted(available_timezones())]  # type: ignore[attr-defined]


_MOST_UNITS, _MOST_MONEY = 10**15, 10**12


class PlanForm(forms.Form):
    """What a plan holds. Money in the currency's smallest unit."""

    name = forms.CharField(label=_("Name"), max_length=60, widget=forms.TextInput(attrs=_OFF))
    currency = forms.RegexField(r"^[A-Z]{3}$", label=_("Currency"), help_text=_("Three letters, as USD."))
    base_price = forms.IntegerField(
        label=_("Base price a month"), help_text=_("In cents."), min_value=0, max_value=_MOST_MONEY
    )
    included_units = forms.IntegerField(
        label=_("Included units"), help_text=_("In each cycle."), min_value=0, max_value=_MOST_UNITS
    )
    price_per_100k = forms.IntegerField(
        label=_("Further 100,000 units"),
        help_text=_("In cents; 0 charges nothing."),
        min_value=0,
        max_value=_MOST_MONEY,
    )
    hard_limit_units = forms.IntegerField(
        label=_("Hard limit"),
        required=False,
        help_text=_("Ingestion stops here; empty: never."),
        min_value=0,
        max_value=_MOST_UNITS,
    )
    grace_hours = forms.IntegerField(
        label=_("Grace in hours"),
        help_text=_("After the hard limit, once in a cycle."),
        min_value=0,
        max_value=744,
    )
    max_members = forms.IntegerField(
        label=_("Members"), required=False, help_text=_("Empty: any number."), min_value=1, max_value=10**6
    )
    retention_days = forms.IntegerField(
        label=_("Longest retention in days"), required=False, min_value=3,
        help_text=_("Empty: for good. What is older is deleted; fewer days than before act after 14 days."),
        max_value=36_500,
    )  # fmt: skip
    rate_plan = forms.ChoiceField(
        label=_("Limits of requests"),
        required=False,
        choices=[("", _("The instance's")), *((name, name) for name in limits.PLANS)],
    )
    is_offered = forms.BooleanField(label=_("Owners may choose it"), required=False)

    @classmethod
    def filled(cls, plan: Plan) -> PlanForm:
        """The form of a plan as it is."""
        return cls(initial={name: getattr(plan, name) for name in cls.base_fields})


class OrganizationPlanForm(forms.Form):
    """Which plan an organization is on, and whether its hard limit is lifted."""

    plan = forms.ChoiceField(label=_("Plan"), required=False)
    period_anchor = forms.DateField(
        label=_("Cycles begin on the day of"),
        required=False,
        widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"),
    )
    lifted_until = forms.DateField(
        label=_("Hard limit lifted until"),
        required=False,
        help_text=_("The whole day, UTC; empty: not lifted."),
        widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["plan"].choices = [("", _("None: unlimited")), *Plan.objects.values_list("id", "name")]  # type: ignore[attr-defined]

    def lifted(self) -> datetime | None:
        """The end of the day given."""
        day = self.cleaned_data["lifted_until"]
        return datetime.combine(day, time(23, 59, 59), UTC) if day else None

    @classmethod
    def filled(cls, row: OrganizationPlan | None) -> OrganizationPlanForm:
        """The form of an organization as it is."""
        if row is None:
            return cls()
        lifted = row.lifted_until.astimezone(UTC).date() if row.lifted_until else None
        return cls(initial={"plan": row.plan_id, "period_anchor": row.period_anchor, "lifted_until": lifted})
