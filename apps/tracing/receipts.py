"""Write receipts: proof of what was stored, which any later read may demand to see."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from functools import cache

from django.conf import settings

from apps.core.clock import now_micros
from apps.core.errors import InvalidRequest, Unavailable
from apps.telemetry.gate import gate

_MAC_BYTES = 16
_MAX_LENGTH = 2000
WAIT_SECONDS = 2.0
SETTLED_AFTER = 60_000_000  # microseconds; replicas have what is older than this
_SINGLE = ("MergeTree", "ReplacingMergeTree")  # engines of tables without replicas
_INVALID = "The receipt is not one of this project. Send it back exactly as the write returned it."


def issue(project_id: str, writer_id: str, sequence: int) -> str:
    """A receipt for everything this writer stored for the project up to `sequence`."""
    return combine(project_id, [(writer_id, sequence)])


def combine(project_id: str, written: list[tuple[str, int]]) -> str:
    """One receipt for what several writers stored: (writer, sequence) pairs."""
    payload = ",".join(f"{writer}.{sequence}" for writer, sequence in written).encode()
    return base64.urlsafe_b64encode(_mac(project_id, payload) + payload).rstrip(b"=").decode()


def verify(project_id: str, receipt: str) -> None:
    """Return once all that the receipt stands for can be read.

    Raises InvalidRequest for a receipt that is forged or another project's, Unavailable when the data is
    still not readable after WAIT_SECONDS (a replica lags).
    """
    written = _open(project_id, receipt)
    if gate().embedded:
        return  # issued after the rows were readable, and there is one store
    deadline = time.monotonic() + WAIT_SECONDS
    for writer, sequence in written:
        pause = 0.02
        while not _readable(project_id, writer, sequence):
            if time.monotonic() >= deadline:
                raise Unavailable("What the receipt stands for cannot be read yet. Try again.", retry_after=1)
            time.sleep(pause)
            pause = min(pause * 2, 0.25)


def _open(project_id: str, receipt: str) -> list[tuple[str, int]]:
    try:
        if len(receipt) > _MAX_LENGTH:
            raise ValueError
        raw = base64.b64decode(receipt + "=" * (-len(receipt) % 4), altchars=b"-_", validate=True)
        mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, _mac(project_id, payload)):
            raise ValueError
        pairs = [pair.rpartition(".") for pair in payload.decode().split(",")]
        return [(writer, int(sequence)) for writer, _, sequence in pairs]
    except ValueError:
        raise InvalidRequest(_INVALID) from None


def _readable(project_id: str, writer: str, sequence: int) -> bool:
    if now_micros() - sequence > SETTLED_AFTER:
        return True
    found = gate().query(
        _WRITTEN, {"project": project_id, "writer": writer, "sequence": sequence}, purpose="receipt"
    )
    return bool(found) or not _has_replicas()


# Other writers may have replaced these rows, or somebody deleted them: they are marked then, and there until
# parts are merged.
_WRITTEN = """
SELECT 1 FROM observations
WHERE project_id = {project:String} AND writer = {writer:String} AND event_ts >= {sequence:UInt64} LIMIT 1
UNION ALL
SELECT 1 FROM scores
WHERE project_id = {project:String} AND writer = {writer:String} AND v >= {sequence:UInt64} LIMIT 1
SETTINGS apply_deleted_mask = 0, apply_patch_parts = 0
"""


def _has_replicas() -> bool:
    """Without them all is in one store, and was readable there before its receipt was made."""
    opened = gate()
    engines = opened.query(
        "SELECT engine FROM system.tables WHERE database = {database:String}"
        " AND name IN ('observations', 'scores')",
        {"database": opened.database},
        purpose="receipt",
    )
    return not engines or any(engine not in _SINGLE for (engine,) in engines)


def _mac(project_id: str, payload: bytes) -> bytes:
    message = project_id.encode() + b"\0" + payload
    return hmac.new(_key(settings.SECRET_KEY), message, hashlib.sha256).digest()[:_MAC_BYTES]


@cache
def _key(secret: str) -> bytes:
    return hashlib.sha256(b"litefuse write receipts\0" + secret.encode()).digest()
