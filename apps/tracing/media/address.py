"""LITEFUSE_MEDIA_URL read: which bucket, where. Plain Python, since settings need it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

FORM = "s3://bucket/prefix?region=…&endpoint=…"
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
_KNOWN = frozenset({"region", "endpoint", "addressing"})


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of S3, or of a service that speaks it."""

    name: str
    prefix: str  # "" or "…/"
    region: str
    endpoint: str
    addressing: str  # "virtual": bucket in the host name; "path": in the path
    access_key: str = ""  # empty: from the AWS environment
    secret_key: str = field(default="", repr=False)

    @property
    def origin(self) -> str:
        """Where browsers fetch files from, for the content security policy."""
        parts = urlsplit(self.endpoint)
        host = f"{self.name}.{parts.netloc}" if self.addressing == "virtual" else parts.netloc
        return f"{parts.scheme}://{host}"


def parse(text: str) -> Bucket | None:
    """The bucket an address names; None for no address. Raises ValueError, without the address (it may
    hold a secret), when it makes no sense."""
    if not text:
        return None
    parts = urlsplit(text)
    if parts.scheme != "s3" or not _BUCKET.fullmatch(parts.netloc.rpartition("@")[2]):
        raise ValueError(f"it should look like {FORM}")
    options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    if unknown := options.keys() - _KNOWN:
        raise ValueError(f"it knows {', '.join(sorted(_KNOWN))}, but not {', '.join(sorted(unknown))}")
    region = options.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    endpoint = options.get("endpoint", "").rstrip("/")
    if endpoint and not re.fullmatch(r"https?://[^/?#@\s;,]+", endpoint):
        raise ValueError("endpoint should look like https://host:port")
    addressing = options.get("addressing", "path" if endpoint else "virtual")
    if addressing not in ("path", "virtual"):
        raise ValueError("addressing is path or virtual")
    prefix = unquote(parts.path).strip("/")
    return Bucket(
        name=parts.netloc.rpartition("@")[2],
        prefix=f"{prefix}/" if prefix else "",
        region=region or "us-east-1",
        endpoint=endpoint or f"https://s3.{region or 'us-east-1'}.amazonaws.com",
        addressing=addressing,
        access_key=unquote(parts.username or ""),
        secret_key=unquote(parts.password or ""),
    )
