"""Files that dataset items refer to: where in the item a reference stands, and where the file can be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from apps.core.clock import iso_millis, now_micros
from apps.datasets.models import ItemVersion
from apps.tracing.media import services
from apps.tracing.media.references import MARK, PATTERN, of_match
from apps.tracing.media.tokens import URL_SECONDS

MAX_REFERENCES = 1000  # of one item
FIELDS = (("input", "input"), ("expectedOutput", "expected_output"), ("metadata", "metadata"))


@dataclass(frozen=True, slots=True)
class Found:
    """A reference in an item."""

    field: str
    text: str
    path: str  # JSONPath to the text that holds it
    media_id: str


def references(rows: Sequence[ItemVersion], base: str) -> list[list[dict[str, Any]]]:
    """Of each row the references to files that are here; `base` is the address of this server."""
    found = [list(_in_item(row)) for row in rows]
    wanted = {reference.media_id for of_row in found for reference in of_row}
    if not wanted:
        return [[] for _ in rows]
    here = services.find(rows[0].project_id, wanted)
    expiry = iso_millis(now_micros() + URL_SECONDS * 1_000_000)
    media = {
        id: {
            "mediaId": id,
            "contentType": row.content_type,
            "contentLength": row.content_length,
            "url": services.download_url(row, base),
            "urlExpiry": expiry,
        }
        for id, row in here.items()
        if row.uploaded_at is not None
    }
    return [[_shape(one, media[one.media_id]) for one in of_row if one.media_id in media] for of_row in found]


def _shape(reference: Found, media: dict[str, Any]) -> dict[str, Any]:
    return {
        "field": reference.field,
        "referenceString": reference.text,
        "jsonPath": reference.path,
        "media": media,
    }


def _in_item(row: ItemVersion) -> Iterable[Found]:
    found: list[Found] = []
    for field, attribute in FIELDS:
        for path, text in texts(getattr(row, attribute)):
            for match in PATTERN.finditer(text) if MARK in text else ():
                found.append(Found(field, match[0], path, of_match(match).media_id))
                if len(found) == MAX_REFERENCES:
                    return found
    return found


def texts(value: Any) -> Iterator[tuple[str, str]]:
    """Every text in a JSON value with its JSONPath, `$['key'][0]`."""
    waiting = [("$", value)]
    while waiting:
        path, item = waiting.pop()
        if isinstance(item, str):
            yield path, item
        elif isinstance(item, dict):
            waiting += [(f"{path}['{_escaped(key)}']", child) for key, child in reversed(item.items())]
        elif isinstance(item, list):
            waiting += [(f"{path}[{place}]", child) for place, child in reversed(list(enumerate(item)))]


def _escaped(key: str) -> str:
    return key.replace("\\", "\\\\").replace("'", "\\'")
