"""What a deleted project held is erased for good, whatever happens on the way."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.core.errors import Unavailable
from apps.organizations.models import ApiKey, Project
from apps.telemetry.gate import Gate, gate
from apps.tracing import project_erasure
from apps.tracing.project_erasure import ERASE_AFTER, erase_deleted_projects
from apps.tracing.writer import Writer
from tests.support.api import Keys
from tests.tracing.test_deletion_api import records


def rows(keys: Keys) -> dict[str, int]:
    """Rows of a project by table."""
    sql = "SELECT count() FROM {} WHERE project_id = {{p:String}}"
    return {
        table: gate().query(sql.format(table), {"p": keys.project_id}, purpose="test")[0][0]
        for table in project_erasure._tables(gate())
    }


@pytest.fixture
def deleted(ours: Keys, theirs: Keys, writer: Writer) -> Keys:
    """With a trace in each of two projects, one of them deleted just now."""
    for keys in (ours, theirs):
        writer.commit(records(keys.project_id, "t"))
        comment = {
            "objectType": "TRACE", "objectId": "t", "content": "c", "projectId": keys.project_id,
        }  # fmt: skip
        assert keys.full.post("comments", comment).status_code == 200
    assert ours.whole.delete(f"projects/{ours.project_id}").status_code == 202
    return ours


def passed() -> None:
    """Time passes since everything that was deleted."""
    Project.everything.exclude(deleted_at=None).update(
        deleted_at=timezone.now() - ERASE_AFTER - timedelta(seconds=1)
    )


def test_it_goes_whole_and_others_stay(deleted: Keys, theirs: Keys):
    before = rows(theirs)
    assert {"traces", "observations", "observation_io", "scores"} <= {t for t, n in before.items() if n}
    assert erase_deleted_projects() == 0  # requests that were let in before may still be writing
    assert rows(deleted)["traces"] == 1
    passed()
    assert erase_deleted_projects() == 1
    assert not any(rows(deleted).values())
    assert rows(theirs) == before
    assert not Project.everything.filter(id=deleted.project_id).exists()
    assert not ApiKey.objects.filter(project_id=deleted.project_id).exists()
    assert theirs.full.get("traces/t").status_code == 200
    assert AuditEntry.objects.filter(action="erase", resource_id=deleted.project_id).count() == 1
    assert erase_deleted_projects() == 0


def test_a_failure_on_the_way_is_made_good(deleted: Keys, monkeypatch: pytest.MonkeyPatch):
    def broken(self: Gate) -> None:
        raise Unavailable("The disk is gone.")

    passed()
    with monkeypatch.context() as patch:
        patch.setattr(Gate, "sync", broken)
        assert erase_deleted_projects() == 0
    assert Project.everything.filter(id=deleted.project_id).exists()
    assert erase_deleted_projects() == 1
    assert not any(rows(deleted).values())
