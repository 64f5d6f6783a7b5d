"""Whose the resources of an OTLP request are: one project's all, or each that of the key it carries.

A resource's attribute `token` may hold a key, for exporters that cannot set headers; it is taken away before
anything else looks at the resource. Next to credentials in a header it means nothing: programs that export to
two places carry the other's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.core.errors import ApiError, InvalidRequest, RateLimited, Suspended, Unauthorized
from apps.ingestion.credentials import missing
from apps.ingestion.otlp import TOKEN, Resource
from apps.organizations.authentication import PUBLIC_PREFIX, SECRET_PREFIX, Access

MAX_TOKENS = 16  # distinct ones in a request
SAFE_LENGTH = 6  # characters from which a token is nothing else by chance
NO_KEY = (
    f"resource without credentials: set its attribute '{TOKEN}' to 'public key:secret key' of a project"
    " that ingests, or send them in a header"
)


@dataclass(frozen=True, slots=True)
class Tenants:
    """What opens the resources of a request."""

    access: Access  # by the header, by default, or nobody's
    by_token: Mapping[str, Access | ApiError] = field(default_factory=dict)

    def claim(self, resource: Resource) -> Access | str:
        """Whose a resource is, or why it is refused; takes the token away from it."""
        token = resource.attributes.pop(TOKEN, None)
        if self.access.is_shown:
            return self.access
        if is_key(token):
            found = self.by_token.get(token, NO_KEY)
            return found.message if isinstance(found, ApiError) else found
        return self.access if self.access.project_id else NO_KEY

    def require_any(self) -> None:
        """Raise when nobody's data can be in the request."""
        refusals = [found for found in self.by_token.values() if isinstance(found, ApiError)]
        if self.access.project_id or len(refusals) < len(self.by_token):
            return
        if refusals and all(isinstance(refusal, Suspended | RateLimited) for refusal in refusals):
            raise refusals[0]
        raise Unauthorized(refusals[0].message) if refusals else missing()

    def all(self) -> list[tuple[Access, str]]:
        """Everybody let in, once a key, with a digest of the token that did it (empty: none)."""
        found = {self.access: ""} if self.access.project_id else {}
        for token, opened in self.by_token.items():
            if isinstance(opened, Access):
                found[opened] = digest(token)
        return list(found.items())

    @property
    def are_several(self) -> bool:
        """Whether more than one project may be in the request."""
        return len({access.project_id for access, _ in self.all()}) > 1


def without(body: bytes, tokens: Iterable[Any]) -> bytes:
    """An unpacked body with its tokens blotted out, for those who look at it later; empty when that cannot be
    done for sure."""
    for written in {str(token).encode("utf-8", "replace") for token in tokens}:
        if len(written) < SAFE_LENGTH or written not in body:
            return b""
        body = body.replace(written, b"*" * len(written))
    return body


def is_key(token: object) -> bool:
    """Whether a `token` is meant for us; other vendors call theirs the same."""
    return isinstance(token, str) and token.startswith((PUBLIC_PREFIX, SECRET_PREFIX))


def keys_among(tokens: Iterable[object]) -> list[str]:
    """The distinct keys among tokens. Raises InvalidRequest when there are more than anybody needs."""
    keys = list(dict.fromkeys(token for token in tokens if isinstance(token, str) and is_key(token)))
    if len(keys) > MAX_TOKENS:
        raise InvalidRequest(
            f"More than {MAX_TOKENS} different keys in the resources of one request. Send smaller batches."
        )
    return keys


def digest(token: str) -> str:
    """Tells tokens apart without being one."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()[:16]
