"""Requests of several processes, seen as one: figures in Redis, bodies where they arrived.

A body may hold a secret until somebody looks, so it never leaves its process as it is: who wants to see one
asks all processes, and the one that has it answers with JSON without secrets. That also keeps the way of a
request free of any second decoding. Nothing here fails a request: without Redis the page shows less.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from typing import Any

import orjson
from redis import Redis
from redis.exceptions import RedisError

from apps.core.errors import ApiError, InvalidRequest, Unavailable
from apps.core.ids import new_id
from apps.ingestion.inspector.entries import SECONDS, Entry, Tally
from apps.ingestion.inspector.memory import Memory

logger = logging.getLogger(__name__)

_PREFIX = "litefuse:wire:"
_CHANNEL = f"{_PREFIX}ask"
_ANSWER_SECONDS = 3.0  # for another process to answer
_MAX_WAITING = 2_000  # requests not in Redis yet; more are dropped, and only this process knows of them
_MINUTES = SECONDS // 60
_PAUSE = 2.0  # seconds before Redis is tried again
_COUNTS = ("requests", "failed", "received", "stored", "merged", "repeated", "refused")


class Shared:
    """The log of one process of several. Safe from any thread."""

    def __init__(self, url: str) -> None:
        """`url` is REDIS_URL; nothing is opened before it is needed."""
        self._own = Memory()
        self._redis: Any = Redis.from_url(
            url, decode_responses=True, socket_timeout=5, socket_connect_timeout=5
        )
        # Its time-out is for the quiet times between two questions.
        self._hearing: Any = Redis.from_url(url, socket_timeout=30, socket_keepalive=True)
        self._waiting: queue.Queue[Entry | None] = queue.Queue(_MAX_WAITING)
        self._stopping = threading.Event()
        for work in (self._send_all, self._answer_all):
            threading.Thread(target=work, name=f"wire-inspector{work.__name__}", daemon=True).start()

    def close(self) -> None:
        """Let the threads go. A server need not: they end with the process."""
        self._stopping.set()
        self._waiting.put(None)
        self._hearing.connection_pool.disconnect()

    def add(self, entry: Entry, body: bytes = b"") -> Entry:
        """Remember a request; its figures reach the other processes a moment later."""
        entry = self._own.add(entry, body)
        try:
            self._waiting.put_nowait(entry)
        except queue.Full:
            logger.warning("the wire inspector does not keep up: a request is not shown everywhere")
        return entry

    def entries(self, project_id: str) -> list[Entry]:
        """The project's requests in all processes, newest first."""
        found: dict[str, Entry] = {}
        try:
            for name in self._redis.smembers(_lists(project_id)):
                for text in self._redis.lrange(name, 0, -1):
                    entry = Entry.load(text)
                    found[entry.id] = entry
        except RedisError as error:
            logger.warning("the wire inspector cannot read what other processes saw: %s", error)
        for entry in self._own.entries(project_id):
            found.setdefault(entry.id, entry)
        since = (time.time() - SECONDS) * 1_000_000
        recent = (entry for entry in found.values() if entry.time >= since)
        return sorted(recent, key=lambda entry: (entry.time, entry.id), reverse=True)

    def entry(self, project_id: str, id: str) -> Entry | None:
        """One request of the project; None when it is gone, or another's."""
        own = self._own.entry(project_id, id)
        return own or next((entry for entry in self.entries(project_id) if entry.id == id), None)

    def readable(self, project_id: str, id: str) -> bytes:
        """The body as JSON without secrets; empty when it is gone. Raises InvalidRequest, TooLarge, or
        Unavailable when Redis does not answer."""
        if self._own.entry(project_id, id) is not None:
            return self._own.readable(project_id, id)
        reply = f"{_PREFIX}reply:{new_id()}"
        try:
            self._redis.publish(_CHANNEL, orjson.dumps({"body": id, "project": project_id, "reply": reply}))
            answer = self._redis.blpop([reply], timeout=_ANSWER_SECONDS)
        except RedisError as error:
            raise Unavailable("Redis does not answer.", retry_after=5) from error
        if answer is None:  # the process that had it is gone
            return b""
        kind, _, text = answer[1].partition("\n")
        if kind != "body":
            raise InvalidRequest(text)
        return str(text).encode()

    def tallies(self, project_id: str) -> dict[str, Tally]:
        """What the last hour comes to in all processes, by key."""
        now = int(time.time()) // 60
        found: dict[str, Tally] = {}
        try:
            for key_id in self._redis.smembers(_counted(project_id)):
                names = [_count(project_id, key_id, now - ago) for ago in range(_MINUTES)]
                with self._redis.pipeline(transaction=False) as pipe:
                    for name in names:
                        pipe.hmget(name, _COUNTS)
                    rows = pipe.execute()
                sums = [sum(int(row[column] or 0) for row in rows) for column in range(len(_COUNTS))]
                found[key_id] = Tally(*sums)
        except RedisError:
            return self._own.tallies(project_id)
        return found

    def count_unknown(self, way: str) -> None:
        """Count a request whose credentials nobody knows."""
        self._own.count_unknown(way)

    def unknown(self) -> dict[str, int]:
        """How many of those this process saw."""
        return self._own.unknown()

    def forget(self, project_id: str, trace_ids: frozenset[str] | None = None) -> None:
        """Remove what concerns a project, or some of its traces, in every process. Raises Unavailable."""
        self._own.forget(project_id, trace_ids)
        told = {"forget": project_id, "traces": None if trace_ids is None else sorted(trace_ids)}
        try:
            for name in self._redis.smembers(_lists(project_id)):
                self._forget_in(name, trace_ids)
            if trace_ids is None:
                self._redis.delete(_lists(project_id), _counted(project_id))
            self._redis.publish(_CHANNEL, orjson.dumps(told))
        except RedisError as error:
            raise Unavailable("Redis does not answer.", retry_after=5) from error

    def _forget_in(self, name: str, trace_ids: frozenset[str] | None) -> None:
        if trace_ids is None:
            self._redis.delete(name)
            return
        for text in self._redis.lrange(name, 0, -1):
            entry = Entry.load(text)
            if entry.concerns(trace_ids):
                with self._redis.pipeline() as pipe:  # by value: the list may have moved on meanwhile
                    pipe.linsert(name, "BEFORE", text, entry.without_content().dump())
                    pipe.lrem(name, 1, text)
                    pipe.execute()

    # --- threads ----------------------------------------------------------------------------------------

    def _send_all(self) -> None:
        while not self._stopping.is_set():
            taken = [self._waiting.get()]
            while len(taken) < 200 and not self._waiting.empty():
                taken.append(self._waiting.get())
            entries = [entry for entry in taken if entry is not None]
            try:
                self._send(entries)
            except RedisError as error:
                if not self._stopping.is_set():
                    logger.warning("the wire inspector cannot tell other processes: %s", error)
                self._stopping.wait(_PAUSE)
            except Exception:  # an entry that nobody foresaw must not end this for all that follow
                logger.exception("the wire inspector could not tell other processes of a request")

    def _send(self, entries: list[Entry]) -> None:
        with self._redis.pipeline(transaction=False) as pipe:
            for entry in entries:
                name = f"{_PREFIX}requests:{entry.project_id}:{entry.key_id}:{entry.lane}"
                pipe.lpush(name, entry.dump())
                pipe.ltrim(name, 0, entry.lane_limit - 1)
                counts = _count(entry.project_id, entry.key_id, entry.time // 60_000_000)
                tally = Tally()
                tally.add(entry)
                for column in _COUNTS:
                    pipe.hincrby(counts, column, getattr(tally, column))
                pipe.sadd(_lists(entry.project_id), name)
                pipe.sadd(_counted(entry.project_id), entry.key_id)
                for held in (name, counts, _lists(entry.project_id), _counted(entry.project_id)):
                    pipe.expire(held, SECONDS)
            pipe.execute()

    def _answer_all(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._hearing.pubsub(ignore_subscribe_messages=True) as heard:
                    heard.subscribe(_CHANNEL)
                    while not self._stopping.is_set():
                        message = heard.get_message(timeout=20)
                        if message is not None:
                            self._answer(orjson.loads(message["data"]))
            except (RedisError, OSError, ValueError) as error:  # ValueError: closed while it was listening
                if not self._stopping.is_set():
                    logger.warning("the wire inspector does not hear other processes: %s", error)
                self._stopping.wait(_PAUSE)
            except Exception:  # what is to be forgotten must be heard after any question
                logger.exception("the wire inspector could not answer another process")

    def _answer(self, asked: dict[str, Any]) -> None:
        if "forget" in asked:
            traces = asked["traces"]
            self._own.forget(asked["forget"], None if traces is None else frozenset(traces))
            return
        if self._own.entry(asked["project"], asked["body"]) is None:
            return
        try:
            answer = b"body\n" + self._own.readable(asked["project"], asked["body"])
        except ApiError as error:
            answer = b"error\n" + error.message.encode()
        with self._redis.pipeline() as pipe:
            pipe.rpush(asked["reply"], answer)
            pipe.expire(asked["reply"], 30)
            pipe.execute()


def _lists(project_id: str) -> str:
    return f"{_PREFIX}lists:{project_id}"


def _counted(project_id: str) -> str:
    return f"{_PREFIX}counted:{project_id}"


def _count(project_id: str, key_id: str, minute: int) -> str:
    return f"{_PREFIX}count:{project_id}:{key_id}:{minute}"
