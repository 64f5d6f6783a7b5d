"""Many requests about one prompt at the same moment: no number twice, no label lost or on two versions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections

from apps.organizations import authentication
from apps.prompts.models import Prompt, PromptLabel, PromptVersion
from tests.support.api import Keys, project_with_keys

pytestmark = pytest.mark.django_db(transaction=True)
CROWD = 6


@pytest.fixture
def keys(transactional_db: None) -> Keys:
    """A project that other threads see too."""
    authentication.forget_answers()
    return project_with_keys()


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What calls answer that begin together, each in a thread of its own."""
    start = threading.Barrier(len(calls))
    answers: list[Any] = [None] * len(calls)

    def run(place: int, call: Callable[[], Any]) -> None:
        try:
            start.wait(60)
            answers[place] = call()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return answers


def check_labels(prompt: Prompt) -> None:
    held = list(PromptLabel.objects.filter(prompt=prompt).values_list("name", "version__number"))
    assert len({name for name, _ in held}) == len(held)
    newest = max(prompt.versions.values_list("number", flat=True))
    assert dict(held)["latest"] == newest


def test_versions_made_at_once_get_numbers_of_their_own(keys: Keys):
    def make(number: int) -> Callable[[], Any]:
        body = {"name": "p", "prompt": str(number), "labels": ["production", f"l{number % 2}"], "tags": ["t"]}
        return lambda: keys.full.post("v2/prompts", body)

    answers = at_once(*(make(number) for number in range(CROWD)))
    assert [answer.status_code for answer in answers] == [201] * CROWD
    assert sorted(answer.json()["version"] for answer in answers) == list(range(1, CROWD + 1))
    assert PromptVersion.objects.count() == CROWD
    check_labels(Prompt.objects.get())
    assert Prompt.objects.get().tags.count() == 1


def test_labels_moved_at_once_end_on_one_version(keys: Keys):
    for _ in range(CROWD):
        keys.full.post("v2/prompts", {"name": "p", "prompt": "x"})

    def move(version: int) -> Callable[[], Any]:
        body = {"newLabels": ["production", "a", "b"]}
        return lambda: keys.full.patch(f"v2/prompts/p/versions/{version}", body)

    answers = at_once(*(move(number) for number in range(1, CROWD + 1)))
    assert [answer.status_code for answer in answers] == [200] * CROWD
    holders = PromptLabel.objects.exclude(name="latest").values_list("version_id", flat=True)
    assert len(holders) == 3 and len(set(holders)) == 1
    check_labels(Prompt.objects.get())


def test_versions_made_while_all_are_deleted(keys: Keys):
    keys.full.post("v2/prompts", {"name": "p", "prompt": "x"})

    def make() -> Any:
        return [keys.full.post("v2/prompts", {"name": "p", "prompt": "x"}).status_code for _ in range(4)]

    def delete() -> Any:
        return [keys.full.delete("v2/prompts/p").status_code for _ in range(4)]

    made, deleted, more = at_once(make, delete, make)
    assert {*made, *more} == {201}
    assert set(deleted) <= {204, 404}
    for prompt in Prompt.objects.all():
        numbers = sorted(prompt.versions.values_list("number", flat=True))
        assert numbers == list(range(1, len(numbers) + 1))
        check_labels(prompt)


def test_models_made_at_once_are_one(keys: Keys):
    body = {"modelName": "m", "matchPattern": "^m$", "unit": "TOKENS", "inputPrice": 1}

    def make() -> Any:
        return keys.full.post("models", body).status_code

    def put() -> Any:
        return keys.full.put("models/mine", body | {"modelName": "n"}).status_code

    answers = at_once(make, put, make, put)
    assert sorted([answers[0], answers[2]]) == [200, 400]
    assert set(answers) <= {200, 400}
    assert keys.full.get("models").json()["meta"]["totalItems"] == 2
