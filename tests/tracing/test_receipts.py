"""Write receipts: only ours, only for their project."""

from __future__ import annotations

import base64

import pytest

from apps.core.errors import InvalidRequest
from apps.tracing import receipts
from apps.tracing.writer import Writer
from tests.tracing.spans import root


def test_a_commit_gives_a_receipt(writer: Writer, project: str) -> None:
    result = writer.commit([root(project, "t")])
    receipts.verify(project, result.receipt(project))
    again = writer.commit([root(project, "t")])  # nothing new, and still a receipt
    receipts.verify(project, again.receipt(project))


def test_another_project_may_not_use_it(project: str) -> None:
    with pytest.raises(InvalidRequest):
        receipts.verify(project + "x", receipts.issue(project, "w", 1))


@pytest.mark.parametrize("forged", ["", "x", "é", "A" * 3000, "AAAA", "-_-_", "a b"])
def test_a_forged_one_is_refused(project: str, forged: str) -> None:
    with pytest.raises(InvalidRequest):
        receipts.verify(project, forged)


def test_a_changed_one_is_refused(project: str) -> None:
    raw = bytearray(base64.urlsafe_b64decode(receipts.issue(project, "writer", 12345) + "=="))
    raw[-1] ^= 1
    with pytest.raises(InvalidRequest):
        receipts.verify(project, base64.urlsafe_b64encode(raw).decode().rstrip("="))


def test_it_says_nothing_readable(project: str) -> None:
    assert project not in receipts.issue(project, "w", 1)


def test_several_writers_fit_in_one(project: str) -> None:
    receipts.verify(project, receipts.combine(project, [("a", 1), ("b", 2)]))
