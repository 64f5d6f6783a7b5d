"""The page that lists traces, over the real store."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from html import unescape
from urllib.parse import quote, unquote

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import resolve
from hypothesis import given
from hypothesis import strategies as st

from apps.core.clock import now_micros
from apps.core.errors import Unavailable
from apps.tracing import listing, repository
from apps.tracing.records import Level, Observation, ObservationType, TraceFacts
from apps.tracing.writer import Writer
from tests import factories
from tests.tracing.spans import SECOND, root, span

MINUTE = 60 * SECOND
NAMED = TraceFacts(name="chat")


@dataclass
class Page:
    """A signed-in member, a project, and the list under it."""

    client: Client
    project_id: str
    writer: Writer

    @property
    def path(self) -> str:
        return f"/project/{self.project_id}/traces"

    def get(self, query: str = "", **headers: str) -> HttpResponse:
        return self.client.get(self.path + query, headers=headers or None)  # type: ignore[return-value]

    def text(self, query: str = "", **headers: str) -> str:
        response = self.get(query, **headers)
        assert response.status_code == 200
        return response.content.decode()

    def ids(self, query: str = "") -> list[str]:
        """Ids of the rows shown, in order."""
        return re.findall(r'<tr class="trace-row[^>]*data-id="([^"]*)"', self.text(query))

    def store(self, *spans: Observation) -> None:
        self.writer.commit(spans)


@pytest.fixture
def page(client: Client, writer: Writer) -> Page:
    person = factories.user(name="Ines")
    client.force_login(person)
    return Page(client, factories.project(owner=person).id, writer)


def trace(page: Page, id: str, *, ago: int = MINUTE, **fields: object) -> Observation:
    """A trace of one span that ended a while ago; `ago` in microseconds."""
    return root(page.project_id, id, start_time=now_micros() - ago, **fields)


def test_it_works(page: Page) -> None:
    facts = TraceFacts(name="trip-planner", user_id="u_7f31c", session_id="kyoto-4d", tags=["beta"])
    page.store(
        trace(page, "t1", trace=facts, type=ObservationType.AGENT, input="Plan Kyoto", output="Day 1"),
        span(page.project_id, "t1", "tool", start_time=now_micros() - MINUTE, usage={}, total_cost=None),
    )
    text = page.text()
    for shown in ("trip-planner", "Plan Kyoto", "Day 1", "u_7f31c", "kyoto-4d", "beta", "gpt-5", "2 obs"):
        assert shown in text
    assert "$0.2500" in text and "type-agent" in text
    assert f'href="{page.path}/t1"' in text
    assert f'data-live="/project/{page.project_id}/live"' in text


def test_a_stranger_sees_404_and_nobody_is_sent_to_sign_in(page: Page, client: Client) -> None:
    client.force_login(factories.user())
    assert page.get().status_code == 404
    client.logout()
    response = page.get()
    assert response.status_code == 302 and "sign-in" in response["Location"]


def test_only_reading_is_allowed(page: Page) -> None:
    assert page.client.post(page.path).status_code == 405


def test_another_projects_traces_never_show(page: Page) -> None:
    other = factories.project()
    page.store(root(other.id, "foreign", start_time=now_micros() - MINUTE), trace(page, "mine"))
    assert page.ids() == ["mine"]
    assert page.ids("?ids=foreign&ids=mine") == ["mine"]


def test_newest_first_in_pages(page: Page) -> None:
    page.store(*(trace(page, f"t{n:03}", ago=n * MINUTE) for n in range(1, 56)))
    text = page.text()
    assert len(page.ids()) == 50
    older = re.search(r'rel="next" href="([^"]+)"', text)
    assert older is not None
    rest = page.client.get(unescape(older[1])).content.decode()
    assert re.findall(r'data-id="(t\d+)"', rest) == [f"t{n:03}" for n in range(51, 56)]
    assert "Newest" in rest and 'rel="next"' not in rest and "data-live=" not in rest


def test_a_cursor_that_was_edited_starts_again(page: Page) -> None:
    page.store(trace(page, "t"))
    assert page.ids("?cursor=nonsense") == ["t"]


def test_filters(page: Page) -> None:
    page.store(
        trace(page, "a", environment="production", trace=TraceFacts(name="chat", user_id="ada")),
        trace(page, "b", environment="staging", trace=TraceFacts(name="chat", tags=["x"], session_id="s 1")),
        trace(page, "c", level=Level.ERROR, status_message="429 slow down", trace=TraceFacts(name="rag")),
        trace(page, "old", ago=3 * 86_400 * SECOND, trace=TraceFacts(name="rag")),
    )
    assert set(page.ids("?environment=production")) == {"a"}
    assert set(page.ids("?environment=production&environment=staging")) == {"a", "b"}
    assert set(page.ids("?name=chat")) == {"a", "b"}
    assert set(page.ids("?level=error")) == {"c"}
    assert set(page.ids("?user=ada")) == {"a"}
    assert set(page.ids("?session=s+1")) == {"b"}
    assert set(page.ids("?tag=x")) == {"b"}
    assert set(page.ids("?q=RAG")) == {"c"}
    assert set(page.ids("?q=rag&range=7d")) == {"c", "old"}
    assert set(page.ids("?q=name:chat+user:ada")) == {"a"}
    assert set(page.ids(f"?q={quote('level:ERROR')}")) == {"c"}
    page.store(trace(page, "d", service_name="shop", host_name="web-1"))
    assert page.ids("?service=shop") == page.ids("?host=web-1&host=web-2") == ["d"]
    assert page.ids("?q=application:shop+instance:web-1") == ["d"]
    assert page.ids("?service=shop&host=web-2") == []
    assert page.ids("?from=2031-01-01T00:00&to=2031-01-02T00:00") == []


def test_facets_count_under_the_other_filters(page: Page) -> None:
    page.store(
        trace(page, "a", environment="production"),
        trace(page, "b", environment="production", level=Level.ERROR),
        trace(page, "c", environment="staging"),
    )
    text = page.text("?environment=production", HX_Request="true", HX_Target="trace-overview")
    facet = re.search(r'data-facet="environment".*?</details>', text, re.S)
    assert facet is not None
    found = re.findall(r'aria-checked="(\w+)".*?title="(\w+)".*?class="count">(\d+)<', facet[0], re.S)
    assert found == [("true", "production", "2"), ("false", "staging", "1")]


def test_levels_say_why(page: Page) -> None:
    page.store(
        trace(page, "a", level=Level.ERROR, status_message="Retriever timed out after 8 s"),
        trace(page, "b", level=Level.WARNING, status_message="odd"),
    )
    text = page.text()
    assert "is-error" in text and "timeout</span>" in text
    assert "is-warning" in text and "1 warning</span>" in text


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ("HTTP 503 from upstream", "503"),
        ("took 8,000 ms: deadline exceeded", "timeout"),
        ("cost 1.429 dollars", ""),
        ("Too Many Requests", "rate limit"),
        ("", ""),
    ],
)
def test_short_reasons(message: str, word: str) -> None:
    assert listing.short_reason(message) == word


def test_only_the_unusual_is_coloured(page: Page) -> None:
    long = trace(page, "long", end_time=now_micros() + 60 * SECOND, total_cost=Decimal(9), trace=NAMED)
    page.store(long, *(trace(page, f"t{n}", ago=SECOND + n, trace=NAMED) for n in range(40)))
    text = page.text()
    assert len(re.findall("c-latency num is-unusual", text)) == 1
    assert len(re.findall("c-cost num is-unusual", text)) == 1
    row = re.search(r'data-id="long".*?</tr>', text, re.S)
    assert row is not None and "Slower than 95" in row[0] and "Dearer than 95" in row[0]


def test_few_traces_have_no_norm(page: Page) -> None:
    page.store(trace(page, "a", trace=NAMED), trace(page, "b", end_time=now_micros() + MINUTE, trace=NAMED))
    assert "is-unusual" not in page.text()


def test_a_trace_without_root_runs(page: Page) -> None:
    page.store(span(page.project_id, "open", "child", start_time=now_micros() - MINUTE))
    text = page.text()
    assert "is-running" in text and "running</span>" in text and "data-running=" in text


def test_unknown_cost_is_not_zero(page: Page) -> None:
    page.store(trace(page, "a", total_cost=None, cost={}, usage={}), trace(page, "b", total_cost=Decimal(0)))
    text = page.text()
    assert "No price is known" in text and "$0<" in text


def test_parts_for_htmx(page: Page) -> None:
    page.store(trace(page, "a"))
    table = page.text("", HX_Request="true", HX_Target="trace-table")
    assert table.lstrip().startswith('<section id="trace-table"')
    assert "<html" not in table
    whole = page.get("", HX_Request="true", HX_Target="traces")
    assert 'id="trace-rows"' in whole.content.decode() and "<html" not in whole.content.decode()
    assert "HX-Target" in whole["Vary"] and "no-store" in whole["Cache-Control"]
    overview = page.text("", HX_Request="true", HX_Target="trace-overview")
    assert 'id="trace-facets"' in overview and "data-total>1<" in overview
    rows = page.text("?ids=a", HX_Request="true", HX_Target="trace-table")
    assert rows.lstrip().startswith("<tr")


def test_rows_by_id_obey_the_filters(page: Page) -> None:
    page.store(trace(page, "a", environment="production"), trace(page, "b", environment="staging"))
    assert page.ids("?environment=staging&ids=a&ids=b") == ["b"]
    assert len(page.get("?" + "&".join(f"ids=x{n}" for n in range(1000))).content) < 2000


def test_nothing_yet_teaches(page: Page) -> None:
    text = page.text()
    assert "Waiting for the first trace" in text and "LANGFUSE_PUBLIC_KEY" in text
    assert f"/project/{page.project_id}/traces/setup" in text


def test_no_match_says_which_filter_to_drop(page: Page) -> None:
    page.store(trace(page, "a", environment="production"), trace(page, "b", environment="production"))
    text = page.text("?environment=production&name=nobody")
    assert "Nothing matches" in text
    assert re.search(r"Without\s+<code>name:nobody</code>.*?2 traces", text, re.S)
    assert "environment:production</code>" not in text  # dropping it alone would show nothing


def test_a_store_that_is_away_is_said(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_args: object, **_fields: object) -> None:
        raise Unavailable("The telemetry store does not answer.")

    monkeypatch.setattr(repository, "list_traces", away)
    for headers in ({}, {"HX_Request": "true", "HX_Target": "traces"}):
        response = page.get("", **headers)
        assert response.status_code == 503
        assert "The telemetry store does not answer." in response.content.decode()
        assert "Try again" in response.content.decode()


HOSTILE = [
    '"><script>alert(1)</script>',
    "a/b?c=d&e#f",
    "../../etc",
    ".",
    "_",
    "setup",
    "空\u202egnp.exe",
    "line\nbreak\x07bell",
    "{{ 7|add:7 }}{% url 'x' %}",
    "x" * 2000,
    "%2e%2e",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_absurd_text_is_harmless_everywhere(page: Page, text: str) -> None:
    facts = TraceFacts(name=text, user_id=text, session_id=text, tags=[text, text + "2"])
    page.store(
        trace(page, text, trace=facts, environment=text[:40], input=text, output=text, model=text,
              level=Level.ERROR, status_message=text)
    )  # fmt: skip
    shown = page.text()
    assert "<script>alert" not in shown
    seen = re.sub(r'data-id="[^"]*"|<[^>]*>', "", shown) + " ".join(re.findall(r'title="[^"]*"', shown))
    assert "\u202e" not in seen and "\x07" not in seen
    assert shown.count('class="trace-row') == 1
    link = re.search(r'class="trace-link[^"]*" href="([^"]*)"', shown)
    assert link is not None
    opened = page.client.get(unescape(link[1]))
    assert opened.status_code == 200, link[1]
    assert page.ids(f"?name={quote(text, safe='')}") or not text.strip()


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_every_id_has_a_link_that_leads_to_it(text: str) -> None:
    url = listing.trace_url("p", text)
    path, _, query = url.partition("?")
    assert path.startswith("/project/p/traces/") and path.isascii()
    match = resolve(unquote(path))
    assert match.url_name == "trace-detail"
    assert unquote(query.removeprefix("id=")) == text if query else match.kwargs["trace_id"] == text


@pytest.mark.parametrize(
    "query",
    [
        "?level=absurd&level=error",
        "?from=yesterday&to=9999999999",
        "?range=forever",
        "?from=0001-01-01&to=9999-12-31T23:59",
        "?q=" + "x" * 5000,
        "?name=" + "&name=".join("n" * 300 for _ in range(200)),
        "?q=%00&user=%00",
        "?q=leval:error",
    ],
)
def test_absurd_queries_are_answered(page: Page, query: str) -> None:
    page.store(trace(page, "a"))
    assert page.get(query).status_code == 200


def test_a_mistyped_field_is_corrected(page: Page) -> None:
    page.store(trace(page, "a", level=Level.ERROR))
    text = page.text("?q=leval:error")
    assert "Did you mean level?" in text and "chip-bad" in text
    fixed = re.search(r'nowrap" href="([^"]+)">Did you mean', text)
    assert fixed is not None
    assert 'data-id="a"' in page.client.get(unescape(fixed[1])).content.decode()
