"""Put the demo into a running instance, through the same price step and writer as any telemetry."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from django.db import transaction

from apps.accounts.models import User
from apps.audit.services import SYSTEM
from apps.billing.demo import bill_demo
from apps.core.clock import MICROS_PER_DAY, now_micros, to_datetime
from apps.ingestion.demo.calendar import DAYS, observations_between
from apps.ingestion.demo.photos import keep_photos
from apps.ingestion.demo.prices import correct, mistype
from apps.ingestion.demo.verdicts import verdicts
from apps.organizations import services
from apps.organizations.models import ApiKey, Membership, Organization, Project, Role
from apps.tracing.costs import add_prices
from apps.tracing.records import Observation, Score
from apps.tracing.writer import Writer
from apps.usage.demo import budget_demo

logger = logging.getLogger(__name__)

ORGANIZATION_ID = "demo-kestrel"
PROJECT_ID = "demo-shop-assistant"
_TOLD_UNTIL = "demoToldUntil"  # in the project's metadata: microseconds
_BATCH = 1000
_KEYS = {  # note of the key that each environment sends with
    "production": "Web shop",
    "staging": "Staging",
    "development": "Laptops",
    "evaluation": "Nightly checks",
}


def load_demo(writer: Writer, now: int | None = None) -> int:
    """Make the demo organization and tell its story up to now; how many observations were added.

    Repeating it adds only what happened since. Cut short, it starts over and stores nothing twice.
    `writer` is the process's one: a second would mistake the first one's commits for a crash's remains.
    """
    until = now_micros() if now is None else now
    project = _project()
    since = max(int(project.metadata.get(_TOLD_UNTIL, 0)), until - DAYS * MICROS_PER_DAY)
    count = 0
    mistype(project)
    keys = {key.note: key.id for key in ApiKey.objects.filter(project=project, note__in=_KEYS.values())}
    for batch in _batches(project.id, since, until):
        keep_photos(batch)
        records: list[Observation | Score] = [*batch, *verdicts(batch)]
        for record in records:
            record.api_key_id = keys.get(_KEYS[record.environment], "")
        writer.commit(records)
        count += len(batch)
    Project.objects.filter(id=project.id).update(metadata={**project.metadata, _TOLD_UNTIL: until})
    correct(project, until - DAYS * MICROS_PER_DAY, until)
    bill_demo(project.organization, project.id, to_datetime(until))
    budget_demo(project.organization, [project.id])
    logger.info("the demo organization has %d more observations", count)
    return count


def _project() -> Project:
    """The demo project, made on first use; the instance's admins own it."""
    with transaction.atomic():
        organization = Organization.objects.filter(id=ORGANIZATION_ID).first()
        if organization is None:
            organization = services.create_organization(
                actor=SYSTEM, name="Kestrel Outfitters", owner=None, organization_id=ORGANIZATION_ID
            )
        project = Project.objects.filter(id=PROJECT_ID).first()
        if project is None:
            project = services.create_project(
                actor=SYSTEM, organization=organization, name="Shop assistant", project_id=PROJECT_ID
            )
            for note in _KEYS.values():  # nobody hears the secrets: these keys open nothing
                services.create_key(actor=SYSTEM, organization=organization, project=project, note=note)
        members = Membership.objects.filter(organization=organization).values("user")
        for admin in User.objects.filter(is_superuser=True).exclude(pk__in=members):
            services.add_member(actor=SYSTEM, organization=organization, user=admin, role=Role.OWNER)
    return project


def _batches(project_id: str, since: int, until: int) -> Iterator[Sequence[Observation]]:
    """Priced observations, whole traces, about a thousand at a time."""
    batch: list[Observation] = []
    for day in observations_between(project_id, since, until):
        add_prices(day)
        for observation in day:
            if observation.is_root and len(batch) >= _BATCH:
                yield batch
                batch = []
            batch.append(observation)
    if batch:
        yield batch
