"""Long work in the background, done by one process at a time: a row is queue, progress and lease in one.

Whoever takes a row gives signs of life in it for as long as it works, also within a step that takes long.
One without a sign for LEASE is somebody else's to go on with: after a crash the next process begins where
the last noted step ended, so a step must be safe to repeat. `Leased` is the lease alone, `Run` a piece of
work that somebody asked for, with a beginning and an end.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self, TypeVar

from celery import current_app
from django.db import DatabaseError, connection, models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
from kombu.exceptions import OperationalError

from apps.core.errors import ApiError, Unavailable
from apps.core.ids import new_id
from apps.core.lifecycle import is_stopping

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
RENEWED_EVERY = LEASE.total_seconds() / 4

R = TypeVar("R", bound="Run")


class Leased(models.Model):
    """What one process at a time is at."""

    seen_at = models.DateTimeField(null=True, help_text="Last sign of life of whoever runs it.")

    class Meta:
        abstract = True

    def take(self) -> bool:
        """Take it, to be `held`; False when somebody is at it."""
        self.seen_at = timezone.now()
        return bool(self._row().filter(_is_left()).update(seen_at=self.seen_at))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Give signs of life all the time; leave the row at the end, so that others may take it at once."""
        done = threading.Event()

        def renew() -> None:
            try:
                while not done.wait(RENEWED_EVERY):
                    self._sign(timezone.now())
            finally:
                connection.close()

        thread = threading.Thread(target=renew, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            self._sign(None)

    def _sign(self, seen_at: datetime | None) -> None:
        """Whatever else stands in the row: the last step of a canceled run may still be going on."""
        try:
            self._row().update(seen_at=seen_at)
        except DatabaseError:
            logger.warning("%s could not give a sign of life", self, exc_info=True)

    def _row(self) -> models.QuerySet[Self]:
        return type(self)._default_manager.filter(pk=self.pk)


def _is_left() -> Q:
    return Q(seen_at=None) | Q(seen_at__lt=timezone.now() - LEASE)


class RunQuerySet(models.QuerySet[R]):
    """Reads by intent."""

    def left(self) -> Self:
        """Nobody is at it."""
        return self.filter(_is_left())

    def unfinished(self) -> Self:
        """Waiting, or going on."""
        return self.filter(state__in=self.model.UNFINISHED)

    def abandoned(self) -> Self:
        """Unfinished, and nobody is at it."""
        return self.unfinished().left()

    def claim(self, id: str) -> R | None:
        """Take an unfinished run that nobody is at; None when there is nothing to take."""
        with transaction.atomic():
            run = self.unfinished().select_for_update().filter(id=id).first()  # cannot be canceled meanwhile
            if run is None or not run.take():
                return None
            if run.state == Run.State.QUEUED:
                run.state = Run.State.RUNNING
                run.save(update_fields=["state"])
            return run

    def resume(self) -> int:
        """Hand over every run that nobody is at; how many. For beat, and at start."""
        runs = list(self.abandoned())
        for run in runs:
            run.hand_over()
        return len(runs)


class Run(Leased):
    """A piece of work that somebody asked for. A room's run says which Celery `task` goes on with one by its
    id; the task takes it (`claim`) and does its steps (`work`)."""

    class State(models.TextChoices):
        """Where it stands."""

        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        CANCELED = "canceled", _("canceled")
        FAILED = "failed", _("failed")

    UNFINISHED: ClassVar[tuple[str, ...]] = (State.QUEUED, State.RUNNING)
    task: ClassVar[str]

    id = models.CharField(primary_key=True, max_length=64, default=new_id)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    asked_by = models.CharField(max_length=320, help_text="Who asked, as the audit log names them.")
    problem = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.id

    @property
    def is_unfinished(self) -> bool:
        """Waiting, or going on."""
        return self.state in self.UNFINISHED

    def hand_over(self) -> None:
        """Give it to a worker on commit; without a broker just then, `resume` does it later."""

        def send() -> None:
            try:
                current_app.send_task(self.task, [self.id])
            except OperationalError:
                logger.warning("%s %s waits: the broker does not answer", self.task, self.id)

        transaction.on_commit(send)

    def work(self, steps: Generator[None]) -> None:
        """Go on with a run that this process has taken, until `steps` are through or the process stops; they
        yield after each one that was noted, and say at last how it ends (`end`). Trouble that passes ends
        nothing: `resume` hands the run over again. Other errors fail it; unforeseen ones are raised too."""
        with self.held():
            try:
                with closing(steps):
                    for _step in steps:
                        if is_stopping():
                            break
            except (Unavailable, DatabaseError):
                logger.warning("%s %s is interrupted and will go on", self.task, self.id, exc_info=True)
            except ApiError as error:
                logger.warning("%s %s stopped: %s", self.task, self.id, error.message)
                self.end(self.State.FAILED, error.message)
            except Exception:
                self.end(self.State.FAILED, gettext_noop("An unexpected error; the server's log says which."))
                raise

    def is_wanted(self, **also: Any) -> bool:
        """Whether the row is as this process took it, and as `also` says: it may have been canceled since."""
        return self._row().filter(state=self.state, **also).exists()

    def note(self, *names: str) -> None:
        """Write down how far it came: these fields. In a canceled run too, whose last step was done."""
        self._row().update(**{name: getattr(self, name) for name in names}, seen_at=timezone.now())

    def cancel(self) -> bool:
        """End it before its next step, if it waits or runs; whether it did."""
        going = self._row().filter(state__in=Run.UNFINISHED)
        return bool(going.update(state=self.State.CANCELED, ended_at=timezone.now()))

    def end(self, state: str, problem: str = "") -> None:
        """End it, unless it stands otherwise than this process took it."""
        standing = self._row().filter(state=self.state)
        standing.update(state=state, problem=problem[:500], ended_at=timezone.now())
