"""Template tags of the trace page."""

from __future__ import annotations

from collections.abc import Iterable

from django import template
from django.template import Context
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from apps.core import formats
from apps.tracing.json_lines import Line, Piece
from apps.tracing.media.references import Reference
from apps.tracing.media.showing import File

register = template.Library()

DEEPEST = 20  # levels of indentation that the style sheet knows
VOICES = {
    "system": (_("System"), "settings"),
    "user": (_("User"), "user"),
    "assistant": (_("Assistant"), "generation"),
    "tool": (_("Tool"), "tool"),
    "thinking": (_("Thinking"), "thinking"),
}


@register.filter
def voice_label(voice: str) -> str:
    """Who speaks, in words; a role we do not know is written as it was sent."""
    return str(VOICES[voice][0]) if voice in VOICES else voice


@register.filter
def voice_icon(voice: str) -> str:
    """Icon of who speaks."""
    return VOICES[voice][1] if voice in VOICES else "message"


@register.filter
def voice_class(voice: str) -> str:
    """Class of who speaks; one for all roles we do not know."""
    return f"voice-{voice}" if voice in VOICES else "voice-other"


@register.filter
def text_size(characters: int) -> str:
    """A size in characters, as people read sizes."""
    if characters < 10_000:
        return ngettext("%(n)s character", "%(n)s characters", characters) % {"n": formats.count(characters)}
    if characters < 1_000_000:
        return gettext("%(n)s k characters") % {"n": formats.count(round(characters / 1000))}
    return gettext("%(n)s M characters") % {"n": f"{characters / 1_000_000:.1f}"}


@register.inclusion_tag("tracing/_medium.html", takes_context=True)
def medium(context: Context, reference: Reference) -> dict[str, File | None]:
    """The file that a reference means, from the panel's `files`."""
    return {"file": context["files"].get(reference.media_id)}


@register.simple_tag
def json_lines(lines: Iterable[Line]) -> SafeString:
    """Laid-out JSON as lines; what opens can be folded. Indentation is text, so that copying keeps it."""
    return SafeString("".join(_line(line) for line in lines))


def _line(line: Line) -> str:
    depth = min(line.depth, DEEPEST)
    fold = (
        '<button type="button" class="j-fold" data-fold aria-expanded="true"></button>' if line.opens else ""
    )
    opens = f' data-opens="{line.opens}"' if line.opens else ""
    indent = f'<span class="j-indent">{"  " * depth}</span>' if depth else ""
    pieces = "".join(_piece(piece) for piece in line.pieces)
    return f'<span class="j-line j-{depth}"{opens}>{fold}{indent}{pieces}\n</span>'


def _piece(piece: Piece) -> str:
    if piece.kind == "left":
        return format_html('<span class="j-left">… {}</span>', _left(piece))
    if piece.kind == "mark":
        return escape(piece.text)
    return f'<span class="j-{piece.kind}">{escape(piece.text)}</span>'


def _left(piece: Piece) -> str:
    if piece.text == "characters":
        text = ngettext("%(n)s more character", "%(n)s more characters", piece.count)
    else:
        text = ngettext("%(n)s more", "%(n)s more", piece.count)
    return text % {"n": formats.count(piece.count)}
