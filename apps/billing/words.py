"""Lines of invoices and entries of the ledger in the reader's language."""

from __future__ import annotations

from datetime import date, timedelta

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from apps.billing import money
from apps.billing.charges import Bill, Line
from apps.core import formats


def title(line: Line) -> str:
    """What a line is for: `Pro, 15 of 30 days`."""
    if line.kind == "base":
        facts = {"plan": line.plan, "days": line.days, "of": line.of_days}
        if line.days == line.of_days:
            return _("%(plan)s plan") % facts
        return _("%(plan)s plan, %(days)d of %(of)d days") % facts
    if line.kind == "usage" and line.late:
        last = date.fromisoformat(line.end) - timedelta(days=1)
        return _("Units of earlier days, metered since: %(first)s to %(last)s") % {
            "first": date_format(date.fromisoformat(line.start), "DATE_FORMAT"),
            "last": date_format(last, "DATE_FORMAT"),
        }
    if line.kind == "usage":
        return _("Units")
    facts = {"name": line.plan, "rate": money.percent(line.rate)}
    if line.kind == "discount":
        name = _("Discount %(rate)s%%") % facts
        return f"{name}, {line.plan}" if line.plan else name
    return _("%(name)s %(rate)s%%") % {**facts, "name": line.plan or _("Tax")}


def detail(line: Line, currency: str) -> str:
    """How a line's amount is made, where its title does not say it all."""
    if line.kind == "base":
        price = money.written(line.price, currency)
        return _("%(price)s a period") % {"price": price} if line.days != line.of_days else ""
    if line.kind != "usage":
        return ""
    facts = {
        "used": formats.count(line.quantity),
        "included": formats.count(line.included),
        "price": money.written(line.price, currency),
    }
    if not line.price:
        return _("%(used)s used, %(included)s included") % facts
    return _("%(used)s used, %(included)s included, then %(price)s per 100,000") % facts


def rows(bill: Bill) -> list[tuple[str, str, str]]:
    """Title, detail and amount of each line."""
    return [
        (title(line), detail(line, bill.currency), money.written(line.amount, bill.currency))
        for line in bill.lines
    ]
