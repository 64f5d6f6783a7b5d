"""The gate: the only module that knows a ClickHouse client.

Embedded, chDB runs inside this process on a directory of its own; with CLICKHOUSE_URL set, the same SQL
goes to a server over HTTP. Both are opened on first use. chDB must never be imported before a fork, and
one process owns a directory: a lock beside it tells who.
"""

from __future__ import annotations

import ctypes
import fcntl
import importlib
import logging
import os
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, LifoQueue
from typing import IO, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from apps.core.errors import ApiError, Unavailable
from apps.telemetry import migrations
from apps.telemetry.native import Block

logger = logging.getLogger(__name__)

_LIBC = ctypes.CDLL(None, use_errno=True)

DATABASE = "litefuse"  # of the embedded engine; a server's is the path of its URL
MAX_CLIENTS = 8  # queries at once; more wait, instead of sharing two cores ever thinner
QUERY_SECONDS = 10.0
QUERY_BYTES = 2_000_000_000
MAX_COUNTS = 1000  # that are remembered
MAX_KEPT_FILE = 16 * 1024 * 1024  # bytes of memory that an inserter keeps for its next block
MIN_FREE_BYTES = 256 * 1024 * 1024  # below this nothing more is accepted: merges need room too

# Codes of a query that hit its limits: time, rows, bytes, memory.
_TOO_HEAVY = {158, 159, 160, 241, 307, 396}
# Told once to each client, not with every statement: a statement with settings takes the engine 0.3 ms more.
_SETTINGS = {
    "max_memory_usage": QUERY_BYTES,
    # Rows of one key never move to another partition, so FINAL resolves each partition alone.
    "do_not_merge_across_partitions_select_final": 1,
}
_INSERT_SETTINGS = {
    "async_insert": 0,  # the answer must mean "stored"
    "max_partitions_per_insert_block": 0,  # odd times must not refuse a batch; the schema bounds partitions
    "input_format_parallel_parsing": 0,  # one block stays one block
    "input_format_skip_unknown_fields": 0,  # a column that the table does not have is a mistake
}


class QueryFailed(Exception):
    """The store refused a statement: a mistake of ours, or a table that is not there."""


class StoreInUse(Unavailable):
    """Another process owns the telemetry directory."""


class Gate:
    """Queries and inserts, safe from any thread. Values are always bound, never pasted into SQL."""

    def __init__(self, *, path: Path | None = None, url: str = "") -> None:
        """Embedded on the directory `path`, or on the server at `url`. Opens it: raises Unavailable."""
        self.path = path
        self.url = url
        self.embedded = not url
        self.min_free_bytes = MIN_FREE_BYTES
        self.database = DATABASE if self.embedded else (urlsplit(url).path.strip("/") or "default")
        self._slots = threading.BoundedSemaphore(MAX_CLIENTS)
        # By the seconds that a statement of theirs may take; None: what the server itself allows.
        self._clients: dict[float | None, LifoQueue[Any]] = {}
        self._inserters: dict[str, LifoQueue[Any]] = {}  # by table: each keeps a file that fits
        self._lock_file: int | None = None
        self._directory: int | None = None
        self._syncs = self.embedded and hasattr(_LIBC, "syncfs")
        self._room_checked = 0.0
        self._changes: Counter[str] = Counter()  # of each table; of "": of who knows which
        self._noting = threading.Lock()
        self._counts: dict[tuple[str, str], tuple[int, int]] = {}  # statement -> changes then, number
        self._closed = False
        if self.embedded:
            self._own_directory()
        try:
            self._create_database()
            self.migrate()
        except BaseException:
            self.close()
            raise

    # --- reading and commanding ---------------------------------------------------------------------

    def query(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        purpose: str,
        seconds: float = QUERY_SECONDS,
    ) -> Sequence[Sequence[Any]]:
        """Rows of a SELECT; a DateTime64(6) as microseconds. `{name:Type}` is bound from `parameters`.

        Raises Unavailable when the store does not answer, ApiError 422 when the query took more time or
        memory than it may, QueryFailed for anything wrong with the statement itself.
        """
        with self._client(seconds) as client, self._mapped(purpose):
            rows: Sequence[Sequence[Any]] = client.query(
                sql, parameters=dict(parameters or {}), settings=self._named(purpose)
            ).result_rows
            return rows

    def count(self, sql: str, parameters: Mapping[str, Any], *, purpose: str) -> int:
        """The number that a SELECT answers; the errors of `query`.

        Embedded it is remembered until a table that the statement names is written to, and nobody but this
        gate writes: the pages of a list ask for the same number again and again, and it costs as much as a
        page.
        """
        changes = self._changes_of(sql)  # first: what is written meanwhile may be missing in the answer
        known = self.known_count(sql, parameters)
        if known is not None:
            return known
        number = int(self.query(sql, parameters, purpose=purpose)[0][0])
        if self.embedded:
            if len(self._counts) >= MAX_COUNTS:
                self._counts.clear()
            self._counts[sql, repr(parameters)] = changes, number
        return number

    def known_count(self, sql: str, parameters: Mapping[str, Any]) -> int | None:
        """What `count` would answer without asking; None where it would ask."""
        changes, number = self._counts.get((sql, repr(parameters)), (None, None))
        return number if changes == self._changes_of(sql) else None

    def execute(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        purpose: str,
        seconds: float = 60.0,
    ) -> None:
        """Run a statement that answers nothing (DDL, DELETE); the errors of `query`."""
        try:
            with self._client(seconds) as client, self._mapped(purpose):
                client.command(sql, parameters=dict(parameters or {}), settings=self._named(purpose))
        finally:
            self._note_change("")

    def _note_change(self, table: str) -> None:
        with self._noting:
            self._changes[table] += 1

    def _changes_of(self, sql: str) -> int:
        """How often the tables that a statement names have changed."""
        with self._noting:
            return sum(number for table, number in self._changes.items() if table in sql)

    def _named(self, purpose: str) -> dict[str, Any] | None:
        """What a server's log says of a statement; nobody reads a log of the embedded engine."""
        return None if self.embedded else {"log_comment": purpose}

    # --- writing ------------------------------------------------------------------------------------

    def insert(self, table: str, block: Block, *, purpose: str) -> None:
        """Store a block; on return it is readable, and durable after `sync`. Raises Unavailable otherwise."""
        if not block.rows:
            return
        try:
            if self.embedded:
                self._insert_embedded(table, block)
            else:
                with self._client(None) as client:
                    client.raw_insert(
                        f"{self.database}.{table}",
                        column_names=block.columns,
                        insert_block=block.data,
                        fmt="Native",
                        settings={**_INSERT_SETTINGS, "log_comment": purpose},
                    )
        except ApiError:
            raise
        except Exception as error:
            logger.error("insert into %s failed (%d rows, %s): %s", table, block.rows, purpose, error)
            raise Unavailable(
                _("The telemetry store did not take the data. Try again."), retry_after=5
            ) from error
        finally:
            self._note_change(table)

    def _insert_embedded(self, table: str, block: Block) -> None:
        pool = self._inserters.setdefault(table, LifoQueue())
        with self._borrow(pool, self._open_inserter) as inserter:
            inserter.insert(f"{self.database}.{table}", block)

    def sync(self) -> None:
        """Make everything inserted so far outlast a power cut. Raises Unavailable when the disk cannot.

        On a server, and where the system has no such call, the tables see to it at every insert: then this
        does nothing. Here, one call for the whole file system takes the place of forty for the files of a
        commit, each of which waits for the journal (docs/performance.md).
        """
        if self._directory is None or not self._syncs:
            return
        if _LIBC.syncfs(self._directory) != 0:
            problem = os.strerror(ctypes.get_errno())
            logger.error("the disk of %s cannot store: %s", self.path, problem)
            raise Unavailable(_("The telemetry store did not take the data. Try again."), retry_after=5)

    def require_room(self) -> None:
        """Raise Unavailable while the disk is nearly full."""
        if self.is_full():
            logger.error("disk nearly full: under %d bytes free at %s", self.min_free_bytes, self.path)
            raise Unavailable(
                _(
                    "The disk of the telemetry store is nearly full, so nothing more is accepted."
                    " Free some space, then send again."
                ),
                retry_after=60,
            )

    def is_full(self) -> bool:
        """Whether too little room is left to write. Found room is believed for a second."""
        if self.path is None or time.monotonic() - self._room_checked < 1:
            return False
        if shutil.disk_usage(self.path).free < self.min_free_bytes:
            return True
        self._room_checked = time.monotonic()
        return False

    # --- life ---------------------------------------------------------------------------------------

    def migrate(self) -> list[str]:
        """Apply the migrations that are missing, in order; their names. Safe to repeat."""
        applied = migrations.apply(self)
        if self.embedded:
            self._choose_who_syncs()
        return applied

    def _choose_who_syncs(self) -> None:
        """Either `sync` or the tables themselves: a directory may come from another system."""
        wanted = 0 if self._syncs else 1
        rows = self.query(
            "SELECT name FROM system.tables WHERE database = {database:String}"
            " AND position(engine_full, {other:String}) > 0",
            {"database": self.database, "other": f"fsync_after_insert = {1 - wanted}"},
            purpose="migrate",
        )
        for (table,) in rows:
            self.execute(
                f"ALTER TABLE {table} MODIFY SETTING fsync_after_insert = {wanted},"
                f" fsync_part_directory = {wanted}",
                purpose="migrate",
            )

    def close(self) -> None:
        """Close every client and let the directory go. Safe to repeat."""
        self._closed = True
        for pool in (*self._clients.values(), *self._inserters.values()):
            while True:
                try:
                    pool.get_nowait().close()
                except Empty:
                    break
        for descriptor in (self._directory, self._lock_file):
            if descriptor is not None:
                os.close(descriptor)
        self._directory = self._lock_file = None

    def _own_directory(self) -> None:
        assert self.path is not None
        self.path.mkdir(parents=True, exist_ok=True)
        lock_path = self.path.with_name(f"{self.path.name}.lock")
        descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(descriptor, 100).decode("utf-8", "replace").strip() or "unknown"
            os.close(descriptor)
            raise StoreInUse(
                f"The telemetry directory {self.path} is in use by process {owner}."
                " Stop that process, or use another LITEFUSE_DATA_DIR."
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._lock_file = descriptor
        self._directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)

    def _create_database(self) -> None:
        with self._mapped("open"):
            client = self._connect("default", None)  # ours may not exist yet
            try:
                client.command(f"CREATE DATABASE IF NOT EXISTS `{self.database}`")
            finally:
                client.close()

    # --- clients ------------------------------------------------------------------------------------

    def _connect(self, database: str, seconds: float | None) -> Any:
        if self.embedded:
            _import_engine()
        import clickhouse_connect
        from clickhouse_connect import common
        from clickhouse_connect.datatypes.format import set_read_format

        # A session would forbid two queries of one client at once, and serve nothing here.
        common.set_setting("autogenerate_session_id", False)
        # As the program has them: microseconds. Datetimes are slow to build and know fewer years.
        set_read_format("DateTime64*", "int")
        dsn = f"chdb://{self.path}" if self.embedded else self.url
        settings = {} if seconds is None else {**_SETTINGS, "max_execution_time": seconds}
        return clickhouse_connect.get_client(dsn=dsn, database=database, settings=settings)

    def _open_inserter(self) -> _Inserter:
        return _Inserter(os.path.realpath(str(self.path)))

    @contextmanager
    def _client(self, seconds: float | None) -> Iterator[Any]:
        def open_new() -> Any:
            with self._mapped("open"):
                return self._connect(self.database, seconds)

        pool = self._clients.setdefault(seconds, LifoQueue())
        with self._slots, self._borrow(pool, open_new) as client:
            yield client

    @contextmanager
    def _borrow(self, pool: LifoQueue[Any], open_new: Any) -> Iterator[Any]:
        """One client for one caller: queries of one client would wait for each other."""
        if self._closed:
            raise Unavailable(_("The telemetry store is closed."), retry_after=5)
        try:
            client = pool.get_nowait()
        except Empty:
            client = open_new()
        try:
            yield client
        finally:
            if self._closed:
                client.close()
            else:
                pool.put(client)

    @contextmanager
    def _mapped(self, purpose: str) -> Iterator[None]:
        from clickhouse_connect.driver import exceptions

        try:
            yield
        except exceptions.OperationalError as error:
            logger.error("telemetry store unreachable (%s): %s", purpose, error)
            raise Unavailable(_("The telemetry store does not answer. Try again."), retry_after=5) from error
        except exceptions.Error as error:
            code = getattr(error, "code", None)
            if code in _TOO_HEAVY:
                logger.warning("query over its limits (%s): code %s", purpose, code)
                raise TooHeavy() from error
            raise QueryFailed(f"{purpose}: {error}") from error


_opening_engine = threading.Lock()


def _import_engine() -> Any:
    """The module chdb, without pyarrow: for formats that are not used here it would load 45 MB, in half a
    second."""
    with _opening_engine:
        hides = not {"chdb", "pyarrow"} & sys.modules.keys()
        if hides:
            sys.modules["pyarrow"] = None  # type: ignore[assignment]  # to whoever imports it: not there
        try:
            return importlib.import_module("chdb")
        finally:
            if hides:
                del sys.modules["pyarrow"]


class _Inserter:
    """Inserts blocks into the embedded store, one at a time, through a file in memory.

    chDB's two other ways are no ways: its streaming insert reports success when the table refuses the rows,
    and data in the statement ends at its first empty line (26.9). The file is kept from block to block:
    memory that is new each time costs the system three times as much to write as the same again.
    """

    def __init__(self, path: str) -> None:
        """Into the store in the directory `path`."""
        self._connection = _import_engine().connect(path)
        for name, value in _INSERT_SETTINGS.items():
            self._connection.query(f"SET {name} = {value}")
        self._file: IO[bytes]
        if hasattr(os, "memfd_create"):  # on Linux blocks never touch a disk
            self._file = os.fdopen(os.memfd_create("litefuse-insert"), "wb")
            self._name = f"/proc/self/fd/{self._file.fileno()}"
        else:
            self._file = tempfile.NamedTemporaryFile(suffix=".native")  # noqa: SIM115  # until `close`
            self._name = self._file.name

    def insert(self, table: str, block: Block) -> None:
        """Store a block; raises what the engine says against it. The block names its columns: naming them in
        the statement too would take 2 ms."""
        self._hold(block.pieces)
        try:
            self._connection.query(
                f"INSERT INTO {table} FROM INFILE '{self._name}' COMPRESSION 'none' FORMAT Native",
                "TabSeparated",
            )
        finally:
            if self._file.tell() > MAX_KEPT_FILE:
                self._hold(())

    def close(self) -> None:
        """Let connection and file go."""
        self._connection.close()
        self._file.close()

    def _hold(self, pieces: Iterable[bytes]) -> None:
        """Have these bytes in the file, and no others."""
        self._file.seek(0)
        self._file.writelines(pieces)
        self._file.truncate()


class TooHeavy(ApiError):
    """422: the query needed more time or memory than one may use."""

    status = 422
    error = "Request timed out"

    def __init__(self) -> None:
        super().__init__(
            _(
                "The query took too long or needed too much memory. Ask for less: a shorter time range,"
                " more filters or a smaller page."
            )
        )


_gate: Gate | None = None
_opening = threading.Lock()


def gate() -> Gate:
    """The gate of this process, opened on first use; raises Unavailable when it cannot be."""
    global _gate
    if _gate is None:
        with _opening:
            if _gate is None:
                url = settings.CLICKHOUSE_URL
                _gate = Gate(url=url) if url else Gate(path=settings.DATA_DIR / "telemetry")
    return _gate


def close() -> None:
    """Close the gate of this process, if it was opened; the next use opens it again."""
    global _gate
    with _opening:
        if _gate is not None:
            _gate.close()
            _gate = None
