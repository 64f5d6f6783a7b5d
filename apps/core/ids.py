"""Identifiers we make ourselves: time-ordered, URL-safe, without look-alike letters."""

from __future__ import annotations

import re
import secrets
import time

# What a tenant's id may be, also one that people chose (provisioning). Checked before a database is asked,
# so that no byte in an address can be an error there.
_TENANT_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32


def new_id() -> str:
    """A 26-character ULID in lower case: 48 bits of milliseconds, then 80 random bits."""
    value = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
    digits = []
    for _ in range(26):
        digits.append(_ALPHABET[value & 31])
        value >>= 5
    return "".join(reversed(digits))


def is_tenant_id(text: str) -> bool:
    """Whether `text` could be the id of an organization, a project or a key."""
    return _TENANT_ID.fullmatch(text) is not None
