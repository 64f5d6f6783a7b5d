"""Forms of accounts."""

from __future__ import annotations

from typing import Any

from allauth.account import forms as allauth_forms
from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.accounts import bootstrap, services
from apps.core.errors import ApiError


def clean_name(name: str) -> str:
    """A person's name, for a form's `clean_name`."""
    try:
        return services.check_person_name(name)
    except ApiError as error:
        raise forms.ValidationError(error.message) from error


class SignupForm(allauth_forms.SignupForm):
    """Name, address, password; on an empty instance also the token, where it is needed."""

    name = forms.CharField(
        label=pgettext_lazy("of a person", "Name"),
        max_length=services.NAME_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "name", "autofocus": True}),
    )
    token = forms.CharField(
        label=_("First-account token"),
        max_length=100,
        required=False,
        help_text=_("The server printed it when it started. It makes this account the instance's admin."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    field_order = ["name", "email", "password1", "token"]

    def __init__(self, *args: Any, request: HttpRequest | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"].help_text = _("At least 8 characters, and not a common one.")
        self._request = request
        self.first_account = bootstrap.is_empty()
        if not self.first_account or request is None or bootstrap.is_from_this_machine(request):
            del self.fields["token"]

    def clean_name(self) -> str:
        """Checked like every later rename."""
        return clean_name(self.cleaned_data["name"])

    def clean(self) -> dict[str, Any]:
        """The first account asks for more than a password."""
        cleaned: dict[str, Any] = super().clean()
        if self.first_account and self._request is not None:
            token = cleaned.get("token", "").strip()
            if not bootstrap.may_open_first_account(self._request, token):
                self.add_error(
                    "token", _("This is not the token that the server printed when it last started.")
                )
        return cleaned


class ProfileForm(forms.Form):
    """What people change about themselves."""

    name = forms.CharField(
        label=pgettext_lazy("of a person", "Name"),
        max_length=services.NAME_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )

    def clean_name(self) -> str:
        """Checked like at sign-up."""
        return clean_name(self.cleaned_data["name"])
