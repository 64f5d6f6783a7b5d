"""The real worker and beat in threads: prompt, retrying, nothing lost, cleanly gone."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator

import pytest
from celery import shared_task
from django.core import mail
from django.db import connection

from apps.core.clock import now_micros
from apps.outbox.models import Mail
from litefuse_web import celery, embedded_celery
from litefuse_web.embedded_celery import EmbeddedCelery
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

WAIT = 20.0


class _Flags(dict[str, threading.Event]):
    """Like defaultdict(Event), but two threads that ask at once get the same flag."""

    def __missing__(self, key: str) -> threading.Event:
        return self.setdefault(key, threading.Event())


seen: dict[str, list[tuple[str, int]]] = defaultdict(list)
done = _Flags()


@shared_task(name="test.note")
def note(key: str) -> None:
    seen[key].append((threading.current_thread().name, now_micros()))
    done[key].set()


@shared_task(bind=True, name="test.retry", max_retries=3)
def fail_twice(self, key: str) -> None:
    seen[key].append((threading.current_thread().name, self.request.retries))
    if self.request.retries < 2:
        raise self.retry(countdown=0.01)
    done[key].set()


@shared_task(name="test.database")
def ask_database(key: str) -> None:
    seen[key].append((str(Mail.objects.count()), 0))
    done[key].set()


@shared_task(name="test.fail")
def fail(key: str) -> None:
    raise ValueError(key)


@shared_task(name="test.slow")
def hold_on(key: str, release: str) -> None:
    done[key].set()
    done[release].wait(WAIT)


@pytest.fixture
def tasks() -> Iterator[EmbeddedCelery]:
    runner = EmbeddedCelery(threads=2)
    runner.start()
    yield runner
    assert runner.stop(WAIT)


def test_a_published_task_runs_in_a_thread_of_this_process(tasks: EmbeddedCelery) -> None:
    note.delay("one")
    assert done["one"].wait(WAIT)
    assert seen["one"][0][0] != threading.current_thread().name


def test_publishing_wakes_the_worker_at_once(tasks: EmbeddedCelery) -> None:
    """Without the bell the worker would look again only after its two-second wait."""
    waits: list[float] = []
    for number in range(20):
        key = f"prompt {number}"
        sent = now_micros()
        note.delay(key)
        assert done[key].wait(WAIT)
        waits.append((seen[key][0][1] - sent) / 1e6)
    assert sorted(waits)[10] < 1.0


def test_tasks_published_from_several_threads_all_run(tasks: EmbeddedCelery) -> None:
    threads = [
        threading.Thread(target=lambda n=n: [note.delay(f"many {n} {i}") for i in range(25)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(done[f"many {n} {i}"].wait(WAIT) for n in range(4) for i in range(25))


def test_a_retry_from_a_worker_thread_comes_back_here(tasks: EmbeddedCelery) -> None:
    fail_twice.delay("retry")
    assert done["retry"].wait(WAIT)
    assert [retries for _, retries in seen["retry"]] == [0, 1, 2]


def test_a_failing_task_does_not_end_the_worker(tasks: EmbeddedCelery) -> None:
    fail.delay("on purpose")
    note.delay("after")
    assert done["after"].wait(WAIT)


def test_a_task_may_use_the_database_and_leaves_no_connection_open(tasks: EmbeddedCelery) -> None:
    ask_database.delay("database")
    assert done["database"].wait(WAIT)
    assert seen["database"] == [("0", 0)]
    assert connection.connection is None or not connection.in_atomic_block


def test_the_clock_starts_scheduled_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"task": "test.note", "schedule": 0.05, "args": ["tick"]}
    monkeypatch.setitem(celery.SCHEDULE, "tick", entry)
    runner = EmbeddedCelery(threads=1)
    runner.start()
    try:
        assert done["tick"].wait(WAIT)
    finally:
        assert runner.stop(WAIT)


def test_what_an_earlier_process_left_undone_is_sent_at_the_start(settings) -> None:
    settings.OUTBOX_EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    mail.outbox.clear()
    Mail.objects.create(sender="from@example.com", recipient="to@example.com", subject="Left", text="Hello")
    runner = EmbeddedCelery(threads=1)
    runner.start()
    try:
        wait_until(lambda: mail.outbox, "the mail")
    finally:
        assert runner.stop(WAIT)
    assert [sent.subject for sent in mail.outbox] == ["Left"]


def test_a_stop_ends_every_thread_and_a_second_start_works() -> None:
    before = set(threading.enumerate())
    for _round in range(2):
        runner = EmbeddedCelery(threads=2)
        runner.start()
        note.delay(f"round {_round}")
        assert done[f"round {_round}"].wait(WAIT)
        assert runner.stop(WAIT)
        assert not [thread for thread in set(threading.enumerate()) - before if thread.is_alive()]


def test_a_task_that_does_not_end_does_not_hold_the_stop(caplog: pytest.LogCaptureFixture) -> None:
    runner = EmbeddedCelery(threads=1)
    runner.start()
    hold_on.delay("held", "let go")
    assert done["held"].wait(WAIT)
    assert not runner.stop(timeout=0.2)
    assert "still running" in caplog.text
    done["let go"].set()
    assert runner.stop(WAIT)


def test_the_schedule_names_real_tasks() -> None:
    celery.app.loader.import_default_modules()
    named = {entry["task"] for entry in celery.SCHEDULE.values()} | set(celery.AT_START)
    assert named <= set(celery.app.tasks)
    assert embedded_celery.STOP_SECONDS < 2
