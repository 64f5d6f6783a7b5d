"""Forms of organizations, projects and keys. They parse; services check and refuse."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.organizations.models import KeyScope
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
