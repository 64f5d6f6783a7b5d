"""The same writer and reads with telemetry on a server: over HTTP, and with other writers beside this one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings

from apps.audit.services import SYSTEM
from apps.core.clock import now_micros
from apps.core.errors import ApiError, InvalidRequest, Unavailable
from apps.telemetry import gate as gate_module
from apps.telemetry.gate import Gate, QueryFailed
from apps.tracing import deletion, receipts, repository, scores
from apps.tracing.records import Score, TraceFilter
from apps.tracing.writer import Writer
from tests.tracing.spans import root, span

ROOT = Path(__file__).parents[2]
ODD = ["it's", 'a "b"', "back\\slash", "tab\t", "new\nline", "é😀", "", "\\N", "a&b=c+d%20"]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server's address."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.telemetry.bridge", str(tmp_path_factory.mktemp("server") / "store")],
        cwd=ROOT,
        env=dict(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(child.stdout.readline())}/telemetry"
    finally:
        child.kill()
        child.wait()


@pytest.fixture
def server(url: str, db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """A gate to the server, in the place of this process's own."""
    opened = Gate(url=url)
    monkeypatch.setattr(django_settings, "CLICKHOUSE_URL", url)
    monkeypatch.setattr(gate_module, "_gate", opened)
    yield opened
    opened.close()


def test_what_is_asked_has_limits_and_what_is_inserted_has_the_servers(
    server: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An insert that a server makes slow is stored all the same; cut off, it would be sent again."""
    asked, client = [], Gate._client
    monkeypatch.setattr(Gate, "_client", lambda gate, seconds: asked.append(seconds) or client(gate, seconds))
    Writer().commit([root("limits", "t")])
    server.query("SELECT 1", purpose="test")
    assert asked.count(None) == 3 and asked[-1] == gate_module.QUERY_SECONDS  # content, summary, observation
    for seconds in (gate_module.QUERY_SECONDS, None):
        with client(server, seconds) as opened:
            assert opened.get_client_setting("max_execution_time") == seconds


def test_it_works(server: Gate, project: str) -> None:
    assert not server.embedded and server.migrate() == []
    writer = Writer()
    result = writer.commit([root(project, "t"), span(project, "t", "a", output="")])
    assert repository.get_trace(project, "t") == result.traces[0]
    rows = repository.list_observations(project, "t", content=True)
    assert [(row.id, row.input) for row in rows] == [("a", "question of a"), ("root", "question of root")]
    assert writer.commit([root(project, "t")]).traces == []
    (changed,) = writer.commit([span(project, "t", "a", input="", output="done")]).traces
    assert changed == repository.get_trace(project, "t")
    assert repository.count_traces(project, TraceFilter()) == 1
    assert len(repository.list_observations(project, "t")) == 2


def test_values_travel_unharmed(server: Gate, project: str) -> None:
    for value in ODD:
        assert server.query("SELECT {v:String}", {"v": value}, purpose="test")[0][0] == value
    assert server.query("SELECT {v:Array(String)}", {"v": ODD}, purpose="test")[0][0] == ODD
    Writer().commit([root(project, value or "empty", value) for value in ODD])
    assert {trace.id for trace in repository.list_traces(project, TraceFilter()).traces} == {
        value or "empty" for value in ODD
    }


def test_errors_are_the_same(server: Gate) -> None:
    with pytest.raises(QueryFailed, match="no_such_table"):
        server.query("SELECT * FROM no_such_table", purpose="test")
    with pytest.raises(ApiError) as refusal:
        server.query("SELECT count() FROM numbers(100000000000)", purpose="test", seconds=0.2)
    assert refusal.value.status == 422


def test_a_receipt_waits_for_its_rows(server: Gate, project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = Writer().commit([root(project, "t")])
    receipts.verify(project, result.receipt(project))
    with pytest.raises(InvalidRequest):
        receipts.verify(project + "x", result.receipt(project))
    monkeypatch.setattr(receipts, "WAIT_SECONDS", 0.05)
    elsewhere = receipts.issue(project, "elsewhere", now_micros())
    receipts.verify(project, elsewhere)  # there is but one store, and it was readable there
    monkeypatch.setattr(receipts, "_SINGLE", ())  # as if every table had replicas
    with pytest.raises(Unavailable):  # of a writer whose rows this replica has not
        receipts.verify(project, elsewhere)


@pytest.mark.parametrize("single", [receipts._SINGLE, ()])
def test_a_receipt_outlasts_its_rows(
    server: Gate, project: str, monkeypatch: pytest.MonkeyPatch, single: tuple[str, ...]
) -> None:
    """Another process's span, score or deletion takes the place of all that it stands for."""
    monkeypatch.setattr(receipts, "WAIT_SECONDS", 0.05)
    monkeypatch.setattr(receipts, "_SINGLE", single)
    spans = Writer().commit([span(project, "t", "a", output="")])
    Writer().commit([span(project, "t", "a", input="", output="done")])
    (row,) = server.query(
        "SELECT count() FROM observations WHERE project_id = {p:String}", {"p": project}, purpose="test"
    )
    assert row[0] == 1
    receipts.verify(project, spans.receipt(project))
    judged = Writer().commit([Score(project, "s", "n", 1, value=1.0, trace_id="u")])
    assert deletion.delete_score(SYSTEM, project, "s")
    assert scores.get_score(project, "s") is None
    receipts.verify(project, judged.receipt(project))


def test_scores_and_their_receipts(server: Gate, project: str) -> None:
    judged = [Score(project, text or "empty", text, 1, string_value=text, trace_id="t") for text in ODD]
    result = Writer().commit(judged)
    receipts.verify(project, result.receipt(project))
    found = {score.id: score.string_value for score in scores.scores_of_trace(project, "t")}
    assert found == {text or "empty": text for text in ODD}
    first, second = (
        Score(project, "s", "n", 1, value=value, said={"value": int(value)}) for value in (1.0, 2.0)
    )
    Writer().commit([second])
    assert Writer().commit([first]).scores == []
    found_score = scores.get_score(project, "s")
    assert found_score is not None and found_score.value == 2.0


def test_writers_beside_each_other_remember_nothing(server: Gate, project: str) -> None:
    first, second = Writer(), Writer()
    first.commit([span(project, "t", "a")])
    second.commit([span(project, "t", "b")])
    (summary,) = first.commit([root(project, "t")]).traces
    assert summary.observation_count == 3 and summary == repository.get_trace(project, "t")
    assert second.commit([span(project, "t", "a"), root(project, "t")]).traces == []


WRITER = """
import sys, django; django.setup()
from apps.tracing.writer import Writer
from tests.tracing.kill_child import price_what_is_told
from tests.tracing.spans import span
from tests.tracing.test_trace_record import record
price_what_is_told()
project, number = sys.argv[1:]
writer = Writer()
for place in range(6):
    writer.commit([span(project, "t", f"{number}-{place}"), span(project, "t", "shared"),
                   span(project, "t", "grown", metadata={f"{number}-{place}": "x"}),
                   record(project, "t", 10 * place + int(number), name=f"{number}-{place}", tags=[number]),
                   record(project, "t", 1, session_id="the same")])
"""


def test_writing_processes_take_turns(server: Gate, url: str, postgres_url: str, project: str) -> None:
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "litefuse_web.settings",
        "DATABASE_URL": postgres_url,
        "CLICKHOUSE_URL": url,
    }
    children = [
        subprocess.Popen([sys.executable, "-c", WRITER, project, str(number)], cwd=ROOT, env=environment)
        for number in range(3)
    ]
    assert [child.wait() for child in children] == [0, 0, 0]
    summary = repository.get_trace(project, "t")
    assert summary is not None and summary.observation_count == 20
    assert (summary.name, summary.tags, summary.session_id) == ("2-5", ("0", "1", "2"), "the same")
    sql = "SELECT count(), uniqExact(id) FROM observations WHERE project_id = {p:String}"
    assert tuple(server.query(sql, {"p": project}, purpose="test")[0]) == (21, 21)
    grown = repository.get_observation(project, "t", "grown")
    assert grown is not None and len(grown.metadata) == 18  # no process overwrote another's part


LOCKED = """
import django; django.setup()
from django.db import connection
from apps.tracing.locks import writing
connection.settings_dict["CONN_MAX_AGE"] = 0  # as if it had just become too old
def held():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
        return cursor.fetchone()[0]
with writing([("p", "t"), ("p", "u")]):
    assert held() == 2
    connection.close_if_unusable_or_obsolete()  # as the price tables do when they look for changes
    assert held() == 2
assert held() == 0
connection.close_if_unusable_or_obsolete()
assert connection.connection is None
"""


NOT_UNLOCKED = """
import django; django.setup()
from django.db import connection
from apps.core.errors import Unavailable
from apps.tracing import locks
call = locks._call
def fails_at_the_end(function, buckets):
    if function == "pg_advisory_unlock":
        raise Unavailable("no answer")
    call(function, buckets)
locks._call = fails_at_the_end
try:
    with locks.writing([("p", "t")]):
        pass
except Unavailable:
    pass
else:
    raise SystemExit("it did not fail")
assert connection.connection is None
locks._call = call
with locks.writing([("p", "t")]):  # another session, which would wait for the first one's lock
    pass
"""


@pytest.mark.parametrize("script", [LOCKED, NOT_UNLOCKED], ids=["old connection", "failed unlock"])
def test_locks_are_held_to_the_end_and_no_longer(postgres_url: str, script: str) -> None:
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "litefuse_web.settings",
        "DATABASE_URL": postgres_url,
    }
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, check=False, timeout=60)
    assert done.returncode == 0
