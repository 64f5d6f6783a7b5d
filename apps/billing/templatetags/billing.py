"""Template tags of billing: amounts, lines in words, bars."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from django import template
from django.utils import formats
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.billing import money, words
from apps.billing.charges import Bill

register = template.Library()


@register.filter
def amount(value: int, currency: str) -> str:
    """An amount in a currency's smallest unit: `$199.00`."""
    return money.written(value, currency)


@register.filter
def amounts(sums: Sequence[tuple[str, int]]) -> str:
    """Amounts of several currencies."""
    return ", ".join(money.written(value, currency) for currency, value in sums)


@register.filter
def percent(rate: int) -> str:
    """Basis points as a percentage."""
    return money.percent(rate)


@register.filter
def lines(bill: Bill) -> list[tuple[str, str, str]]:
    """Title, detail and amount of each line."""
    return words.rows(bill)


@register.filter
def on_day(value: date) -> str:
    """A day of UTC, which is another day for nobody."""
    return formats.date_format(value, "DATE_FORMAT")


@register.simple_tag
def share_bar(part: int, whole: int, label: str) -> SafeString:
    """How much of a whole is used, as a bar; amber when it is full."""
    percent = min(part * 1000 // whole, 1000) / 10 if whole else (100 if part else 0)
    bar = '<rect class="billing-bar-{}" width="{}%" height="6" rx="3"/>'
    return format_html(
        f'<svg class="billing-bar{{}}" role="img" aria-label="{{}}">{bar}{bar}</svg>',
        " billing-bar-full" if part > whole else "",
        label,
        "all",
        100,
        "part",
        percent,
    )
