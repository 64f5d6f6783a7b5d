"""How numbers and times are written for people: short, exact enough, in the reader's language and time zone.

Durations are milliseconds, times microseconds since the epoch, costs US dollars. What is missing
is an en dash.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.utils import formats, timezone
from django.utils.translation import gettext, ngettext

from apps.core.clock import to_datetime

NONE = "–"


def _number(value: float | Decimal, digits: int) -> str:
    rounded = round(Decimal(value), digits)  # number_format would cut what it leaves out
    return formats.number_format(rounded, decimal_pos=digits, use_l10n=True, force_grouping=True)


def duration(milliseconds: int | float | None) -> str:
    """`<1 ms`, `310 ms`, `8.41 s`, `2 min 14 s`, `3 h 5 min`; three significant digits below a minute."""
    if milliseconds is None:
        return NONE
    if milliseconds < 1000:
        return gettext("%(n)s ms") % {"n": "<1" if 0 < milliseconds < 1 else _number(milliseconds, 0)}
    seconds = milliseconds / 1000
    if seconds < 60:
        digits = 2 if seconds < 10 else 1
        return gettext("%(n)s s") % {"n": _number(seconds, digits)}
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return gettext("%(m)d min %(s)d s") % {"m": minutes, "s": rest}
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return gettext("%(h)d h %(m)d min") % {"h": hours, "m": minutes}
    return gettext("%(d)d d %(h)d h") % {"d": hours // 24, "h": hours % 24}


def axis_time(milliseconds: float) -> str:
    """A round duration beside an axis: `0.5 ms`, `200 ms`, `5 s`, `2 min`."""
    if 0 < milliseconds < 1000:
        return gettext("%(n)s ms") % {"n": _number(milliseconds, 0 if milliseconds >= 1 else 2)}
    if milliseconds < 150_000:
        seconds = milliseconds / 1000
        return gettext("%(n)s s") % {"n": _number(seconds, 0 if seconds == int(seconds) else 1)}
    return gettext("%(n)s min") % {"n": _number(milliseconds / 60_000, 0)}


def price(dollars: Decimal) -> str:
    """A price per million tokens: two decimals, more below ten cents."""
    return f"${_number(dollars, 2 if dollars >= Decimal('0.1') or not dollars else 4)}"


def cost(dollars: Decimal | float | None) -> str:
    """`$0.0714`, `$118.40`, `<$0.0001`; a dash where no price is known."""
    if dollars is None:
        return NONE
    if dollars == 0:
        return "$0"
    if 0 < dollars < Decimal("0.0001"):
        return "<$" + _number(Decimal("0.0001"), 4)
    sign, size = ("-", -dollars) if dollars < 0 else ("", dollars)
    return f"{sign}${_number(size, 4 if size < 10 else 2)}"


def exact_cost(dollars: Decimal | None) -> str:
    """All digits that matter, for the sum that explains a cost."""
    return NONE if dollars is None else f"${_number(dollars, 6)}"


def count(value: int | None) -> str:
    """A whole number with grouping."""
    return NONE if value is None else _number(value, 0)


def short_count(value: int | None) -> str:
    """`812`, `4.2k`, `34.1M`: for places without room."""
    if value is None:
        return NONE
    for size, letter in ((1_000_000_000, "B"), (1_000_000, "M"), (10_000, "k")):
        if value >= size:
            unit = 1000 if letter == "k" else size
            return _number(value / unit, 1) + letter
    return count(value)


def local(micros: int) -> datetime:
    """The moment in the reader's time zone (`middleware.ReaderTimeZone`)."""
    return timezone.localtime(to_datetime(micros))


def clock(micros: int) -> tuple[str, str]:
    """Time of day to the second, and `.mmm` beside it."""
    return local(micros).strftime("%H:%M:%S"), f".{micros % 1_000_000 // 1000:03d}"


def day(micros: int) -> str:
    """`21 Nov 2026` in the reader's language."""
    return formats.date_format(local(micros), "DATE_FORMAT")


def month_day(micros: int) -> str:
    """`21 Nov` in the reader's language."""
    return formats.date_format(local(micros), "MONTH_DAY_FORMAT")


def month_day_time(micros: int) -> str:
    """`21 Nov 08:52` in the reader's language."""
    return f"{month_day(micros)} {local(micros):%H:%M}"


def year_month(micros: int) -> str:
    """`Nov 2026` in the reader's language."""
    return formats.date_format(local(micros), "YEAR_MONTH_FORMAT")


def hour_minute(micros: int) -> str:
    """`08:52`."""
    return f"{local(micros):%H:%M}"


def moment(micros: int) -> str:
    """Date and time with milliseconds, and how far from UTC that is."""
    here = local(micros)
    time, millis = clock(micros)
    offset = f"{here:%z}"
    zone = f"UTC{offset[:3]}:{offset[3:5]}" if here.utcoffset() else "UTC"
    return f"{here:%Y-%m-%d} {time}{millis} {zone}"


def ago(micros: int, now: int) -> str:
    """`12 s ago`, `5 min ago`, `3 h ago`, `4 d ago`."""
    seconds = max(now - micros, 0) // 1_000_000
    if seconds < 60:
        return ngettext("%(n)d s ago", "%(n)d s ago", seconds) % {"n": seconds}
    if seconds < 3600:
        return gettext("%(n)d min ago") % {"n": seconds // 60}
    if seconds < 48 * 3600:
        return gettext("%(n)d h ago") % {"n": seconds // 3600}
    return gettext("%(n)d d ago") % {"n": seconds // 86400}


def short_id(text: str, head: int = 4, tail: int = 4) -> str:
    """`8c41…f07e`; short ids stay whole."""
    return text if len(text) <= head + tail + 4 else f"{text[:head]}…{text[-tail:]}"


_HIDDEN: dict[int, str] = {code: chr(0x2400 + code) for code in range(0x20) if code not in (0x09, 0x0A)}
_HIDDEN |= {0x0D: "", 0x7F: "␡"} | dict.fromkeys(range(0x80, 0xA0), "\ufffd")
# Direction overrides and isolates can make text read as something it is not; marks (LRM, RLM) cannot.
_HIDDEN |= {code: f"⟨U+{code:04X}⟩" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
_HIDDEN |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")  # half characters: no encoding has them


def visible(text: str) -> str:
    """Text from outside: control and direction-changing characters are shown as such, half ones replaced."""
    return text.translate(_HIDDEN)
