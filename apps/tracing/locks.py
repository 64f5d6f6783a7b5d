"""Writers of one trace take turns: in one process by a lock, across processes by PostgreSQL's."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from django.db import DatabaseError, close_old_connections, connection

from apps.core.errors import Unavailable

_NAMESPACE = 0x4C465452  # sets these apart from other advisory locks in the database
_BUCKETS = 4096  # bounds the locks one commit may hold: a server's table of locks is finite
_in_process = threading.RLock()


@contextmanager
def writing(keys: Collection[tuple[str, str]]) -> Iterator[None]:
    """Hold the right to write these (project, trace) pairs; raises Unavailable if it cannot be had."""
    with _in_process:
        if connection.vendor != "postgresql":
            yield
            return
        # In order, so that two writers cannot wait for each other in a circle.
        buckets = sorted({_bucket(*key) for key in keys})
        if not connection.in_atomic_block:  # whose owner needs the connection as it is
            close_old_connections()
        try:
            _call("pg_advisory_lock", buckets)
        except Unavailable:
            connection.close()  # the session may hold some of them
            raise
        # Whoever asks the database meanwhile must not find the connection too old and close it: the locks go.
        expires, connection.close_at = connection.close_at, None
        try:
            yield
        finally:
            connection.close_at = expires
            try:
                _call("pg_advisory_unlock", buckets)
            except Unavailable:
                connection.close()  # and the locks with it
                raise


def _bucket(project_id: str, trace_id: str) -> int:
    digest = hashlib.sha256(f"{project_id}\0{trace_id}".encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:4], "big") % _BUCKETS


def _call(function: str, buckets: list[int]) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {function}(%s, bucket) FROM unnest(%s) AS bucket", [_NAMESPACE, buckets])
            cursor.fetchall()
    except DatabaseError as error:
        raise Unavailable("The database does not answer. Try again.", retry_after=5) from error
