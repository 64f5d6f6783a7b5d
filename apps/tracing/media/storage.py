"""Where the bytes of media are: a folder of the data directory, or an S3 bucket (LITEFUSE_MEDIA_URL)."""

from __future__ import annotations

import functools
import os
import shutil
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from django.conf import settings

from apps.core.errors import Unavailable
from apps.tracing.media import tokens
from apps.tracing.media.tokens import URL_SECONDS, Download, Upload

PREFIX = "/media/"  # of our own signed addresses, below BASE_PATH
_SPARE_BYTES = 64 * 1024 * 1024  # an upload leaves so much of the disk free: other stores share it


@dataclass(frozen=True, slots=True)
class Stored:
    """What the storage holds under a key."""

    length: int
    content_type: str = ""  # where the storage remembers it


class Storage(Protocol):
    """What media need of a storage. Addresses begin with `base`, where they are ours."""

    def upload_url(self, upload: Upload, base: str) -> str:
        """Where a client may PUT this file, for URL_SECONDS."""
        ...

    def download_url(self, download: Download, base: str) -> str:
        """Where anybody may GET this file, for at least URL_SECONDS and at most twice that."""
        ...

    def put(self, key: str, content_type: str, content: bytes) -> None:
        """Store a file. Raises Unavailable when the storage cannot."""
        ...

    def look(self, key: str) -> Stored | None:
        """What is there; None for nothing. Raises Unavailable when the storage cannot say."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Delete what is there; nothing there is fine. Raises Unavailable when the storage cannot."""
        ...


@functools.cache
def storage() -> Storage:
    """The configured storage."""
    if settings.MEDIA_BUCKET is None:
        return local_storage()
    from apps.tracing.media.s3 import S3Storage  # its library is only there where it is needed

    return S3Storage(settings.MEDIA_BUCKET)


def local_storage() -> LocalStorage:
    """The folder; there also while a bucket is configured, for addresses given out before."""
    return LocalStorage(settings.DATA_DIR / "media")


class LocalStorage:
    """A folder. Files arrive whole: written aside, made durable, then renamed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._arriving = folder / "arriving"

    def upload_url(self, upload: Upload, base: str) -> str:
        """Answered by `asgi.MediaFiles`."""
        return f"{base}{PREFIX}{tokens.sign(upload, int(time.time()) + URL_SECONDS)}"

    def download_url(self, download: Download, base: str) -> str:
        """The same address for up to an hour, so that browsers may keep the file."""
        expires = (int(time.time()) // URL_SECONDS + 2) * URL_SECONDS
        return f"{base}{PREFIX}{tokens.sign(download, expires)}"

    def put(self, key: str, content_type: str, content: bytes) -> None:
        """Durable on return."""
        arrived = self.arriving(uuid.uuid4().hex, len(content))
        try:
            with arrived.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            self.keep(arrived, key)
        finally:
            arrived.unlink(missing_ok=True)

    def look(self, key: str) -> Stored | None:
        """From the file system."""
        try:
            return Stored(self.path(key).stat().st_size)
        except FileNotFoundError:
            return None

    def delete(self, keys: Iterable[str]) -> None:
        """Unlink; readers that have a file open read it to the end."""
        for key in keys:
            self.path(key).unlink(missing_ok=True)

    def open(self, key: str) -> BinaryIO:
        """A file for reading. Raises FileNotFoundError."""
        return self.path(key).open("rb")

    def path(self, key: str) -> Path:
        """The file of a key."""
        return self.folder / key

    def arriving(self, name: str, size: int) -> Path:
        """Where a file of `size` bytes may be written while it arrives. Raises Unavailable on a full disk."""
        self._arriving.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self.folder).free < size + _SPARE_BYTES:
            raise Unavailable("The disk of the server is full.", retry_after=60)
        return self._arriving / name

    def keep(self, arrived: Path, key: str) -> None:
        """Give an arrived file, already synced, its place; durable on return."""
        path = self.path(key)
        if not path.parent.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _sync_folder(self.folder)
        arrived.replace(path)
        _sync_folder(path.parent)

    def forget_arriving(self, older_than: float) -> int:
        """Delete what interrupted uploads left, last written before `older_than` (epoch seconds)."""
        count = 0
        for path in self._arriving.iterdir() if self._arriving.is_dir() else ():
            try:
                if path.stat().st_mtime < older_than:
                    path.unlink()
                    count += 1
            except FileNotFoundError:
                continue  # finished meanwhile
        return count


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
