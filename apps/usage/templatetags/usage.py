"""Formats of the usage pages."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from django import template
from django.utils import formats

register = template.Library()

# Decimal places of a currency's smallest unit, where they are not two (ISO 4217).
_PLACES: Final = {
    "JPY": 0,
    "KRW": 0,
    "VND": 0,
    "CLP": 0,
    "ISK": 0,
    "KWD": 3,
    "BHD": 3,
    "JOD": 3,
    "OMR": 3,
    "TND": 3,
}


@register.filter
def smallest_unit(amount: int, currency: str) -> str:
    """Money in its currency's smallest unit, for people: `199.00 USD`."""
    places = _PLACES.get(currency, 2)
    value = Decimal(amount).scaleb(-places)
    return f"{formats.number_format(value, decimal_pos=places, force_grouping=True)} {currency}"


@register.filter
def whole(value: Decimal | int) -> int:
    """Rounded to a whole number."""
    return int(Decimal(value).to_integral_value(ROUND_HALF_EVEN))
