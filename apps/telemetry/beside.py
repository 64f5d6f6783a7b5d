"""Questions asked side by side: most of what one takes is the engine making up its mind, on one core."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from apps.telemetry.gate import MAX_CLIENTS

P = ParamSpec("P")
T = TypeVar("T")

_pool = ThreadPoolExecutor(MAX_CLIENTS, thread_name_prefix="beside")


def beside(ask: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """Start a question that asks the store and nothing else; its answer, or what it raised, when wanted.

    It must not wait for another one that was started so.
    """
    return _pool.submit(ask, *args, **kwargs)
