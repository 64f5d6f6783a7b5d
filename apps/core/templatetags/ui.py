"""Template tags of the interface: icons, built files, formats, and where a page stands among the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django import template
from django.http import HttpRequest
from django.template import Context
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from apps.core import formats
from apps.core.assets import asset_url
from apps.core.clock import iso_millis, iso_seconds, now_micros

register = template.Library()

THEMES = ("light", "dark")
_ROLES = {
    "OWNER": _("Owner"),
    "ADMIN": _("Admin"),
    "MEMBER": _("Member"),
    "VIEWER": _("Viewer"),
    "NONE": _("No role"),
}


@register.simple_tag
def icon(name: str, **attributes: str) -> SafeString:
    """An icon of the sprite. `class` adds classes, `label` makes it speak; names in static/src/icons.json."""
    classes = f"icon {attributes.get('class', '')}".strip()
    label = attributes.get("label", "")
    speaks = format_html('role="img" aria-label="{}"', label) if label else SafeString('aria-hidden="true"')
    return format_html(
        '<svg class="{}" {}><use href="{}#{}"/></svg>', classes, speaks, asset_url("icons.svg"), name
    )


@register.simple_tag
def asset(name: str) -> str:
    """URL of a built file."""
    return asset_url(name)


@register.simple_tag
def optional_url(name: str, *arguments: str) -> str:
    """URL of a page, or nothing when the page does not exist."""
    try:
        return reverse(name, args=arguments)
    except NoReverseMatch:
        return ""


def _cookie(context: Context, name: str, allowed: Iterable[str], default: str) -> str:
    request: HttpRequest | None = context.get("request")
    value = request.COOKIES.get(name, "") if request else ""
    return value if value in allowed else default


@register.simple_tag(takes_context=True)
def current_theme(context: Context) -> str:
    """light, dark or system, as the reader chose."""
    return _cookie(context, "theme", THEMES, "system")


@register.simple_tag(takes_context=True)
def theme_attribute(context: Context) -> SafeString:
    """data-theme for <html>; rendered by the server, so that a page never flashes in the wrong theme."""
    theme = current_theme(context)
    return SafeString(f' data-theme="{theme}"') if theme in THEMES else SafeString("")


@register.simple_tag(takes_context=True)
def current_side(context: Context) -> str:
    """folded or open: the side bar as the reader left it."""
    return _cookie(context, "side", ("folded",), "open")


@register.simple_tag(takes_context=True)
def current_rows(context: Context) -> str:
    """s or m: the row height the reader chose."""
    return _cookie(context, "rows", ("s",), "m")


@register.simple_tag(takes_context=True)
def current_live(context: Context) -> bool:
    """Whether lists follow new traces; on unless switched off."""
    return _cookie(context, "live", ("off",), "on") == "on"


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the side bar."""

    label: str
    icon: str
    url: str
    current: bool


@dataclass(frozen=True, slots=True)
class PlaceGroup:
    """Entries under one heading."""

    label: str
    places: list[Place]


@dataclass(slots=True)
class Places:
    """The side bar and, on a phone, the bottom bar."""

    groups: list[PlaceGroup] = field(default_factory=list)
    foot: list[Place] = field(default_factory=list)
    bottom: list[Place] = field(default_factory=list)


def _place(label: Any, icon_name: str, url: str, current: bool) -> list[Place]:
    return [Place(label, icon_name, url, current)] if url else []


@register.simple_tag(takes_context=True)
def page_places(context: Context) -> Places:
    """The pages a reader can go to from here; only those that exist."""
    request: HttpRequest | None = context.get("request")
    if request is None:
        return Places()
    project, organization = context.get("project"), context.get("organization")
    path, places = request.path, Places()
    if project is not None:
        traces = optional_url("tracing:trace-list", project.id)
        setup = optional_url("tracing:setup", project.id)
        settings = optional_url("organizations:project-settings", project.id)
        observed = _place(_("Traces"), "traces", traces, path.startswith(traces) and path != setup)
        places.groups.append(PlaceGroup(str(_("Observe")), observed))
        places.foot += _place(_("Set up"), "setup", setup, path == setup)
        wire = optional_url("ingestion:wire", project.id)
        at_wire = bool(wire) and path.startswith(wire)
        places.foot += _place(_("Wire inspector"), "plug", wire, at_wire)
        places.foot += _place(_("API"), "braces", optional_url("api-docs"), False)
        in_settings = path.startswith(settings) and not at_wire
        places.foot += _place(_("Settings"), "settings", settings, in_settings)
    else:
        home = optional_url("home")
        places.groups.append(PlaceGroup("", _place(_("Organizations"), "building", home, path == home)))
        if organization is not None:
            url = optional_url("organizations:settings", organization.id)
            places.foot += _place(_("Settings"), "settings", url, path.startswith(url))
    places.groups = [group for group in places.groups if group.places]
    places.bottom = [place for group in places.groups for place in group.places] + places.foot
    return places


@register.filter
def initials(name: str) -> str:
    """Up to two letters for an avatar."""
    words = str(name).split("@")[0].replace(".", " ").split()
    return "".join(word[0] for word in words[:2]) or "?"


@register.filter
def role_name(role: str) -> Any:
    """A role in words."""
    return _ROLES.get(role, role)


@register.filter
def duration(milliseconds: int | None) -> str:
    """Milliseconds for people."""
    return formats.duration(milliseconds)


@register.filter
def cost(dollars: Decimal | None) -> str:
    """US dollars for people."""
    return formats.cost(dollars)


@register.filter
def exact_cost(dollars: Decimal | None) -> str:
    """US dollars with six digits."""
    return formats.exact_cost(dollars)


@register.filter
def count(value: int | None) -> str:
    """A whole number with grouping."""
    return formats.count(value)


@register.filter
def short_count(value: int | None) -> str:
    """A whole number in little room."""
    return formats.short_count(value)


@register.filter
def clock(micros: int) -> SafeString:
    """Clock time with pale milliseconds; the whole moment as title and machine-readable."""
    time, millis = formats.clock(micros)
    return format_html(
        '<time datetime="{}" title="{}">{}<span class="millis">{}</span></time>',
        iso_millis(micros),
        formats.moment(micros),
        time,
        millis,
    )


@register.filter
def day(micros: int) -> str:
    """Date in the reader's language."""
    return formats.day(micros)


@register.filter
def moment(micros: int) -> str:
    """Date and time with milliseconds."""
    return formats.moment(micros)


@register.filter
def ago(micros: int) -> str:
    """How long ago, in one unit."""
    return formats.ago(micros, now_micros())


@register.filter
def short_id(text: str) -> str:
    """An id's head and tail."""
    return formats.short_id(text)


@register.filter
def visible(text: Any) -> str:
    """Text from outside, with control and direction-changing characters made visible."""
    return formats.visible(str(text))


@register.filter
def input_time(micros: int | None) -> str:
    """Value of a datetime-local control; empty for None."""
    return "" if micros is None else formats.local(micros).strftime("%Y-%m-%dT%H:%M:%S")


@register.filter
def url_time(micros: int) -> str:
    """A moment in an address, which may be sent to somebody in another time zone."""
    return iso_seconds(micros)


@register.filter
def short_moment(micros: int) -> str:
    """Day, month, hour and minute."""
    return formats.month_day_time(micros)


@register.filter
def axis_time(milliseconds: float) -> str:
    """A round duration beside an axis."""
    return formats.axis_time(milliseconds)


@register.filter
def price(dollars: Decimal) -> str:
    """A price per million tokens: two decimals, more below ten cents."""
    return formats.price(dollars)
