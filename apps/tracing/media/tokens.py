"""Addresses that open one file of the local storage for a while: what they allow is signed into them."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from django.core import signing

from apps.core.errors import Forbidden

URL_SECONDS = 3600  # how long an address is good for
MAX_TOKEN = 2_000  # characters


@dataclass(frozen=True, slots=True)
class Upload:
    """One file that may be put, exactly as announced."""

    project_id: str
    media_id: str
    key: str
    content_type: str
    content_length: int  # bytes
    sha256: str  # base64


@dataclass(frozen=True, slots=True)
class Download:
    """One file that may be read."""

    key: str
    content_type: str  # as announced; `types.served_as` says what is sent
    name: str
    attachment: bool = False  # also what could be shown


def sign(claim: Upload | Download, expires: int) -> str:
    """A token of URL-safe characters; `expires` in seconds since the epoch."""
    signer = signing.Signer(salt=_salt(type(claim)))
    return signer.sign_object({**asdict(claim), "expires": expires})


def read_upload(token: str) -> Upload:
    """What a token allows. Raises Forbidden for one that is not ours or no longer good."""
    return Upload(**_read(token, Upload))


def read_download(token: str) -> Download:
    """The same for reading."""
    return Download(**_read(token, Download))


def _salt(kind: type) -> str:
    return f"media.{kind.__name__.lower()}"


def _read(token: str, kind: type) -> dict[str, Any]:
    if len(token) > MAX_TOKEN:
        raise Forbidden("This address is not one of ours.")
    try:
        claim: dict[str, Any] = signing.Signer(salt=_salt(kind)).unsign_object(token)
    except signing.BadSignature:
        raise Forbidden(
            f"This address is not one of ours, or not one for {kind.__name__.lower()}s."
        ) from None
    if claim.pop("expires") < time.time():
        raise Forbidden("This address has expired. Ask the API for a new one.")
    return claim
