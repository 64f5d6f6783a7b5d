"""What real SDKs sent about prompts, sent again: the answers they got are the ones they get."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.api import Keys
from tests.support.otlp import RECORDINGS

CLIENTS = {
    "js_v3": 2, "js_v4": 5, "js_v5": 5, "py_v2_2597": 5, "py_v3_315": 10, "py_v4_418": 10, "py_v5_504": 10,
}  # fmt: skip
SAME = ("name", "version", "type", "prompt", "config", "commitMessage", "resolutionGraph", "createdBy")


@pytest.mark.parametrize("client", CLIENTS)
def test_recorded_calls(ours: Keys, client: str):
    lines = map(json.loads, (RECORDINGS / f"{client}.jsonl").read_text().splitlines())
    calls = [line for line in lines if "/v2/prompts" in line["path"]]
    assert len(calls) == CLIENTS[client]
    for call in calls:
        sent = {name: value for name, value in call["headers"].items() if name != "authorization"}
        answer = ours.full.call(
            call["method"], quote(call["path"]), call.get("body_json"), call["query"],
            **{name.replace("-", "_"): value for name, value in sent.items()},
        )  # fmt: skip
        assert answer.status_code == call["response_status"], answer.content
        if call.get("stub_response"):
            check_same(answer.json(), call["stub_response"])


def check_same(answer: dict[str, Any], recorded: dict[str, Any]) -> None:
    assert answer.keys() == recorded.keys()
    assert {name: answer[name] for name in SAME} == {name: recorded[name] for name in SAME}
    assert sorted(answer["labels"]) == sorted(recorded["labels"])
    assert set(recorded["tags"]) <= set(answer["tags"])  # a prompt keeps its tags, which the stub forgot
