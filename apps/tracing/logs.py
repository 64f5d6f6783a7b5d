"""What log events say of a span's input and output.

GenAI conventions send prompts and completions as log records that name their trace and span. They are kept
in the span's `attributes` under `logs`, and its content is read from all of them, whichever came first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def content_of(logs: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Input and output as text (JSON text of messages); an empty one where the events say nothing.

    Each log: `name` of the event, `time` in microseconds, `body` (any JSON value), `attributes` (object).
    """
    return "", ""
