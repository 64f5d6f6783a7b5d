"""The page of one trace on a real store: what it shows, to whom, and that no trace breaks it."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import translation

from apps.core.errors import Unavailable
from apps.organizations.models import Project, Role
from apps.tracing import repository
from apps.tracing.listing import trace_url
from apps.tracing.records import Level, Observation, ObservationType, TraceFacts
from apps.tracing.writer import Writer
from tests import factories
from tests.tracing.spans import SECOND, START, root, span

pytestmark = pytest.mark.django_db


def get(client: Client, project: Project, trace_id: str, **query: str) -> HttpResponse:
    url = trace_url(project.id, trace_id)
    return client.get(
        url + ("&" if "?" in url else "?") + "&".join(f"{k}={quote(v)}" for k, v in query.items())
    )


def drawing(response: HttpResponse) -> dict[str, Any]:
    found = re.search(
        r'<script id="trace-drawing" type="application/json">(.*?)</script>', text(response), re.S
    )
    assert found
    return json.loads(found[1])


def text(response: HttpResponse) -> str:
    return response.content.decode()


def agent(project_id: str) -> list[Observation]:
    """A small agent run: a plan that streams, and a tool that fails."""
    return [
        root(
            project_id,
            "run",
            name="trip",
            type=ObservationType.AGENT,
            end_time=START + 9 * SECOND,
            trace=TraceFacts(user_id="u 1/ä", session_id="s&1", tags=["red"], version="2.1"),
            input="first words",
            output="last words",
        ),
        span(
            project_id,
            "run",
            "plan",
            type=ObservationType.GENERATION,
            name="plan",
            completion_start_time=START + SECOND // 2,
            input=json.dumps(
                [{"role": "system", "content": "be brief"}, {"role": "user", "content": "where to?"}]
            ),
            output=json.dumps({"role": "assistant", "content": "to Osaka"}),
            usage={"input": 1200, "output": 50, "total": 1250},
            cost={"input": Decimal("0.0036"), "output": Decimal("0.00075"), "total": Decimal("0.00435")},
            total_cost=Decimal("0.00437"),
            price_version="sonnet@3",
            pricing_tier_name="Large Context",
            prompt_name="planner",
            prompt_version=4,
            model_parameters='{"temperature": 0.4}',
            metadata={"colour": "blue"},
            service_name="concierge",
        ),
        span(
            project_id,
            "run",
            "tool",
            type=ObservationType.TOOL,
            name="book",
            start_time=START + SECOND,
            level=Level.ERROR,
            status_message="504 from the hotel",
            attributes=json.dumps(
                {
                    "attributes": {"hotel.id": 7},
                    "resource": {"host": "h1"},
                    "events": [
                        {
                            "name": "exception",
                            "attributes": {
                                "exception.type": "Timeout",
                                "exception.message": "no answer",
                                "exception.stacktrace": "line 1\nline 2",
                            },
                        }
                    ],
                }
            ),
        ),
    ]


def test_it_works(reader: Client, home: Project, writer: Writer) -> None:
    writer.commit(agent(home.id))
    response = get(reader, home, "run")
    assert response.status_code == 200
    page = text(response)
    assert "first words" in page and "last words" in page
    assert "?range=all&amp;user=u%201/%C3%A4" in page.replace("%2F", "/")
    assert "service=concierge" in page
    assert "session=s%261" in page and "tag=red" in page and "2.1" in page
    rows = drawing(response)["rows"]
    assert [(row["name"], row["type"], row["below"]) for row in rows] == [
        ("trip", "agent", 2),
        ("plan", "generation", 0),
        ("book", "tool", 0),
    ]
    assert rows[1]["first"] == SECOND // 2
    assert rows[2]["level"] == "error" and rows[2]["reason"] == "504"


def test_an_observation_shows_its_facts_conversation_and_cost(
    reader: Client, home: Project, writer: Writer
) -> None:
    writer.commit(agent(home.id))
    for query in ({}, {"part": "observation"}):
        page = text(get(reader, home, "run", observation="plan", **query))
        for words in ("be brief", "where to?", "to Osaka", "planner", "v4", "temperature", "0.4", "gpt-5"):
            assert words in page
        for words in ("$0.0044", "100 tok/s", "500 ms", "1,200"):
            assert words in page, words
        assert "first words" not in page.split("data-panel-of")[1]
    fragment = text(get(reader, home, "run", observation="plan", part="observation"))
    assert "<html" not in fragment and "trace-drawing" not in fragment


def test_usage_that_contradicts_itself_says_so(reader: Client, home: Project, writer: Writer) -> None:
    usage = {"input": 900, "input_cached_tokens": 800, "output": 10, "total": 910}
    writer.commit([root(home.id, "t", usage=usage), span(home.id, "t", "fine")])
    words = "The kinds of usage come to more than the total sent with them (1710 &gt; 910)."
    assert words in text(get(reader, home, "t", observation="root"))
    assert words not in text(get(reader, home, "t", observation="fine"))


def test_an_error_shows_its_message_and_stack_trace(reader: Client, home: Project, writer: Writer) -> None:
    writer.commit(agent(home.id))
    page = text(get(reader, home, "run", observation="tool", part="observation"))
    for words in ("notice-error", "504 from the hotel", "Timeout: no answer", "line 2"):
        assert words in page


def test_json_and_metadata_have_tabs(reader: Client, home: Project, writer: Writer) -> None:
    writer.commit(agent(home.id))
    as_json = text(get(reader, home, "run", observation="plan", part="observation", tab="json"))
    assert '<span class="j-key">&quot;role&quot;</span>' in as_json
    metadata = text(get(reader, home, "run", observation="tool", part="observation", tab="metadata"))
    for words in ("hotel.id", "h1", "Resource", "Event exception"):
        assert words in metadata
    own = text(get(reader, home, "run", observation="plan", part="observation", tab="metadata"))
    assert "colour" in own and "concierge" in own
    assert get(reader, home, "run", tab="metadata").status_code == 200
    assert get(reader, home, "run", tab="nonsense", view="sideways").status_code == 200


def test_the_tree_is_also_there_alone_for_live_updates(reader: Client, home: Project, writer: Writer) -> None:
    whole = agent(home.id)
    writer.commit(whole[1:2])
    before = get(reader, home, "run", part="tree").json()
    assert len(before["tree"]["rows"]) == 1 and before["tree"]["notices"]
    writer.commit(whole[:1] + whole[2:])
    after = get(reader, home, "run", part="tree").json()
    assert len(after["tree"]["rows"]) == 3 and not after["tree"]["notices"]
    assert "trip" in after["head"] and "<html" not in after["head"]


def test_raw_content_is_a_download_of_exactly_what_was_sent(
    reader: Client, home: Project, writer: Writer
) -> None:
    sent = '<script>alert(1)</script>\u202e\n{"a": 1.0}'
    writer.commit([root(home.id, "run", input=sent, output="out")])
    response = get(reader, home, "run", part="raw", side="input", observation="root")
    assert text(response) == sent
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Disposition"].startswith("attachment;")
    assert text(get(reader, home, "run", part="raw", side="output")) == "out"
    for query in ({"side": "id"}, {"side": "input", "observation": "none"}, {"side": "attributes"}, {}):
        assert get(reader, home, "run", part="raw", **query).status_code == 404


@pytest.mark.parametrize(
    "query", [{}, {"part": "tree"}, {"part": "observation"}, {"part": "raw", "side": "input"}]
)
def test_nobody_else_sees_it(home: Project, writer: Writer, query: dict[str, str]) -> None:
    writer.commit(agent(home.id))
    stranger = Client()
    assert get(stranger, home, "run", **query).status_code == 302
    stranger.force_login(factories.user())
    assert get(stranger, home, "run", **query).status_code == 404
    other = factories.project(owner=factories.user())
    neighbour = Client()
    neighbour.force_login(factories.member(other.organization, Role.OWNER))
    assert get(neighbour, other, "run", **query).status_code == 404
    assert get(neighbour, home, "run", **query).status_code == 404


def test_unknown_ids_say_so(reader: Client, home: Project, writer: Writer) -> None:
    response = get(reader, home, "nothing\u202e<b>")
    assert response.status_code == 404 and "<b>" not in text(response)
    writer.commit(agent(home.id))
    response = get(reader, home, "run", observation="gone")
    assert response.status_code == 200 and "not in this trace" in text(response)


@pytest.mark.parametrize(
    "trace_id",
    ["a/b/../c", "..", "setup", "?#%25 &", "ü/名", "x" * 200, "\u202eid", "_", "a//b/", " ", "'\"<b>"],
)
def test_any_id_has_a_page(reader: Client, home: Project, writer: Writer, trace_id: str) -> None:
    writer.commit([root(home.id, trace_id, id=trace_id, name="odd", input="question")])
    response = get(reader, home, trace_id, observation=trace_id)
    assert response.status_code == 200
    assert drawing(response)["rows"][0]["id"] == trace_id
    assert "question" in text(response)


def test_offered_tools_say_whether_they_were_called(reader: Client, home: Project, writer: Writer) -> None:
    offered = [{"name": name, "input_schema": {}} for name in ("weather", "news")]
    sent = json.dumps({"messages": [{"role": "user", "content": "Rain?"}], "tools": offered})
    made = json.dumps([{"id": "c1", "name": "news", "args": {}}])
    writer.commit([root(home.id, "t", input=sent, output=made)])
    shown = text(get(reader, home, "t", observation="root", part="observation"))
    assert "weather, <b>news</b>" in shown and shown.count(">called<") == 1


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>'\"&\u202e\x00"


def test_hostile_content_stays_text(reader: Client, home: Project, writer: Writer) -> None:
    chat = [
        {
            "role": HOSTILE,
            "name": HOSTILE,
            "content": HOSTILE,
            "tool_calls": [{"id": HOSTILE, "name": HOSTILE, "args": {HOSTILE: HOSTILE}}],
        }
    ]
    facts = TraceFacts(
        name=HOSTILE, user_id=HOSTILE, session_id=HOSTILE, tags=[HOSTILE], metadata={HOSTILE: HOSTILE}
    )
    writer.commit(
        [
            root(
                home.id,
                HOSTILE,
                name=HOSTILE,
                trace=facts,
                input=json.dumps(chat),
                output=HOSTILE,
                metadata={HOSTILE: HOSTILE},
                model=HOSTILE,
                model_parameters=json.dumps({HOSTILE: HOSTILE}),
                usage={HOSTILE: 4},
                cost={HOSTILE: Decimal(1)},
                level=Level.WARNING,
                status_message=HOSTILE,
                version=HOSTILE,
                release=HOSTILE,
                environment=HOSTILE,
                prompt_name=HOSTILE,
                attributes=json.dumps({"attributes": {HOSTILE: HOSTILE}}),
            ),
        ]
    )
    for tab in ("preview", "json", "metadata"):
        for query in ({}, {"observation": "root"}):
            page = text(get(reader, home, HOSTILE, tab=tab, **query))
            assert "<script>alert" not in page and "<img src=x" not in page
            shown = re.sub(r'(data-copy|href|data-base|data-id|data-panel-of)="[^"]*"', "", page)
            shown = re.sub(r'<script id="trace-drawing".*?</script>', "", shown, flags=re.S)
            assert "\u202e" not in shown and "\x00" not in shown
            assert not re.search(r'\sstyle="', page)


def absurd(project_id: str) -> dict[str, list[Observation]]:
    deep = "[" * 1000 + "]" * 1000
    return {
        "no names, no ids": [
            root(project_id, "t", id=" ", name="", input="", output=""),
            span(project_id, "t", "0" * 16, name=""),
        ],
        "1 MB": [
            root(
                project_id,
                "t",
                input="x" * 1_000_000,
                output=json.dumps([{"role": "user", "content": "y " * 500_000}]),
            )
        ],
        "broken JSON": [
            root(
                project_id, "t", input='{"a": [1, 2', output=deep, model_parameters="{", metadata={"m": deep}
            )
        ],
        "deep JSON": [root(project_id, "t", input='{"a":' * 900 + "1" + "}" * 900, attributes="not json")],
        "a circle": [span(project_id, "t", "a", parent_id="b"), span(project_id, "t", "b", parent_id="a")],
        "itself": [span(project_id, "t", "a", parent_id="a")],
        "no root": [span(project_id, "t", "a", parent_id="gone"), span(project_id, "t", "b", parent_id="a")],
        "no end": [root(project_id, "t", end_time=None, type=ObservationType.EVENT)],
        "ends before it starts": [root(project_id, "t", end_time=1, completion_start_time=2)],
        "far ages": [
            root(project_id, "t", start_time=0, end_time=2**52),
            span(project_id, "t", "a", start_time=1),
        ],
        "huge figures": [
            root(
                project_id,
                "t",
                usage={"input": 2**62, "k" * 900: 1},
                cost={"input": Decimal("99999.1")},
                total_cost=Decimal("99999.1"),
            )
        ],
        "half characters": [
            root(project_id, "t", input='{"a": "\\ud800"}', output='[{"role": "user", "content": "\\udfff"}]')
        ],
    }


@pytest.mark.parametrize("case", absurd(""))
def test_absurd_traces_have_pages(reader: Client, home: Project, writer: Writer, case: str) -> None:
    sent = absurd(home.id)[case]
    writer.commit(sent)
    pages = [get(reader, home, "t"), get(reader, home, "t", part="tree")]
    pages += [
        get(reader, home, "t", observation=observation.id, tab=tab)
        for observation in sent
        for tab in ("preview", "json", "metadata")
    ]
    for response in pages:
        assert response.status_code == 200
        assert len(response.content) < 900_000
    assert {row["id"] for row in drawing(pages[0])["rows"]} == {observation.id for observation in sent}


def test_thousands_of_spans_are_drawn_in_one_page(
    reader: Client, home: Project, writer: Writer, django_assert_max_num_queries: Any
) -> None:
    spans = [span(home.id, "t", str(i), parent_id=str(i // 3), name=f"step {i}") for i in range(1, 3000)]
    writer.commit([root(home.id, "t", id="0"), *spans])
    with django_assert_max_num_queries(12):
        response = get(reader, home, "t")
    assert len(drawing(response)["rows"]) == 3000
    assert len(response.content) < 1_500_000


def test_what_is_more_than_can_be_drawn_is_counted(
    reader: Client, home: Project, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.tracing.detail.MAX_ROWS", 2)
    writer.commit(agent(home.id))
    drawn = drawing(get(reader, home, "run"))
    assert len(drawn["rows"]) == 2
    assert drawn["notices"][0] == "The first 2 of 3 observations are drawn."


def test_a_trace_whose_root_is_missing_says_so(reader: Client, home: Project, writer: Writer) -> None:
    writer.commit([span(home.id, "old", "a", parent_id="gone", start_time=START // 2)])
    assert "The root of this trace has not arrived." in drawing(get(reader, home, "old"))["notices"]


def test_a_store_that_is_down_is_said_with_503(
    reader: Client, home: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object) -> None:
        raise Unavailable("The telemetry store does not answer.")

    monkeypatch.setattr(repository, "get_trace", down)
    for query in ({}, {"part": "tree"}, {"part": "observation"}):
        response = get(reader, home, "run", **query)
        assert response.status_code == 503
        assert "does not answer" in text(response)


def test_it_is_named_as_clients_print_it(home: Project) -> None:
    assert reverse("tracing:trace-detail", args=[home.id, "abc"]) == f"/project/{home.id}/traces/abc"


def test_it_speaks_chinese_too(reader: Client, home: Project, writer: Writer) -> None:
    writer.commit(agent(home.id))
    reader.cookies["django_language"] = "zh-hans"
    with translation.override("en"):  # the request leaves its language active: back to ours afterwards
        assert get(reader, home, "run", observation="plan").status_code == 200


def test_a_trace_of_its_own_record_alone_has_pages(reader: Client, home: Project, writer: Writer) -> None:
    own = Observation(
        home.id, "t", "", START, trace=TraceFacts(name="told", input="asked", output="answered", user_id="u")
    )
    writer.commit([own])
    for response in (get(reader, home, "t"), get(reader, home, "t", part="tree")):
        assert response.status_code == 200
    page = get(reader, home, "t").content.decode()
    assert "told" in page and "asked" in page and "answered" in page
    assert "told" in reader.get(f"/project/{home.id}/traces?range=all").content.decode()
