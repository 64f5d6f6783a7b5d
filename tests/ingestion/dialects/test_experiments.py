"""Spans of experiments: which they are part of, and of which item."""

from __future__ import annotations

import pytest

from apps.ingestion.mapping.experiments import experiment
from tests.ingestion.test_mapping_recordings import replay
from tests.support.mapping import Vector, decoded, vectors


@vectors(
    Vector(
        "the experiment of a span",
        {"langfuse.experiment.id": "e", "langfuse.experiment.item.root_observation_id": "r"},
        {"experiment": {"id": "e", "root": "r"}},
    ),
    Vector("no experiment", {"langfuse.experiment.name": "n"}, {"experiment": {}}),
)
def test_vectors(vector):
    vector.check()


def told(**attributes):
    named = {f"langfuse.experiment.{name.replace('__', '.')}": value for name, value in attributes.items()}
    return experiment(decoded(named))


def test_a_span_of_an_item():
    assert told(
        id="e1",
        name="run",
        dataset__id="d1",
        item__id="i1",
        item__root_observation_id="00ff",
        item__version="2026-11-21T08:00:00.1234+01:00",
    ) == {
        "id": "e1",
        "name": "run",
        "dataset_id": "d1",
        "item_id": "i1",
        "root": "00ff",
        "item_version": "2026-11-21T07:00:00.123Z",
    }


def test_other_spans_say_nothing():
    assert told() is None
    assert told(name="a name alone", id="") is None
    assert told(id="e" * 201) is None


@pytest.mark.parametrize("version", ["yesterday", "", "2026-11-21T08:00:00", 5, None])
def test_a_version_that_is_no_time_is_dropped(version):
    assert told(id="e", item__version=version) == {"id": "e"}


@pytest.mark.parametrize("name", ["js_v4", "js_v5", "py_v3_315", "py_v4_418", "py_v5_504"])
def test_recorded_experiments_have_one_row_an_item(name):
    rows = [row for row in replay(name) if row.experiment]
    roots = [row for row in rows if row.experiment["root"] == row.id]
    assert len({row.experiment["id"] for row in rows}) == 1
    assert sorted(row.experiment["item_id"] for row in roots) == sorted(
        {row.experiment["item_id"] for row in rows}
    )
    assert len(roots) == 2
