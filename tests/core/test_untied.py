"""Answers of the API die with their last use: what is left to the garbage collector halts all requests."""

from __future__ import annotations

import gc

import pytest
from rest_framework.request import Request
from rest_framework.views import APIView

from tests.support.api import Keys


@pytest.mark.parametrize(("path", "status"), [("projects", 200), ("traces/nothing", 404), ("models/x", 404)])
def test_an_answer_leaves_nothing_to_the_garbage_collector(ours: Keys, path: str, status: int) -> None:
    ours.read.get(path)  # what is made once
    gc.collect()
    gc.disable()
    try:
        assert ours.read.get(path).status_code == status
        kinds = map(type, gc.get_objects())  # by isinstance, lazy objects would be made
        left = [kind for kind in kinds if issubclass(kind, Request | APIView)]
    finally:
        gc.enable()
    assert left == []
