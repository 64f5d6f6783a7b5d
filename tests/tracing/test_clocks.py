"""Times that cannot be true, and data that came late: when it is said, and that pages say it."""

from __future__ import annotations

import json
from html import unescape

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from apps.tracing import clocks
from apps.tracing.clocks import DAY, SECOND, Doubt
from apps.tracing.writer import Writer
from tests import factories
from tests.tracing.rows import row
from tests.tracing.spans import START, root, span

_times = st.integers(0, 2**55)


@pytest.mark.parametrize(
    ("start", "received_at", "expected"),
    [
        (100 * SECOND, 40 * SECOND, None),
        (100 * SECOND, 39 * SECOND, Doubt("future", 61 * SECOND)),
        (100 * SECOND, 200 * SECOND, None),
        (100 * SECOND, 0, None),  # not known when
    ],
)
def test_the_future(start, received_at, expected):
    assert clocks.of_observation(row("a", start=start, received_at=received_at), None) == expected


@pytest.mark.parametrize(
    ("start", "end_of_parent", "expected"),
    [
        (10 * SECOND, 20 * SECOND, None),
        (9 * SECOND, 20 * SECOND, None),
        (8 * SECOND, 20 * SECOND, Doubt("early", 2 * SECOND)),
        (30 * SECOND, 20 * SECOND, None),  # work that goes on
        (30 * SECOND + DAY, 20 * SECOND, Doubt("late", 10 * SECOND + DAY)),
        (30 * SECOND + DAY, None, None),
    ],
)
def test_outside_of_the_parent(start, end_of_parent, expected):
    parent = row("p", start=10 * SECOND, end=end_of_parent)
    assert clocks.of_observation(row("a", "p", start), parent) == expected


def test_the_future_is_said_first():
    parent = row("p", start=900 * SECOND)
    assert clocks.of_observation(row("a", "p", 500 * SECOND, received_at=1), parent).reason == "future"


@pytest.mark.parametrize(
    ("ended", "received_at", "days"),
    [(0, DAY - 1, 0), (0, DAY, 1), (DAY, 5 * DAY, 4), (5 * DAY, DAY, 0), (5, 0, 0)],
)
def test_days_late(ended, received_at, days):
    assert clocks.days_late(ended, received_at) == days


@given(_times, st.none() | _times, _times, _times, st.none() | _times)
def test_a_doubt_says_by_how_much(start, end, received_at, parent_start, parent_end):
    found = clocks.of_observation(
        row("a", "p", start, end, received_at=received_at), row("p", "", parent_start, parent_end)
    )
    assert found is None or found.by > SECOND - 1
    within = parent_start <= start <= (start if parent_end is None else parent_end)
    if within and start <= received_at:
        assert found is None


@pytest.mark.django_db
def test_pages_say_it(client: Client, writer: Writer) -> None:
    owner = factories.user()
    project = factories.project(owner=owner)
    client.force_login(owner)
    hour = 3600 * SECOND
    writer.commit(
        [
            root(project.id, "t", start_time=START, received_at=START + 4 * DAY + 9 * SECOND),
            span(
                project.id,
                "t",
                "early",
                start_time=START - 5 * SECOND,
                received_at=START + 4 * DAY + 9 * SECOND,
            ),
            root(project.id, "f", "ahead", start_time=START + 3 * hour, received_at=START),
        ]
    )

    def page(path: str) -> str:
        return unescape(client.get(f"/project/{project.id}/traces{path}").content.decode())

    assert "arrived 4 days late" in page("/t")
    rows = json.loads(
        page("/t").split('id="trace-drawing" type="application/json">')[1].split("</script>")[0]
    )["rows"]
    assert {row["id"]: row.get("doubt") for row in rows} == {
        "root": None,
        "early": "It starts 5.00 s before its parent: their clocks differ.",
    }
    panel = page("/t?part=observation&observation=early")
    assert "before its parent" in panel and "It arrived 4 days after it ended." in panel
    assert "clock ahead" in page("/f")
    assert "It starts 3 h 0 min after it was received" in page("/f?part=observation&observation=ahead")
    listed = page("?range=all")
    assert listed.count("Clock in doubt") == 1
    assert "beyond its arrival" in listed
