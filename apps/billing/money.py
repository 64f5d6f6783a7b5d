"""Amounts of money as people write them. Everything else counts the currency's smallest unit."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Final

from django.utils import formats

_SYMBOLS: Final = {"USD": "$", "EUR": "€", "GBP": "£", "CNY": "¥", "JPY": "JP¥", "INR": "₹", "KRW": "₩"}
_WITHOUT_CENTS: Final = {
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF",
    "XPF",
}  # fmt: skip  # ISO 4217
_WITH_MILLS: Final = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}
_PERCENT = re.compile(r"\d{1,3}(\.\d{1,2})?")


def digits(currency: str) -> int:
    """Digits after the point: 2 for most, 0 for yen, 3 for dinars."""
    return 0 if currency in _WITHOUT_CENTS else 3 if currency in _WITH_MILLS else 2


def plain(amount: int, currency: str) -> str:
    """`-1234.50`: for files that programs read."""
    return f"{Decimal(amount).scaleb(-digits(currency)):.{digits(currency)}f}"


def written(amount: int, currency: str) -> str:
    """`$1,234.50`, `−$39.80`, `CHF 12.00`: for people."""
    places = digits(currency)
    number = formats.number_format(
        abs(Decimal(amount).scaleb(-places)), decimal_pos=places, use_l10n=True, force_grouping=True
    )
    symbol = _SYMBOLS.get(currency, f"{currency} ")
    return f"{'−' if amount < 0 else ''}{symbol}{number}"


def percent(rate: int) -> str:
    """Basis points as people write them: `20`, `7.5`."""
    return f"{Decimal(rate).scaleb(-2).normalize():f}"


def rate(text: str) -> int:
    """Basis points of a percentage with up to two decimals; ValueError for anything else."""
    try:
        found = Decimal(text.strip()) if _PERCENT.fullmatch(text.strip()) else None
    except InvalidOperation:
        found = None
    if found is None or found > 100:
        raise ValueError("Give a percentage from 0 to 100 with at most two decimals.")
    return int(found.scaleb(2))
