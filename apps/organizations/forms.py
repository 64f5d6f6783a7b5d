"""Forms of organizations, projects and keys. They parse; services check and refuse."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.organizations.administration import LEAST_RETENTION, MOST_RETENTION
from apps.organizations.models import KeyScope
from apps.organizations.retention import Retention
from apps.organizations.services import NAME_LENGTHS, NOTE_LENGTH

_SCOPES = [
    (KeyScope.FULL, _("Full access")),
    (KeyScope.INGEST, _("Ingest only: write traces and scores")),
    (KeyScope.READ, _("Read only")),
]
_EXPIRIES = [
    ("", _("Never")),
    ("7", _("In 7 days")),
    ("30", _("In 30 days")),
    ("90", _("In 90 days")),
    ("365", _("In a year")),
]


class NameForm(forms.Form):
    """A name of an organization or a project."""

    name = forms.CharField(
        label=_("Name"),
        min_length=NAME_LENGTHS[0],
        max_length=NAME_LENGTHS[1],
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class RetentionForm(forms.Form):
    """For how many days a project keeps its traces."""

    days = forms.IntegerField(
        label=_("Days"),
        min_value=0,
        max_value=MOST_RETENTION,
        help_text=_("0 keeps traces for good, or as long as the plan does; otherwise at least 3."),
    )
    confirmed = forms.BooleanField(label=_("I know that older traces are deleted for good"), required=False)

    def clean_days(self) -> int:
        """None, or enough of them."""
        days: int = self.cleaned_data["days"]
        if 0 < days < LEAST_RETENTION:
            raise forms.ValidationError(
                _("Choose 0, or at least %(least)s days."), params={"least": LEAST_RETENTION}
            )
        return days

    def check_confirmed(self, kept: Retention) -> bool:
        """Whether nothing more is deleted than now, or the reader knows it; says so otherwise."""
        if not kept.is_shortened_by(self.cleaned_data["days"]) or self.cleaned_data["confirmed"]:
            return True
        self.add_error("confirmed", _("More is deleted than before: tick this if that is what you want."))
        return False


class NewNameForm(NameForm):
    """The same on a page that has nothing else to do."""

    name = forms.CharField(
        label=_("Name"),
        min_length=NAME_LENGTHS[0],
        max_length=NAME_LENGTHS[1],
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )


class KeyForm(forms.Form):
    """What a new key of a project may do, for how long, and what it is for."""

    note = forms.CharField(
        label=_("Note"),
        required=False,
        max_length=NOTE_LENGTH,
        help_text=_("What will use it, for example: production backend."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    scope = forms.ChoiceField(label=_("May do"), choices=_SCOPES, required=False)
    expires = forms.ChoiceField(label=_("Expires"), choices=_EXPIRIES, required=False)

    def clean_scope(self) -> str:
        """Full access unless told otherwise."""
        return self.cleaned_data["scope"] or str(KeyScope.FULL)

    def expires_at(self) -> datetime | None:
        """The moment chosen, counted from now."""
        days = self.cleaned_data["expires"]
        return timezone.now() + timedelta(days=int(days)) if days else None


class OrganizationKeyForm(KeyForm):
    """The same for an organization's key, which ingests nothing."""

    scope = forms.ChoiceField(
        label=_("May do"),
        choices=[choice for choice in _SCOPES if choice[0] != KeyScope.INGEST],
        required=False,
    )
