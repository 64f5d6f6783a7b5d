"""Roles and what they may do. One table, asked everywhere."""

from __future__ import annotations

_SCOPES = {"project:read": {"OWNER", "ADMIN", "MEMBER", "VIEWER"}}


def allows(role: str, scope: str) -> bool:
    """Whether `role` includes `scope`; an unknown scope is a programming error."""
    return role in _SCOPES[scope]
