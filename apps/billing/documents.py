"""Invoices as files: PDF to keep, CSV to reckon with."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import groupby
from typing import Any
from xml.sax.saxutils import escape

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from reportlab.lib import colors
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import KeepInFrame, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from apps.billing import fonts, money, words
from apps.billing.models import Invoice
from apps.core.spreadsheets import Number, to_csv

_READERS_OWN = "STSong-Light"  # for letters no font here has; many PDF readers bring it, not all
_making = threading.Lock()  # names of embedded fonts are those of one file at a time
_INK, _PALE, _LINE = colors.HexColor("#12181b"), colors.HexColor("#606c72"), colors.HexColor("#e2e5e7")
_HEAD_WIDTHS, _HEAD_HEIGHT = (50 * mm, 59 * mm, 52 * mm), 110 * mm
_BODY = ParagraphStyle("body", fontName="Helvetica", fontSize=9.5, leading=14, textColor=_INK)
_SMALL = ParagraphStyle("small", _BODY, fontSize=8.5, leading=12, textColor=_PALE)
_TITLE = ParagraphStyle("title", _BODY, fontName="Helvetica-Bold", fontSize=18, leading=24)
_RIGHT = ParagraphStyle("right", _BODY, alignment=TA_RIGHT)
_HEAD_RIGHT = ParagraphStyle("head", _SMALL, alignment=TA_RIGHT)
_TOTAL = ParagraphStyle("total", _RIGHT, fontName="Helvetica-Bold", fontSize=11)


def pdf(invoice: Invoice) -> bytes:
    """One page of A4, or more, in the reader's language. Every PDF reader brings Helvetica; letters that it
    does not have are embedded."""
    _register_readers_own()
    out = io.BytesIO()
    document = SimpleDocTemplate(
        out, pagesize=A4, title=invoice.name, author=invoice.seller.split("\n")[0], invariant=1,
        leftMargin=22 * mm, rightMargin=22 * mm, topMargin=22 * mm, bottomMargin=18 * mm,
    )  # fmt: skip
    with _making:
        first = _Setter({})
        _story(invoice, first)
        document.build(_story(invoice, _Setter(fonts.embed(first.letters))))
    return out.getvalue()


class _Setter:
    """Makes paragraphs of plain text, and notes the letters that Helvetica does not have."""

    def __init__(self, fonts_of: Mapping[str, str]) -> None:
        self.fonts_of = fonts_of
        self.letters: set[str] = set()

    def __call__(self, text: str, style: ParagraphStyle = _BODY) -> Paragraph:
        """A paragraph, each letter in a font that has it."""
        text = text.replace("\N{MINUS SIGN}", "\N{EN DASH}")  # which Helvetica has
        parts = []
        for font, run in groupby(text, key=self._font_of):
            words_ = escape("".join(run))
            parts.append(f'<font name="{font}">{words_}</font>' if font else words_)
        return Paragraph("".join(parts), style)

    def _font_of(self, letter: str) -> str:
        if letter.encode("cp1252", "ignore"):
            return ""
        self.letters.add(letter)
        return self.fonts_of.get(letter, _READERS_OWN)


def _story(invoice: Invoice, p: _Setter) -> list[Any]:
    """What stands on it, from top to bottom."""
    return [
        p(_("Invoice %(name)s") % {"name": invoice.name}, _TITLE),
        p(invoice.get_state_display() + (f": {invoice.note}" if invoice.note else ""), _SMALL),
        Spacer(0, 8 * mm),
        _heads(invoice, p),
        Spacer(0, 8 * mm),
        _lines(invoice, p),
    ]


def csv_of(invoice: Invoice) -> bytes:
    """One row a line."""
    head = ["invoice", "kind", "description", "from", "until", "units", "included", "amount", "currency"]
    rows: list[list[str | int]] = [
        [
            invoice.name,
            line.kind,
            words.title(line),
            line.start,
            line.end,
            line.quantity if line.kind == "usage" else "",
            line.included if line.kind == "usage" else "",
            Number(money.plain(line.amount, invoice.currency)),
            invoice.currency,
        ]
        for line in invoice.bill().lines
    ]
    total = Number(money.plain(invoice.total, invoice.currency))
    return to_csv([head, *rows, [invoice.name, "total", "", "", "", "", "", total, invoice.currency]])


def csv_of_all(invoices: Iterable[Invoice]) -> bytes:
    """One row an invoice."""
    head = [
        "invoice", "state", "from", "until", "issued", "due", "base", "usage", "discount", "tax", "total",
        "currency", "billed to", "note",
    ]  # fmt: skip
    rows: list[list[str | int]] = []
    for invoice in invoices:
        bill = invoice.bill()
        sums = [bill.sum_of("base"), bill.sum_of("usage"), bill.sum_of("discount"), bill.sum_of("tax")]
        rows.append(
            [
                invoice.name,
                invoice.state,
                invoice.period_start.isoformat(),
                invoice.period_end.isoformat(),
                invoice.issued_at.date().isoformat(),
                invoice.due_on.isoformat(),
                *(Number(money.plain(amount, invoice.currency)) for amount in [*sums, invoice.total]),
                invoice.currency,
                invoice.bill_to["company"],
                invoice.note,
            ]
        )
    return to_csv([head, *rows])


def _heads(invoice: Invoice, p: _Setter) -> Table:
    """Who bills whom, for which days. Set smaller when too long: a row cannot go on on a next page."""
    to = invoice.bill_to
    whom = [to["company"], *to["address"].split("\n"), to["country"], to["taxId"]]
    facts = [
        (pgettext("day of an invoice", "Issued"), _day(invoice.issued_at.date())),
        (pgettext("day of an invoice", "Due"), _day(invoice.due_on)),
        (_("Period"), f"{_day(invoice.period_start)} – {_day(invoice.last_day)}"),
    ]
    columns = [
        [
            p(pgettext("who sends an invoice", "From"), _SMALL),
            *(p(line) for line in invoice.seller.split("\n")),
        ],
        [p(_("Billed to"), _SMALL), *(p(line) for line in whom if line.strip())],
        [part for name, value in facts for part in (p(name, _SMALL), p(value))],
    ]
    fitted = [
        KeepInFrame(width - 5 * mm, _HEAD_HEIGHT, column, mode="shrink")
        for width, column in zip(_HEAD_WIDTHS, columns, strict=True)
    ]
    return Table(
        [fitted],
        colWidths=_HEAD_WIDTHS,
        hAlign="LEFT",
        style=[("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (0, -1), 0)],
    )


def _lines(invoice: Invoice, p: _Setter) -> Table:
    rows: list[list[Any]] = [
        [p(pgettext("line of an invoice", "Description"), _SMALL), "", p(_("Amount"), _HEAD_RIGHT)]
    ]
    rows += [
        [p(title), p(detail, _SMALL), p(amount, _RIGHT)]
        for title, detail, amount in words.rows(invoice.bill())
    ]
    rows.append([p(_("Total")), "", p(money.written(invoice.total, invoice.currency), _TOTAL)])
    style = TableStyle(
        [
            ("LINEBELOW", (0, 0), (-1, -2), 0.5, _LINE),
            ("LINEABOVE", (0, -1), (-1, -1), 1, _INK),
            ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
            ("LEFTPADDING", (0, 0), (0, -1), 0),
            ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
        ]
    )
    return Table(rows, colWidths=[60 * mm, 71 * mm, 30 * mm], hAlign="LEFT", style=style, repeatRows=1)


def _day(day: Any) -> str:
    return formats.date_format(day, "DATE_FORMAT")


@cache
def _register_readers_own() -> None:
    pdfmetrics.registerFont(UnicodeCIDFont(_READERS_OWN))
