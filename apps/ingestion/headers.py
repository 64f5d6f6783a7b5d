"""What headers say, alike in HTTP and in gRPC's metadata."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from apps.core.errors import InvalidRequest
from apps.ingestion.mapping.shapes import Sender

Headers = dict[str, str]  # names in lower case, with dashes

_VERSION = re.compile(r"\d{1,3}")


def read_headers(sent: Iterable[tuple[str, str]]) -> Headers:
    """Headers by name. Underscores are read as dashes, as some SDKs mean them; a name that was sent with
    dashes wins."""
    headers = dict(sent)
    for name in [name for name in headers if "_" in name]:
        headers.setdefault(name.replace("_", "-"), headers[name])
    return headers


def sender(headers: Mapping[str, str]) -> Sender:
    """The client; wrong or missing names are no reason to refuse. Raises InvalidRequest for a version of the
    protocol that nobody speaks yet."""
    version = headers.get("x-langfuse-ingestion-version", "").strip()
    if version and (_VERSION.fullmatch(version) is None or int(version) > 4):
        raise InvalidRequest("x-langfuse-ingestion-version must be a whole number up to 4.")
    name = headers.get("x-langfuse-sdk-name", "").lower()
    return Sender(name, headers.get("x-langfuse-sdk-version", ""), int(version or 0))
