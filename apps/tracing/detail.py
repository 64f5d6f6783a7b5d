"""What the page of one trace shows: the drawn tree as data, and the facts of one observation. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from apps.core import formats
from apps.core.formats import visible
from apps.pricing import usage_checks
from apps.tracing import clocks, tree
from apps.tracing.content import Text, cut_text
from apps.tracing.json_lines import Line, NotJson, Number, lay_out, parse
from apps.tracing.listing import short_reason, type_key
from apps.tracing.media import references
from apps.tracing.media.references import Reference
from apps.tracing.records import ObservationRow, TraceSummary
from apps.tracing.stored import tokens

MAX_ROWS = 10_000  # drawn; the rest is said to be there
MAX_NAME = 300
MAX_ENTRIES = 400  # of one section of metadata
MAX_VALUE_LINES = 60
GENERATIVE = ("GENERATION", "EMBEDDING")

TYPES: dict[str, Any] = {
    "span": _("Span"),
    "generation": _("Generation"),
    "event": _("Event"),
    "embedding": _("Embedding"),
    "agent": _("Agent"),
    "tool": _("Tool"),
    "chain": _("Chain"),
    "retriever": _("Retriever"),
    "guardrail": _("Guardrail"),
    "evaluator": _("Evaluator"),
    tree.OTHER: _("Other steps"),
    tree.GAP: _("Between steps"),
}
_LOST: dict[str, Any] = {
    "missing": _("Its parent has not arrived"),
    "self": _("It names itself as parent"),
    "cycle": _("Its parent is below itself"),
    "repeated": _("Its id was sent more than once"),
}


# --- the tree ------------------------------------------------------------------------------------------


def drawing(trace: TraceSummary, rows: Sequence[ObservationRow], now: int) -> dict[str, Any]:
    """The tree as the page's script draws it: plain JSON, words and figures already in the reader's
    language. Times are microseconds from `start`; absent keys mean none."""
    running = trace.is_running(now)
    built = tree.build(rows[:MAX_ROWS])
    return {
        "rows": [_row(line, running) for line in built.lines],
        "start": built.start,
        "duration": built.duration,
        "running": running,
        "notices": _notices(trace, built, len(rows), running),
        "path": formats.duration(built.duration / 1000),
        "shares": [
            {
                "type": share.type.lower() if share.type not in (tree.GAP, tree.OTHER) else share.type,
                "label": str(TYPES[share.type.lower()]),
                "text": formats.duration(share.micros / 1000),
                "start": share.start,
                "width": share.width,
            }
            for share in built.shares
        ],
    }


def _row(line: tree.Line, running: bool) -> dict[str, Any]:
    row = line.observation
    level = row.level.lower() if row.level in ("ERROR", "WARNING", "DEBUG") else ""
    duration = None if line.end is None else (line.end - line.start) / 1000
    drawn = {
        "name": visible(row.name[:MAX_NAME]),
        "type": type_key(row.type),
        "below": line.below,
        "start": line.start,
        "end": line.end,
        "first": line.first,
        "level": level,
        "reason": reason(row) if level in ("error", "warning") else "",
        "took": "" if duration is None else formats.duration(duration),
        "open": line.end is None and running,
        "cost": "" if line.cost is None else ("≈" if line.is_estimated else "") + formats.cost(line.cost),
        "model": visible(row.model[:MAX_NAME]),
        "lost": str(_LOST.get(line.lost, "")),
        "critical": line.critical,
        "doubt": doubt_words(line.doubt),
        "entry": line.is_entry,
        "plumbing": line.is_plumbing,
    }
    given = {key: value for key, value in drawn.items() if value or type(value) is int}
    return {"id": row.id} | given


def doubt_words(doubt: clocks.Doubt | None) -> str:
    """Why a time is doubted, as a sentence; empty when it is not."""
    if doubt is None:
        return ""
    words = {
        "future": gettext("It starts %(time)s after it was received: the sender's clock is ahead."),
        "early": gettext("It starts %(time)s before its parent: their clocks differ."),
        "late": gettext("It starts %(time)s after its parent ended."),
    }
    return words[doubt.reason] % {"time": formats.duration(doubt.by / 1000)}


def reason(row: ObservationRow) -> str:
    """Why an observation is marked, in a word or two."""
    found = short_reason(row.status_message)
    if found:
        return found
    return gettext("error") if row.level == "ERROR" else gettext("warning")


def _notices(trace: TraceSummary, built: tree.Tree, count: int, running: bool) -> list[str]:
    notices = []
    left_out = max(trace.observation_count, count) - len(built.lines)
    if left_out > 0:
        shown, total = formats.count(len(built.lines)), formats.count(len(built.lines) + left_out)
        notices.append(
            gettext("The first %(shown)s of %(total)s observations are drawn.")
            % {"shown": shown, "total": total}
        )
    if not trace.has_root and not running:
        notices.append(gettext("The root of this trace has not arrived."))
    elif built.lost and not running:
        text = ngettext(
            "%(n)s observation stands at the top because its parent is not usable.",
            "%(n)s observations stand at the top because their parents are not usable.",
            built.lost,
        )
        notices.append(text % {"n": formats.count(built.lost)})
    return notices


# --- one observation -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Facts:
    """Figures of one observation."""

    type: str
    type_label: Any
    reason: str
    latency_ms: float | None
    first_token_ms: float | None
    speed: str  # output tokens a second
    input_tokens: int
    output_tokens: int
    total_tokens: int
    parameters: list[tuple[str, str]]
    service: str  # application, where it was given a name
    error: tuple[str, Text] | None  # recorded exception: its kind and message, its stack trace
    usage_faults: list[str]  # what contradicts itself in the usage


def facts(row: ObservationRow) -> Facts:
    """What stands in the head of an observation."""
    sent_in, sent_out, total = tokens(row.usage)
    latency = None if row.end_time is None else max(row.end_time - row.start_time, 0) / 1000
    first = row.completion_start_time
    first_ms = (first - row.start_time) / 1000 if first is not None and first > row.start_time else None
    return Facts(
        type=type_key(row.type),
        type_label=TYPES[type_key(row.type)],
        reason=reason(row) if row.level in ("ERROR", "WARNING") else "",
        latency_ms=latency,
        first_token_ms=first_ms,
        speed=_speed(sent_out, latency, first_ms),
        input_tokens=sent_in,
        output_tokens=sent_out,
        total_tokens=total,
        parameters=_parameters(row.model_parameters),
        service=next(iter(named_services((row.service_name,))), ""),
        error=_exception(row.attributes),
        usage_faults=[fault.words() for fault in usage_checks.contradictions(row.usage)],
    )


def named_services(names: Sequence[str]) -> list[str]:
    """Applications that were given a name: OpenTelemetry calls others `unknown_service`."""
    return [name for name in names if name and not name.startswith("unknown_service")]


def _speed(output: int, latency: float | None, first: float | None) -> str:
    """Output tokens a second, from the first token where it is known."""
    writing = None if latency is None else latency - (first or 0)
    if not output or not writing or writing <= 0:
        return ""
    speed = output * 1000 / writing
    return number_format(speed, decimal_pos=0 if speed >= 10 else 1, force_grouping=True)


_KINDS: dict[str, Any] = {
    "input": _("Input"),
    "output": _("Output"),
    "input_cache_read": _("Input, cache read"),
    "input_cached_tokens": _("Input, cache read"),
    "cache_read_input_tokens": _("Input, cache read"),
    "input_cache_creation": _("Input, cache write"),
    "cache_creation_input_tokens": _("Input, cache write"),
    "output_reasoning": _("Output, reasoning"),
    "output_reasoning_tokens": _("Output, reasoning"),
    "input_audio": _("Input, audio"),
    "input_audio_tokens": _("Input, audio"),
    "output_audio": _("Output, audio"),
    "output_audio_tokens": _("Output, audio"),
}


def kind_label(kind: str) -> str:
    """A kind of usage in words."""
    return str(_KINDS[kind]) if kind in _KINDS else visible(kind[:MAX_NAME]).replace("_", " ")


def _parameters(text: str) -> list[tuple[str, str]]:
    """Model parameters as short pairs, empty ones left out."""
    try:
        value = parse(text) if text else None
    except NotJson:
        value = None
    if not isinstance(value, dict):
        return []
    return [
        (visible(name[:60]), shown)
        for name, item in list(value.items())[:MAX_ENTRIES]
        if (shown := _short(item)) not in ("", "null")
    ]


def _short(value: Any) -> str:
    if isinstance(value, str):
        text = value
    elif isinstance(value, Number):
        text = value.text
    else:
        text = "".join(piece.text for line in lay_out(value, limit=4) for piece in line.pieces)
    return visible(" ".join(text[:200].split()))


# --- metadata ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and its value: laid-out JSON, or text."""

    key: str
    text: Text | None
    lines: list[Line]
    media: list[Reference]


@dataclass(frozen=True, slots=True)
class Section:
    """Entries under one heading."""

    title: Any
    entries: list[Entry]
    left_out: int = 0


def metadata(row: ObservationRow) -> list[Section]:
    """Everything known of an observation besides its content, heading by heading; empty ones left out."""
    received = _received(row.attributes)
    scope = received.get("scope")
    events = received.get("events")
    sections = [
        section_of(_("Metadata"), row.metadata),
        section_of(_("Attributes"), received.get("attributes")),
        section_of(_("Shown as input or output"), received.get("held")),
        *[_event(event) for event in (events if isinstance(events, list) else [])[:50]],
        section_of(_("Resource"), received.get("resource")),
        section_of(_("Instrumentation scope"), scope),
        section_of(_("Origin"), _origin(row, received.get("kind"))),
    ]
    return _files_once([section for section in sections if section.entries])


def trace_metadata(trace: TraceSummary) -> list[Section]:
    """The same of a whole trace."""
    facts = {
        gettext("Trace id"): trace.id,
        gettext("Environment"): trace.environment,
        gettext("Release"): trace.release,
        gettext("Version"): trace.version,
        gettext("Application"): ", ".join(trace.services),
        gettext("Instance"): ", ".join(trace.hosts),
        gettext("Received"): formats.moment(trace.received_at),
    }
    sections = [section_of(_("Metadata"), trace.metadata), section_of(_("Trace"), given(facts))]
    return _files_once([section for section in sections if section.entries])


def _files_once(sections: list[Section]) -> list[Section]:
    """The same, each file under the first entry that refers to it: attributes repeat what metadata say."""
    shown: set[Reference] = set()
    for section in sections:
        for at, entry in enumerate(section.entries):
            if entry.media:
                fresh = [reference for reference in entry.media if reference not in shown]
                section.entries[at] = replace(entry, media=fresh)
                shown.update(fresh)
    return sections


def _received(attributes: str) -> dict[str, Any]:
    """The stored attributes; nothing when they are not the object that ingestion writes."""
    try:
        value = parse(attributes) if attributes else {}
    except NotJson:
        value = {gettext("not readable"): attributes}
    return value if isinstance(value, dict) else {}


def _event(event: Any) -> Section:
    if not isinstance(event, dict):
        return Section("", [])
    name = event.get("name")
    title = gettext("Event %(name)s") % {"name": visible(str(name)[:MAX_NAME])}
    inner = event.get("attributes")
    moment = {gettext("Time"): event.get("time")} if event.get("time") else {}
    return section_of(title, {**moment, **(inner if isinstance(inner, dict) else {})})


def _origin(row: ObservationRow, kind: Any) -> dict[str, str]:
    return given(
        {
            gettext("Observation id"): row.id,
            gettext("Parent id"): row.parent_id,
            gettext("Started"): formats.moment(row.start_time),
            gettext("Ended"): "" if row.end_time is None else formats.moment(row.end_time),
            gettext("Received"): formats.moment(row.received_at) if row.received_at else "",
            gettext("Environment"): row.environment,
            gettext("Release"): row.release,
            gettext("Version"): row.version,
            gettext("SDK"): f"{row.sdk_name} {row.sdk_version}".strip(),
            gettext("Application"): row.service_name,
            gettext("Instance"): row.host_name,
            gettext("Span kind"): kind if isinstance(kind, str) else "",
            gettext("Arrived by"): row.source,
        }
    )


def given(values: Mapping[str, str]) -> dict[str, str]:
    """Those of the values that are not empty."""
    return {key: value for key, value in values.items() if value}


def section_of(title: Any, values: Any) -> Section:
    """Keys and values under a heading; nothing for what is no mapping."""
    if not isinstance(values, Mapping):
        return Section(title, [])
    entries = [_entry(str(key), value) for key, value in list(values.items())[:MAX_ENTRIES]]
    return Section(title, entries, max(len(values) - MAX_ENTRIES, 0))


def _entry(key: str, value: Any) -> Entry:
    shown = visible(key[:MAX_NAME])
    if isinstance(value, str):
        try:
            inner = parse(value) if value.lstrip()[:1] in ("{", "[") else value
        except NotJson:
            inner = value
        value = inner
    if isinstance(value, str):
        text = cut_text(value, 12, 1_500, 20_000)
        return Entry(shown, text, [], _media([text.head, text.tail]))
    lines = lay_out(value, limit=MAX_VALUE_LINES)
    return Entry(shown, None, lines, _media(piece.text for line in lines for piece in line.pieces))


def _media(texts: Iterable[str]) -> list[Reference]:
    """The files that texts refer to, each once."""
    return list(dict.fromkeys(reference for text in texts for reference in references.find(text)))


def _exception(attributes: str) -> tuple[str, Text] | None:
    """The first exception an observation recorded: `Kind: message`, and its stack trace."""
    if "exception" not in attributes:
        return None
    events = _received(attributes).get("events")
    for event in events if isinstance(events, list) else []:
        inner = event.get("attributes") if isinstance(event, dict) else None
        if isinstance(inner, dict) and event.get("name") == "exception":
            words = [inner.get(f"exception.{key}") for key in ("type", "message")]
            title = ": ".join(word for word in words if isinstance(word, str) and word)
            stack = inner.get("exception.stacktrace")
            stack = stack if isinstance(stack, str) else ""
            return visible(title[:2_000]), cut_text(stack, 10_000, 30_000, 30_000)
    return None
