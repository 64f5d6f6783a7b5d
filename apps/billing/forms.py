"""Forms of billing. They parse; services check and refuse."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.billing import money
from apps.billing.models import Account

MAX_ADDRESS_LINES: Final = 8  # more would not fit on an invoice


class DetailsForm(forms.Form):
    """Who pays, and where invoices go."""

    company = forms.CharField(label=_("Company"), required=False, max_length=200)
    tax_id = forms.CharField(label=_("Tax number"), required=False, max_length=60)
    address = forms.CharField(
        label=_("Address"), required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 3})
    )
    country = forms.CharField(label=_("Country"), required=False, max_length=100)
    contacts = forms.CharField(
        label=_("Billing contacts"),
        required=False,
        max_length=3000,
        help_text=_("E-mail addresses that new invoices are sent to, one a line."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    @classmethod
    def of(cls, account: Account) -> DetailsForm:
        """Filled in as it is stored."""
        names = ("company", "tax_id", "address", "country")
        return cls(
            initial={
                **{name: getattr(account, name) for name in names},
                "contacts": "\n".join(account.contacts),
            }
        )

    def clean_address(self) -> str:
        """A few lines."""
        lines = self.cleaned_data["address"].splitlines()
        if len(lines) > MAX_ADDRESS_LINES:
            raise forms.ValidationError(
                gettext("An address has at most %(n)d lines.") % {"n": MAX_ADDRESS_LINES}
            )
        return "\n".join(lines)

    def values(self) -> dict[str, Any]:
        """What `services.set_details` takes."""
        values = dict(self.cleaned_data)
        values["contacts"] = values["contacts"].replace(",", "\n").splitlines()
        return values


class Percent(forms.Field):
    """A percentage with up to two decimals, as basis points."""

    widget = forms.TextInput(attrs={"maxlength": 8, "inputmode": "decimal"})

    def to_python(self, value: Any) -> int:
        """Basis points; empty is 0."""
        try:
            return money.rate(str(value or "0")[:20])
        except ValueError as error:
            raise forms.ValidationError(
                _("Give a percentage from 0 to 100 with at most two decimals.")
            ) from error


class RatesForm(forms.Form):
    """What every invoice of an organization takes off and adds."""

    discount = Percent(label=_("Discount, %"), required=False)
    discount_note = forms.CharField(
        label=_("Why"), required=False, max_length=100, help_text=_("Stands on the invoice.")
    )
    tax = Percent(label=_("Tax, %"), required=False)
    tax_name = forms.CharField(
        label=_("Name of the tax"), required=False, max_length=40, help_text=_("For example VAT.")
    )

    @classmethod
    def of(cls, account: Account) -> RatesForm:
        """Filled in as it is stored."""
        return cls(
            initial={
                "discount": money.percent(account.discount),
                "discount_note": account.discount_note,
                "tax": money.percent(account.tax),
                "tax_name": account.tax_name,
            }
        )
