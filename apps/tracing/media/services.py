"""Taking, finding and erasing media.

A file is taken in three steps: announced (`create`), put (`finish` for the local storage; a bucket is asked
in `report`), reported. Each may be repeated, and happen twice at the same moment, without harm.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import itertools
import logging
import re
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.core.errors import InvalidRequest, NotFound, Unavailable
from apps.tracing.media import types
from apps.tracing.media.models import Media, MediaLink, MediaRemoval
from apps.tracing.media.storage import LocalStorage, storage
from apps.tracing.media.tokens import URL_SECONDS, Download, Upload

logger = logging.getLogger(__name__)

UNFINISHED_FOR = timedelta(days=1)  # then an announced file that never came is forgotten
_BATCH = 200  # rows of one transaction
# Checked before a database is asked, so that no byte in an address can be an error there.
_ID = re.compile(r"[A-Za-z0-9_-]{22}")


@dataclass(frozen=True, slots=True)
class Announcement:
    """A file that a client wants to upload, and where it is used: in a trace, or in a dataset item."""

    content_type: str
    content_length: int  # bytes
    sha256: str  # base64
    field: str
    trace_id: str = ""
    observation_id: str = ""
    dataset_id: str = ""
    dataset_item_id: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a client says of its upload."""

    uploaded_at: datetime
    status: int
    error: str = ""


def media_id_of(sha256: str) -> str:
    """The id of the file with this hash: clients compute it too, and compare. Raises ValueError for what is
    not the base64 of 32 bytes."""
    try:
        digest = base64.b64decode(sha256, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    if len(digest) != 32 or base64.b64encode(digest).decode() != sha256:
        raise ValueError("not 32 bytes")
    return base64.urlsafe_b64encode(digest).decode()[:22]


def create(project_id: str, wanted: Announcement, base: str) -> tuple[str, str | None]:
    """Announce a file and note where it is used. The id, and where to PUT it; None when it is here."""
    media, is_here = _announce(project_id, wanted)
    if is_here:
        return media.media_id, None
    upload = Upload(
        project_id, media.media_id, media.key, wanted.content_type, wanted.content_length, wanted.sha256
    )
    return media.media_id, storage().upload_url(upload, base)


@transaction.atomic
def _announce(project_id: str, wanted: Announcement) -> tuple[Media, bool]:
    """The row of the file, locked, and whether the file is here under this type."""
    now = timezone.now()
    told = {
        "sha256": wanted.sha256,
        "content_type": wanted.content_type,
        "content_length": wanted.content_length,
    }
    media, is_new = Media.objects.select_for_update().get_or_create(
        project_id=project_id,
        media_id=media_id_of(wanted.sha256),
        defaults={**told, "requested_at": now},
    )
    if media.uploaded_at is not None and media.sha256 != wanted.sha256:
        raise InvalidRequest("Another file of this project has the same id. Change the file by a byte.")
    if not is_new:
        media.requested_at = now
        if media.uploaded_at is None:  # else what is here counts until another upload has come
            media.sha256, media.content_type = wanted.sha256, wanted.content_type
            media.content_length = wanted.content_length
        media.save()
    _link(media, wanted)
    return media, media.uploaded_at is not None and media.content_type == wanted.content_type


def _link(media: Media, wanted: Announcement) -> None:
    where = {
        "trace_id": wanted.trace_id,
        "observation_id": wanted.observation_id,
        "dataset_id": wanted.dataset_id,
        "dataset_item_id": wanted.dataset_item_id,
        "field": wanted.field,
    }
    trace_hash = _trace_hash(media.project_id, wanted.trace_id) if wanted.trace_id else ""
    MediaLink.objects.get_or_create(
        media=media, place=_hash(*where.values()), defaults={**where, "trace_hash": trace_hash}
    )


def _hash(*texts: str) -> str:
    """32 hex digits."""
    whole = hashlib.blake2b(digest_size=16)
    for text in texts:
        whole.update(f"{len(text)}:{text}".encode())
    return whole.hexdigest()


def _trace_hash(project_id: str, trace_id: str) -> str:
    return _hash(project_id, trace_id)


def finish(upload: Upload, arrived: Path, local: LocalStorage) -> None:
    """Keep a file that has arrived as announced. Raises NotFound when it was erased meanwhile."""
    with transaction.atomic():
        media = _rows(upload.project_id, upload.media_id).select_for_update().first()
        if media is None or media.key != upload.key:
            raise NotFound("This file was deleted while it was uploaded.")
        local.keep(arrived, upload.key)  # under the row's lock: nobody erases it in between
        media.sha256, media.content_type = upload.sha256, upload.content_type
        media.content_length = upload.content_length
        media.uploaded_at = timezone.now()
        media.upload_status, media.upload_error = 200, ""
        media.save()


def keep(project_id: str, wanted: Announcement, content: bytes) -> str:
    """Store a file that is here already; its id. Raises Unavailable when that is not possible."""
    media, is_here = _announce(project_id, wanted)
    if not is_here:
        storage().put(media.key, wanted.content_type, content)
        told = {"content_type": wanted.content_type, "content_length": wanted.content_length}
        Media.objects.filter(pk=media.pk).update(**told, sha256=wanted.sha256, uploaded_at=timezone.now())
    return media.media_id


def report(project_id: str, media_id: str, said: Report) -> None:
    """Note what a client says of its upload; whether the file is here, the storage is asked."""
    media = _rows(project_id, media_id).first()
    if media is None:
        raise NotFound(f"There is no media {media_id} in this project.")
    is_good = said.status in (200, 201)
    stored = storage().look(media.key) if is_good else None
    found = Q(pk=media.pk)
    if stored is not None:
        changes = {"uploaded_at": said.uploaded_at, "content_length": stored.length}
        if stored.content_type in types.EXTENSIONS:
            changes["content_type"] = stored.content_type
        Media.objects.filter(found).update(**changes, upload_status=said.status, upload_error="")
    elif media.uploaded_at is None:
        error = said.error or ("The storage does not have the file." if is_good else "")
        Media.objects.filter(found).update(upload_status=said.status, upload_error=error[:500])


def get(project_id: str, media_id: str) -> Media:
    """A file that is here. Raises NotFound for one that is not, or not yet."""
    media = _rows(project_id, media_id).first()
    if media is None:
        raise NotFound(f"There is no media {media_id} in this project.")
    if media.uploaded_at is None:
        raise NotFound(f"Media {media_id} is announced, but not uploaded yet.")
    return media


def traces_of(project_id: str, media_id: str) -> list[str]:
    """Some of the traces that use a file: those that a page may just wait with."""
    links = MediaLink.objects.filter(media__in=_rows(project_id, media_id)).exclude(trace_id="")
    return list(dict.fromkeys(links.order_by("-pk").values_list("trace_id", flat=True)[:100]))


def find(project_id: str, media_ids: Collection[str]) -> dict[str, Media]:
    """Files by id, announced ones included."""
    possible = {media_id for media_id in media_ids if _ID.fullmatch(media_id)}
    rows = Media.objects.filter(project_id=project_id, media_id__in=possible) if possible else ()
    return {media.media_id: media for media in rows}


def download_url(media: Media, base: str, *, attachment: bool = False) -> str:
    """Where the file can be read without credentials for a while; `base` is the address of this server."""
    name = types.file_name(media.media_id, media.content_type)
    return storage().download_url(Download(media.key, media.content_type, name, attachment), base)


def erase(project_id: str, trace_ids: Collection[str] | None) -> None:
    """Delete the files of some traces, or all of a project (None), for good. What another trace or a dataset
    item uses as well stays. Safe to repeat; a storage that does not answer is asked again later."""
    rows = Media.objects.filter(project_id=project_id)
    used_here = Q()
    if trace_ids is not None:
        hashes = [_trace_hash(project_id, trace_id) for trace_id in trace_ids]
        used_here = Q(trace_hash__in=hashes)
        rows = rows.filter(pk__in=MediaLink.objects.filter(used_here).values("media_id"))
    for batch in _batches(rows.order_by("pk").values_list("pk", flat=True)):
        _erase(batch, used_here)
    sweep_removed()


@transaction.atomic
def _erase(pks: list[int], used_here: Q) -> None:
    """Drop the links, then the rows that nothing links to; their files are written down for removal."""
    locked = list(Media.objects.select_for_update().filter(pk__in=pks).order_by("pk"))
    MediaLink.objects.filter(used_here, media__in=locked).delete()
    used = set(MediaLink.objects.filter(media__in=locked).values_list("media_id", flat=True))
    _remove([media for media in locked if media.pk not in used])


def old_links(project_id: str, before: datetime) -> Iterator[list[MediaLink]]:
    """Where traces use files that nobody has asked to upload since then, some links at a time."""
    after = 0
    while True:
        rows = MediaLink.objects.filter(
            media__project_id=project_id, media__requested_at__lt=before, pk__gt=after
        )
        found = list(rows.exclude(trace_id="").order_by("pk")[:_BATCH])
        if not found:
            return
        after = found[-1].pk
        yield found


def unlink(links: Collection[MediaLink]) -> None:
    """Delete these links, and files that nothing else uses, for good."""
    _erase(sorted({link.media_id for link in links}), Q(pk__in=[link.pk for link in links]))
    sweep_removed()


def _remove(rows: list[Media]) -> None:
    MediaRemoval.objects.bulk_create(MediaRemoval(key=media.key) for media in rows)
    Media.objects.filter(pk__in=[media.pk for media in rows]).delete()


def sweep() -> None:
    """Forget files that were announced and never came, finish removals, tidy up. For the clock."""
    overdue = Media.objects.filter(uploaded_at=None, requested_at__lt=timezone.now() - UNFINISHED_FOR)
    for batch in _batches(overdue.order_by("pk").values_list("pk", flat=True)):
        _forget_unfinished(batch)
    sweep_removed()
    local = storage()
    if isinstance(local, LocalStorage):
        count = local.forget_arriving(time.time() - 2 * URL_SECONDS)
        if count:
            logger.info("deleted %d pieces of interrupted uploads", count)


def _forget_unfinished(pks: list[int]) -> None:
    """Those whose file is there after all, unreported, become what they are."""
    there = {media.pk for media in Media.objects.filter(pk__in=pks) if storage().look(media.key)}
    now = timezone.now()
    with transaction.atomic():
        rows = Media.objects.select_for_update().filter(pk__in=pks, uploaded_at=None).order_by("pk")
        stale = [media for media in rows if media.requested_at < now - UNFINISHED_FOR]
        Media.objects.filter(pk__in=there, uploaded_at=None).update(uploaded_at=now)
        _remove([media for media in stale if media.pk not in there])


def sweep_removed() -> None:
    """Delete files written down for removal: new ones, and for good those whose last upload address is no
    longer valid."""
    now = timezone.now()
    fresh = MediaRemoval.objects.filter(deleted_at=None)
    ended = MediaRemoval.objects.filter(created_at__lt=now - timedelta(seconds=2 * URL_SECONDS))
    try:
        for batch in _batches(fresh.order_by("pk").values_list("pk", flat=True)):
            _delete_files(batch).update(deleted_at=now)
        for batch in _batches(ended.order_by("pk").values_list("pk", flat=True)):
            _delete_files(batch).delete()
    except Unavailable:
        logger.warning("the media storage does not answer; removals are tried again later", exc_info=True)


def _delete_files(pks: list[int]) -> QuerySet[MediaRemoval]:
    rows = MediaRemoval.objects.filter(pk__in=pks)
    storage().delete(row.key for row in rows)
    return rows


def _rows(project_id: str, media_id: str) -> QuerySet[Media]:
    if not _ID.fullmatch(media_id):
        return Media.objects.none()
    return Media.objects.filter(project_id=project_id, media_id=media_id)


def _batches(pks: Iterable[int]) -> Iterator[list[int]]:
    found = iter(list(pks))
    while batch := list(itertools.islice(found, _BATCH)):
        yield batch
