"""What the inspector says to people: ways in, fates of attributes, remarks."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.ingestion.inspector.entries import Entry
from apps.ingestion.inspector.explain import Note, Reading
from apps.pricing import usage_checks

_STEPS = {
    "receive": _("Receive"),
    "decode": _("Decode"),
    "map": _("Map"),
    "price": _("Price"),
    "commit": _("Commit"),
}
_NOTES = {
    "unknown type": _("The type “{value}” is not known; the span's other attributes decided."),
    "unknown level": _("The level “{value}” is not known; the span's status decided."),
    "environment": _(
        "Environment {value}: one has at most 40 characters of a-z, 0-9, “-” and “_”, without the prefix"
        " “langfuse”."
    ),
    "ends before it starts": _("The span ends before it starts: its duration counts as 0."),
    "time out of range": _("A time is out of what can be stored and was brought to its edge."),
    "long name": _("The name is longer than {value} characters and was cut."),
    **usage_checks.WORDS,
}


_SKIPPED = {
    "batch": _("Told in events: stays"),
    "merged": _("Of several arrivals: stays"),
    "logs": _("With log events: stays"),
    "incomplete": _("Attributes not kept: stays"),
    "large": _("Would become too large: stays"),
}


def skipped(reason: str) -> str:
    """Why observations cannot be mapped anew."""
    return str(_SKIPPED[reason])


def way(entry: Entry) -> str:
    """How the request came in, without the part that all have in common."""
    if entry.way == "grpc":
        return f":4317 {entry.path.rpartition('/')[0].rpartition('.')[2]}"
    return entry.path.removeprefix("/api/public/")


def sender(entry: Entry) -> str:
    """Who sent it and in what form."""
    form = entry.content_type.rpartition("/")[2].removeprefix("x-")
    return " · ".join(part for part in (entry.sdk or entry.agent, form, entry.encoding) if part)


def step(name: str) -> Any:
    """A step of a request."""
    return _STEPS.get(name, name)


def note(remark: Note) -> str:
    """A remark on a span."""
    return str(_NOTES[remark.code]).format(value=remark.value)


def fate(reading: Reading, decided: dict[str, str], fields: dict[str, str]) -> str:
    """Why an attribute did not become what it may have been meant for; empty when it did."""
    if reading.fate == "overruled":
        winner = next(
            (rule for field, rule in decided.items() if fields.get(field, field) in reading.became), ""
        )
        return gettext("not used: %(rule)s comes first") % {"rule": winner}
    if reading.fate == "unused":
        return gettext("not used: not in a form that can be read")
    if reading.fate == "removed":
        return gettext("removed: a secret by its name")
    return ""
