"""Fixtures of the whole program."""

from tests.support.program import authorization, project, sender

__all__ = ["authorization", "project", "sender"]
