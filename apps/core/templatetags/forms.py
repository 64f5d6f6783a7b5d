"""Template tag of form fields: label, control, help and error, tied together for screen readers."""

from __future__ import annotations

from typing import Any

from django import forms, template
from django.forms.boundfield import BoundField

register = template.Library()


@register.inclusion_tag("_field.html")
def field(bound: BoundField, **attributes: Any) -> dict[str, Any]:
    """One field. `label` and `help` replace its own; other keyword arguments become attributes of the
    control."""
    label = attributes.pop("label", bound.label)
    help_text = attributes.pop("help", bound.help_text)
    described = [f"{bound.id_for_label}_error"] if bound.errors else []
    if help_text:
        described.append(f"{bound.id_for_label}_help")
    widget = bound.field.widget
    extra = {
        "class": _class(widget),
        "placeholder": "",  # some of allauth's repeat the label
        **attributes,
    }
    if described:
        extra["aria-describedby"] = " ".join(described)
    if bound.errors:
        extra["aria-invalid"] = "true"
    if isinstance(widget, forms.Select):
        del extra["placeholder"]
    return {
        "bound": bound,
        "label": label,
        "help_text": help_text,
        "control": bound.as_widget(attrs=extra),
        "checkbox": isinstance(widget, forms.CheckboxInput),
    }


def _class(widget: forms.Widget) -> str:
    """The component class of a control."""
    if isinstance(widget, forms.CheckboxInput):
        return "checkbox"
    return "select" if isinstance(widget, forms.Select) else "input"
