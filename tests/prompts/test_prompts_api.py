"""Prompts over the public API: versions, labels, tags, composition, lists; and every way that is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.prompts.models import Prompt, PromptVersion
from tests.support.api import Keys, check_bad, check_hidden, check_refusals

KEYS = {
    "id", "createdAt", "updatedAt", "projectId", "createdBy", "name", "version", "type", "prompt", "config",
    "labels", "tags", "commitMessage", "isActive", "resolutionGraph",
}  # fmt: skip


def create(keys: Keys, name: str = "greeting", prompt: Any = "Hello", **fields: Any) -> dict[str, Any]:
    answer = keys.full.post("v2/prompts", {"name": name, "prompt": prompt, **fields})
    assert answer.status_code == 201, answer.content
    return answer.json()


def get(keys: Keys, name: str = "greeting", **query: Any) -> dict[str, Any]:
    answer = keys.read.get(f"v2/prompts/{name}", **query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_a_version_is_made_and_read(ours: Keys):
    made = create(
        ours, labels=["production", "staging"], tags=["b", "a"], config={"model": "m", "n": [1, None]},
        commitMessage="First words",
    )  # fmt: skip
    assert made.keys() == KEYS
    assert get(ours) == made
    assert made | {"id": "", "createdAt": "", "updatedAt": ""} == {
        "id": "",
        "createdAt": "",
        "updatedAt": "",
        "projectId": ours.project_id,
        "createdBy": "API",
        "name": "greeting",
        "version": 1,
        "type": "text",
        "prompt": "Hello",
        "config": {"model": "m", "n": [1, None]},
        "labels": ["production", "staging", "latest"],
        "tags": ["b", "a"],
        "commitMessage": "First words",
        "isActive": True,
        "resolutionGraph": None,
    }
    assert made["createdAt"].endswith("Z") and len(made["createdAt"]) == 24


def test_what_is_not_given(ours: Keys):
    made = create(ours, labels=None, tags=None, config=None, commitMessage=None, type=None)
    found = {name: made[name] for name in ("labels", "tags", "config", "commitMessage", "isActive", "type")}
    assert found == {
        "labels": ["latest"], "tags": [], "config": {}, "commitMessage": None, "isActive": False,
        "type": "text",
    }  # fmt: skip
    answer = ours.read.get("v2/prompts/greeting")
    assert (answer.status_code, answer.json()["error"]) == (404, "LangfuseNotFoundError")


def test_labels_belong_to_one_version(ours: Keys):
    create(ours, labels=["production", "a"])
    create(ours, prompt="Hi", labels=["production"])
    create(ours, prompt="Hey")
    assert [get(ours, version=number)["labels"] for number in (1, 2, 3)] == [
        ["a"],
        ["production"],
        ["latest"],
    ]
    assert get(ours)["prompt"] == "Hi"
    assert get(ours, label="latest")["version"] == 3
    assert get(ours, label="a")["version"] == 1
    assert ours.read.get("v2/prompts/greeting", version="4").status_code == 404
    assert ours.read.get("v2/prompts/greeting", label="nobody").status_code == 404


def test_labels_are_added_to_a_version(ours: Keys):
    create(ours, labels=["production", "a"])
    create(ours, labels=["b"])
    before = get(ours, version=2)
    answer = ours.full.patch("v2/prompts/greeting/versions/2", {"newLabels": ["production", "c", "c"]})
    assert answer.status_code == 200
    assert answer.json() == get(ours, version=2)
    assert answer.json()["labels"] == ["b", "latest", "production", "c"]
    assert answer.json()["updatedAt"] > before["updatedAt"]
    assert get(ours, version=1)["labels"] == ["a"]
    again = ours.full.patch("v2/prompts/greeting/versions/2", {"newLabels": []})
    assert again.json() == answer.json()


@pytest.mark.parametrize(
    "labels", [None, "production", [1], ["UPPER"], [""], ["x" * 37], ["a b"], ["ä"], ["a"] * 101, ["latest"]]
)
def test_labels_that_are_refused(ours: Keys, labels: Any):
    create(ours)
    check_bad(ours.full.patch("v2/prompts/greeting/versions/1", {"newLabels": labels}), "newLabels")
    assert get(ours, version=1)["labels"] == ["latest"]


def test_labels_of_no_version(ours: Keys):
    create(ours)
    for path in ("greeting/versions/2", "greeting/versions/99999999999999999999", "other/versions/1"):
        answer = ours.full.patch(f"v2/prompts/{path}", {"newLabels": ["a"]})
        assert (answer.status_code, answer.json()["error"]) == (404, "LangfuseNotFoundError")
    check_bad(ours.full.patch("v2/prompts/greeting/versions/1", []))


def test_tags_are_shared_by_all_versions(ours: Keys):
    create(ours, tags=["a", "b", "a"])
    create(ours)
    assert get(ours, version=2)["tags"] == ["a", "b"]
    create(ours, tags=["c"])
    assert [get(ours, version=number)["tags"] for number in (1, 2, 3)] == [["c"]] * 3
    create(ours, tags=[])
    assert get(ours, version=1)["tags"] == []


def test_a_prompt_keeps_its_type(ours: Keys):
    create(ours)
    answer = ours.full.post("v2/prompts", {"name": "greeting", "type": "chat", "prompt": []})
    check_bad(answer, "type")
    assert answer.json()["error"] == "InvalidRequestError"
    assert PromptVersion.objects.count() == 1


def test_chats_with_placeholders(ours: Keys):
    messages = [
        {"role": "system", "content": "You are {{role}}."},
        {"type": "placeholder", "name": "history"},
        {"type": "chatmessage", "role": "user", "content": "{{ q }}", "name": "kept"},
    ]
    assert create(ours, "chat", messages, type="chat", labels=["production"])["prompt"] == messages
    assert get(ours, "chat")["prompt"] == messages
    shorter = create(ours, "chat", [{"name": "history"}], type="chat")
    assert shorter["prompt"] == [{"type": "placeholder", "name": "history"}]


NESTED: Any = 1
for _ in range(230):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": None}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": "a|b"}, "name"),
        ({"name": "<b>"}, "name"),
        ({"name": "/a"}, "name"),
        ({"name": "a/"}, "name"),
        ({"name": "a//b"}, "name"),
        ({"name": "new"}, "name"),
        ({"name": "a\0"}, "name"),
        ({"name": 5}, "name"),
        ({"prompt": None}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": "\0"}, "prompt"),
        ({"type": "image"}, "type"),
        ({"type": 5}, "type"),
        ({"labels": "production"}, "labels"),
        ({"labels": ["Production"]}, "labels"),
        ({"labels": [5]}, "labels"),
        ({"tags": "a"}, "tags"),
        ({"tags": [""]}, "tags"),
        ({"tags": [None]}, "tags"),
        ({"tags": ["a"] * 101}, "tags"),
        ({"config": NESTED}, "config"),
        ({"config": {"a": "\0"}}, "config"),
        ({"commitMessage": "x" * 501}, "commitMessage"),
        ({"commitMessage": 5}, "commitMessage"),
        ({"type": "chat"}, "prompt"),
        ({"type": "chat", "prompt": ["x"]}, "prompt"),
        ({"type": "chat", "prompt": [{"role": "user"}]}, "content"),
        ({"type": "chat", "prompt": [{"role": 1, "content": "x"}]}, "role"),
        ({"type": "chat", "prompt": [{"role": "user", "content": [], "type": "chatmessage"}]}, "content"),
        ({"type": "chat", "prompt": [{"role": "user", "content": "x", "type": "y"}]}, "type"),
        ({"type": "chat", "prompt": [{"type": "placeholder", "name": "1x"}]}, "name"),
        ({"type": "chat", "prompt": [{"type": "placeholder"}]}, "name"),
        (
            {
                "type": "chat",
                "prompt": [{"type": "placeholder", "name": "q"}, {"role": "user", "content": "{{q}}"}],
            },
            "prompt",
        ),
    ],
)
def test_bodies_that_are_refused(ours: Keys, change: dict[str, Any], field: str):
    body = {"name": "greeting", "prompt": "Hello", **change}
    for path in ("v2/prompts", "prompts"):
        check_bad(ours.full.post(path, body), field)
    assert not Prompt.objects.exists()


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"x"', '{"config": NaN}', "[" * 100_000])
def test_bodies_that_are_no_prompt(ours: Keys, body: str):
    assert ours.full.post("v2/prompts", body).status_code == 400


@pytest.mark.parametrize(
    ("query", "field"),
    [({"version": "x"}, "version"), ({"version": "0"}, "version"), ({"version": "9" * 30}, "version"),
     ({"resolve": "yes"}, "resolve"), ({"label": "a\0"}, "label"), ({"version": "1", "label": "a"}, "label")],
)  # fmt: skip
def test_questions_that_are_refused(ours: Keys, query: dict[str, str], field: str):
    create(ours)
    check_bad(ours.full.get("v2/prompts/greeting", **query), field)


def test_folders(ours: Keys):
    create(ours, "support/eu/greeting", labels=["production"])
    assert get(ours, "support%2Feu%2Fgreeting")["name"] == "support/eu/greeting"
    assert get(ours, "support/eu/greeting")["name"] == "support/eu/greeting"
    answer = ours.full.patch("v2/prompts/support%2Feu%2Fgreeting/versions/1", {"newLabels": ["a"]})
    assert answer.status_code == 200
    create(ours, "x/versions/3", labels=["production"])
    assert get(ours, "x%2Fversions%2F3")["name"] == "x/versions/3"
    assert ours.full.delete("v2/prompts/support%2Feu%2Fgreeting").status_code == 204
    assert ours.full.get("v2/prompts/support%2Feu%2Fgreeting").status_code == 404
    assert ours.full.get("v2/prompts/a%00b").status_code == 404
    assert ours.full.get("v2/prompts/" + "x" * 300).status_code == 404


# --- composition --------------------------------------------------------------------------------------------


def ref(name: str, **which: Any) -> str:
    ((key, value),) = which.items()
    return f"@@@langfusePrompt:name={name}|{key}={value}@@@"


def test_prompts_are_put_together(ours: Keys):
    tone = create(ours, "tone", "Be kind. \\1 $&", labels=["production"])
    rules = create(ours, "rules", f"Rules: {ref('tone', version=1)}", labels=["production"])
    content = f"{ref('rules', label='production')} and {ref('tone', label='production')} {{{{who}}}}"
    made = create(ours, "whole", content, labels=["production"])
    assert made["prompt"] == content and made["resolutionGraph"] is None
    found = get(ours, "whole")
    assert found["prompt"] == "Rules: Be kind. \\1 $& and Be kind. \\1 $& {{who}}"
    assert found["resolutionGraph"] == {
        "root": {"name": "whole", "version": 1, "id": made["id"]},
        "dependencies": {
            made["id"]: [
                {"name": "rules", "version": 1, "id": rules["id"]},
                {"name": "tone", "version": 1, "id": tone["id"]},
            ],
            rules["id"]: [{"name": "tone", "version": 1, "id": tone["id"]}],
        },
    }
    raw = get(ours, "whole", resolve="false")
    assert (raw["prompt"], raw["resolutionGraph"]) == (content, None)
    create(ours, "tone", "Be brief.", labels=["production"])
    assert get(ours, "whole")["prompt"] == "Rules: Be kind. \\1 $& and Be brief. {{who}}"


def test_chats_are_put_together(ours: Keys):
    create(ours, "tone", 'Be "kind".\n')
    messages = [
        {"role": "system", "content": f"A {ref('tone', label='latest')}"},
        {"type": "placeholder", "name": "h"},
    ]
    create(ours, "chat", messages, type="chat")
    found = get(ours, "chat", label="latest")["prompt"]
    assert found == [{"role": "system", "content": 'A Be "kind".\n'}, messages[1]]


@pytest.mark.parametrize(
    "text",
    ["@@@langfusePrompt:@@@", "@@@langfusePrompt:name=a@@@", "@@@langfusePrompt:name=a|version=x@@@",
     "@@@langfusePrompt:version=1|name=a@@@", "@@@langfusePrompt:name=a|version=99999999999@@@",
     "@@@langfusePrompt:name=a|version=0@@@", "@@@langfusePrompt:name=a|label=@@@"],
)  # fmt: skip
def test_what_is_no_reference_stays(ours: Keys, text: str):
    create(ours, prompt=text, labels=["production"])
    assert get(ours)["prompt"] == text


def test_references_that_are_refused(ours: Keys):
    create(ours, "chat", [], type="chat")
    create(ours, "a", "text")
    create(ours, "b", ref("a", label="latest"))
    for name, content, word in (
        ("x", ref("nobody", version=1), "nobody"),
        ("x", ref("a", version=2), "version 2"),
        ("x", ref("a", label="production"), "label production"),
        ("x", ref("chat", label="latest"), "chat"),
        ("a", ref("a", version=1), "itself"),
        ("a", ref("b", version=1), "itself"),
    ):
        answer = ours.full.post("v2/prompts", {"name": name, "prompt": content})
        check_bad(answer, "prompt", word)
        assert answer.json()["error"] == "InvalidRequestError"
    assert PromptVersion.objects.count() == 3


def test_nesting_has_an_end(ours: Keys):
    create(ours, "p1", "deep")
    for level in range(2, 6):
        create(ours, f"p{level}", ref(f"p{level - 1}", version=1))
    assert get(ours, "p5", version=1)["prompt"] == "deep"
    check_bad(ours.full.post("v2/prompts", {"name": "p6", "prompt": ref("p5", version=1)}), "5 deep")


def test_growth_has_an_end(ours: Keys):
    create(ours, "p1", "")
    create(ours, "p2", "".join(f"{ref('p1', version=1)}{number}" for number in range(9_000)))
    third = "".join(f"{ref('p2', version=1)}{number}" for number in range(9_000))
    check_bad(ours.full.post("v2/prompts", {"name": "p3", "prompt": third}), "4000000 characters")
    many = "".join(ref("p1", label=f"l{n}") for n in range(201))
    check_bad(ours.full.post("v2/prompts", {"name": "many", "prompt": many}), "prompt")


def test_what_cannot_be_put_together_any_more_is_told(ours: Keys):
    create(ours, "a", "text", labels=["x"])
    create(ours, "b", ref("a", label="x"), labels=["production"])
    create(ours, "c", "text", labels=["y"])
    create(ours, "a", ref("c", label="y"), labels=["x"])
    create(ours, "d", ref("b", label="production"), labels=["x"])
    assert get(ours, "b")["prompt"] == "text"
    Prompt.objects.filter(name="c").delete()
    answer = ours.full.get("v2/prompts/b")
    assert (answer.status_code, answer.json()["error"]) == (409, "LangfuseConflictError")
    assert get(ours, "b", resolve="false")["prompt"] == ref("a", label="x")


# --- deletion -----------------------------------------------------------------------------------------------


def test_versions_are_deleted(ours: Keys):
    for labels in (["a"], ["production"], ["b"]):
        create(ours, labels=labels)
    assert ours.full.call("DELETE", "v2/prompts/greeting", query={"version": "3"}).status_code == 204
    assert get(ours, label="latest")["version"] == 2
    assert get(ours, version=2)["labels"] == ["production", "latest"]
    assert ours.full.call("DELETE", "v2/prompts/greeting", query={"label": "a"}).status_code == 204
    assert ours.full.call("DELETE", "v2/prompts/greeting", query={"label": "a"}).status_code == 404
    both = {"label": "production", "version": "1"}
    assert ours.full.call("DELETE", "v2/prompts/greeting", query=both).status_code == 404
    answer = ours.full.delete("v2/prompts/greeting")
    assert (answer.status_code, answer.content) == (204, b"")
    assert not Prompt.objects.exists()
    assert ours.full.delete("v2/prompts/greeting").status_code == 404
    assert create(ours, type="chat", prompt=[])["version"] == 1
    check_bad(ours.full.call("DELETE", "v2/prompts/greeting", query={"version": "x"}), "version")


def test_what_others_are_made_of_stays(ours: Keys):
    create(ours, "part", "1", labels=["x"])
    create(ours, "part", "2")
    create(ours, "user1", ref("part", version=1))
    create(ours, "user2", ref("part", label="latest"))
    create(ours, "user3", ref("part", label="x"))
    for query in ({}, {"version": "1"}, {"label": "x"}):
        check_bad(ours.full.call("DELETE", "v2/prompts/part", query=query), "user")
    # latest goes on to version 1, which is enough for whom it is named by
    assert ours.full.call("DELETE", "v2/prompts/part", query={"version": "2"}).status_code == 204
    assert get(ours, "user2", label="latest")["prompt"] == "1"
    for user in ("user1", "user2", "user3"):
        assert ours.full.delete(f"v2/prompts/{user}").status_code == 204
    assert ours.full.delete("v2/prompts/part").status_code == 204


# --- lists --------------------------------------------------------------------------------------------------


def names(keys: Keys, **query: Any) -> list[str]:
    answer = keys.read.get("v2/prompts", **query)
    assert answer.status_code == 200, answer.content
    return [item["name"] for item in answer.json()["data"]]


def test_a_list_gathers_versions_by_name(ours: Keys, theirs: Keys):
    create(theirs, "hidden")
    create(ours, "b", labels=["production"], tags=["t"], config={"n": 1})
    last = create(ours, "b", labels=["x"], config={"n": 2})
    create(ours, "a", [], type="chat")
    answer = ours.read.get("v2/prompts").json()
    assert (
        answer["meta"] == answer["pagination"] == {"page": 1, "limit": 10, "totalItems": 2, "totalPages": 1}
    )
    assert [item["name"] for item in answer["data"]] == ["a", "b"]
    assert answer["data"][1] == {
        "name": "b",
        "type": "text",
        "versions": [1, 2],
        "labels": ["production", "x", "latest"],
        "tags": ["t"],
        "lastUpdatedAt": last["updatedAt"],
        "lastConfig": {"n": 2},
    }
    (shown,) = ours.read.get("v2/prompts", label="production").json()["data"]
    assert (shown["versions"], shown["labels"], shown["lastConfig"]) == ([1], ["production"], {"n": 1})


def test_simple_parameters(ours: Keys):
    first = create(ours, "a", labels=["x"], tags=["t"])
    create(ours, "b", tags=["t", "u"])
    third = create(ours, "c")
    assert names(ours, name="b") == ["b"]
    assert names(ours, label="x") == ["a"]
    assert names(ours, tag="t") == ["a", "b"]
    assert names(ours, version="1") == ["a", "b", "c"]
    assert names(ours, version="2") == []
    assert names(ours, fromUpdatedAt=third["updatedAt"]) == ["c"]
    assert names(ours, toUpdatedAt=first["updatedAt"]) == []
    assert names(ours, tag="t", name="c") == []


def one(type: str, column: str, operator: str, value: Any, **more: Any) -> dict[str, Any]:
    return {"type": type, "column": column, "operator": operator, "value": value, **more}


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (one("string", "name", "=", "Alpha"), ["Alpha"]),
        (one("string", "name", "=", "alpha"), []),
        (one("string", "name", "contains", "ALP"), ["Alpha", "alp%ine"]),
        (one("string", "name", "contains", "l_h"), ["Alpha"]),
        (one("string", "name", "contains", "p\\%i"), ["alp%ine"]),
        (one("string", "name", "contains", "p%a"), ["Alpha"]),
        (one("string", "name", "contains", "\\"), []),
        (one("string", "name", "does not contain", "alp"), ["beta"]),
        (one("string", "name", "starts with", "a"), ["Alpha", "alp%ine"]),
        (one("string", "name", "ends with", "A"), ["Alpha", "beta"]),
        (one("string", "name", "is not empty", ""), ["Alpha", "alp%ine", "beta"]),
        (one("stringOptions", "name", "any of", ["Alpha", "beta"]), ["Alpha", "beta"]),
        (one("stringOptions", "name", "none of", ["Alpha", "beta"]), ["alp%ine"]),
        (one("string", "type", "=", "chat"), ["beta"]),
        (one("stringOptions", "type", "any of", ["chat"]), ["beta"]),
        (one("number", "version", ">", 1), ["Alpha"]),
        (one("number", "version", "=", 1.5), []),
        (one("number", "version", "<", 1e200), ["Alpha", "alp%ine", "beta"]),
        (one("datetime", "createdAt", ">", "2020-01-01T00:00:00Z"), ["Alpha", "alp%ine", "beta"]),
        (one("datetime", "updatedAt", "<", "2020-01-01T00:00:00Z"), []),
        (one("arrayOptions", "labels", "any of", ["x", "y"]), ["Alpha", "beta"]),
        (one("arrayOptions", "labels", "all of", ["x", "latest"]), ["Alpha"]),
        (one("arrayOptions", "labels", "none of", ["x", "y"]), ["Alpha", "alp%ine"]),
        (one("arrayOptions", "tags", "all of", ["t", "u"]), ["Alpha"]),
        (one("arrayOptions", "tags", "all of", []), ["Alpha", "alp%ine", "beta"]),
        (one("arrayOptions", "tags", "none of", ["u"]), ["alp%ine", "beta"]),
        (one("null", "tags", "is null", ""), ["alp%ine", "beta"]),
        (one("stringObject", "config", "=", "GPT", key="model"), ["beta"]),
        (one("stringObject", "config", "=", "gpt", key="model"), []),
        (one("stringObject", "config", "contains", "gp", key="model"), ["Alpha", "beta"]),
        (one("stringObject", "config", "does not contain", "gp", key="model"), ["Alpha", "alp%ine"]),
        (one("stringObject", "config", "=", "0.5", key="temp"), ["Alpha"]),
        (one("stringObject", "config", "=", "true", key="on"), ["Alpha"]),
        (one("stringObject", "config", "is set", "", key="model"), ["Alpha", "beta"]),
        (one("stringObject", "config", "is not set", "", key="model"), ["Alpha", "alp%ine"]),
        (one("stringObject", "config", "is set", "", key="99999999999999999999"), []),
        (one("stringObject", "config", "is set", "", key='"$.[0]'), []),
    ],
)
def test_filters(ours: Keys, condition: dict[str, Any], found: list[str]):
    create(ours, "Alpha", tags=["t", "u"], config=[1])
    create(ours, "Alpha", labels=["x"], config={"model": "gp-1", "temp": 0.5, "on": True})
    create(ours, "alp%ine")
    create(ours, "beta", [], type="chat", labels=["y"], config={"model": "GPT"})
    assert sorted(names(ours, filter=json.dumps([condition]))) == sorted(found)


def test_a_filter_stands_in_for_the_simple_parameters(ours: Keys):
    create(ours, "a")
    create(ours, "b")
    asked = '[{"type":"string","column":"name","operator":"=","value":"b"}]'
    assert names(ours, name="a", label="nobody", filter=asked) == ["b"]
    assert names(ours, name="a", filter="[]") == ["a"]


@pytest.mark.parametrize(
    ("query", "field"),
    [({"limit": "101"}, "limit"), ({"limit": "0"}, "limit"), ({"page": "0"}, "page"), ({"page": "x"}, "page"),
     ({"fromUpdatedAt": "2026-11-21T08:00:00"}, "fromUpdatedAt"), ({"toUpdatedAt": "x"}, "toUpdatedAt"),
     ({"version": "x"}, "version"), ({"filter": "["}, "filter"),
     ({"filter": '[{"type":"string","column":"color","operator":"=","value":"b"}]'}, "column")],
)  # fmt: skip
def test_lists_that_are_refused(ours: Keys, query: dict[str, str], field: str):
    check_bad(ours.read.get("v2/prompts", **query), field)


def test_paging_to_the_end_while_prompts_are_written(ours: Keys):
    for number in range(25):
        create(ours, f"p{number:02}")
    seen = []
    for item in ours.read.pages("v2/prompts", limit="7"):
        if len(seen) % 5 == 0:
            create(ours, f"p{len(seen) % 25:02}")
            create(ours, f"q{len(seen):02}")
        seen.append(item["name"])
    assert seen[:25] == [f"p{number:02}" for number in range(25)]
    assert len(seen) == len(set(seen))


# --- version 1 ----------------------------------------------------------------------------------------------


def test_the_first_version_of_the_api(ours: Keys):
    made = ours.full.post("prompts", {"name": "a b", "prompt": "x", "isActive": True, "labels": ["l"]})
    assert (made.status_code, made.json()["labels"]) == (201, ["l", "production", "latest"])
    assert ours.full.post("prompts", {"name": "a b", "prompt": "y", "isActive": False}).status_code == 201
    found = ours.read.get("prompts", name="a b")
    assert (found.status_code, found.json()["prompt"], found.json()["isActive"]) == (200, "x", True)
    assert ours.read.get("prompts", name="a b", version="2").json()["prompt"] == "y"
    assert ours.read.get("prompts", name="nobody").status_code == 404
    check_bad(ours.read.get("prompts"), "name")
    check_bad(ours.read.get("prompts", name="a b", version="x"), "version")
    check_bad(ours.full.post("prompts", {"name": "a", "prompt": "x", "isActive": "yes"}), "isActive")


# --- who may ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "scope", "body"),
    [
        ("GET", "v2/prompts", "read", None),
        ("POST", "v2/prompts", "write", {"name": "x", "prompt": "y"}),
        ("GET", "v2/prompts/greeting", "read", None),
        ("DELETE", "v2/prompts/greeting", "write", None),
        ("PATCH", "v2/prompts/greeting/versions/1", "write", {"newLabels": ["a"]}),
        ("GET", "prompts", "read", None),
        ("POST", "prompts", "write", {"name": "x", "prompt": "y"}),
    ],
)
def test_refusals(ours: Keys, method: str, path: str, scope: str, body: Any):
    create(ours)
    check_refusals(ours, method, path, scope=scope, body=body, shape="named")
    assert list(PromptVersion.objects.values_list("prompt__name", "number")) == [("greeting", 1)]
    assert get(ours, version=1)["labels"] == ["latest"]


def test_refusals_name_their_error(ours: Keys):
    assert ours.ingest.get("v2/prompts").json()["error"] == "ForbiddenError"
    from tests.support.api import NOBODY

    assert NOBODY.get("v2/prompts/x").json()["error"] == "UnauthorizedError"


def test_another_projects_prompts(ours: Keys, theirs: Keys):
    create(ours, labels=["production"])
    check_hidden(theirs, "GET", "v2/prompts/greeting")
    check_hidden(theirs, "GET", "prompts", query={"name": "greeting"})
    check_hidden(theirs, "DELETE", "v2/prompts/greeting")
    check_hidden(theirs, "PATCH", "v2/prompts/greeting/versions/1", body={"newLabels": ["a"]})
    check_bad(theirs.full.post("v2/prompts", {"name": "x", "prompt": ref("greeting", version=1)}), "greeting")
    assert names(theirs) == names(theirs, label="production") == names(theirs, filter="[]") == []
    for operator in ("any of", "none of"):
        asked = json.dumps([one("arrayOptions", "labels", operator, ["production"])])
        assert names(theirs, filter=asked) == []
    assert create(theirs)["version"] == 1
    assert len(PromptVersion.objects.all()) == 2


def test_changes_are_written_down(ours: Keys):
    create(ours, labels=["a"])
    create(ours)
    ours.full.patch("v2/prompts/greeting/versions/2", {"newLabels": ["a"]})
    ours.full.patch("v2/prompts/greeting/versions/2", {"newLabels": ["a"]})
    ours.full.delete("v2/prompts/greeting")
    entries = AuditEntry.objects.filter(resource_type="prompt").order_by("id")
    assert [(entry.action, (entry.after or entry.before)["version"]) for entry in entries] == [
        ("create", 1), ("create", 2), ("update", 2), ("delete", 1), ("delete", 2),
    ]  # fmt: skip
    moved = entries[2]
    assert moved.before == {"name": "greeting", "version": 2, "labels": ["latest"]}
    assert moved.after == {"name": "greeting", "version": 2, "labels": ["a", "latest"]}
    assert {(entry.project_id, entry.organization_id, entry.actor_kind) for entry in entries} == {
        (ours.project_id, ours.organization.id, "key")
    }
