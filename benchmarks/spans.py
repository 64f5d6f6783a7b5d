"""Spans as instrumented applications send them: about 7 kB each, text that compresses like text."""

from __future__ import annotations

import itertools
import json
import random
import secrets
import time
from dataclasses import dataclass
from decimal import Decimal

WORDS = 4000
MODELS = ("gpt-5", "gpt-5-mini", "claude-sonnet-4-5", "claude-haiku-4-5", "gemini-2.5-pro")
NAMES = ("answer", "retrieve", "plan", "rank", "summarise", "call-tool", "guard", "embed")
SPANS_PER_TRACE = 8


@dataclass(frozen=True, slots=True)
class Span:
    """One span before it takes the shape of a protocol."""

    trace_id: str
    id: str
    parent_id: str
    start: int  # microseconds
    end: int
    name: str
    model: str  # empty: not a generation
    input: str
    output: str
    user_id: str
    session_id: str
    usage: dict[str, int]
    cost: Decimal
    metadata: dict[str, str]
    failed: bool


class Source:
    """An endless stream of spans, trace by trace, roots last as exporters send them."""

    def __init__(self, seed: int, *, size: int = 7000, shared_prompts: bool = False) -> None:
        """`shared_prompts`: the system prompt of a span is that of its name, as in a real application;
        otherwise no text ever comes twice, which no application sends and no codec likes."""
        self._random = random.Random(seed)
        letters = "etaoinshrdlucmfwypvbgkjqxz"
        vocabulary = [
            "".join(self._random.choices(letters, k=self._random.randint(2, 11))) for _ in range(WORDS)
        ]
        # One long text, from which pieces are cut: making words anew for each span would measure itself.
        self._text = " ".join(self._random.choices(vocabulary, k=400_000))
        self._size = size
        length = (size - 900) // 3
        self._prompts = {name: self._piece(length) for name in NAMES} if shared_prompts else {}
        self._users = itertools.cycle(f"user-{n}" for n in range(500))

    def _piece(self, length: int) -> str:
        start = self._random.randrange(len(self._text) - length)
        return self._text[start : start + length]

    def trace(self, spans: int = SPANS_PER_TRACE, *, at: int | None = None) -> list[Span]:
        """The spans of one trace, its root last; it started at `at`, or just now."""
        pick = self._random
        trace_id, root_id = secrets.token_hex(16), secrets.token_hex(8)
        start = at if at is not None else time.time_ns() // 1000 - 3_000_000
        user = next(self._users)
        made = []
        for number in range(spans):
            last = number == spans - 1
            begin = start if last else start + number * 150_000
            generation = number % 2 == 0 and not last
            content = self._size - 900
            name = "request" if last else pick.choice(NAMES)
            question = [
                {"role": "system", "content": self._prompts.get(name) or self._piece(content // 3)},
                {"role": "user", "content": self._piece(content // 3)},
            ]
            tokens_in, tokens_out = pick.randint(200, 2000), pick.randint(20, 800)
            made.append(
                Span(
                    trace_id=trace_id,
                    id=root_id if last else secrets.token_hex(8),
                    parent_id="" if last else root_id,
                    start=begin,
                    end=begin + (spans * 150_000 if last else pick.randint(20_000, 900_000)),
                    name=name,
                    model=pick.choice(MODELS) if generation else "",
                    input=json.dumps(question),
                    output=self._piece(content // 3),
                    user_id=user,
                    session_id=f"session-{user}-{start // 3_600_000_000}",
                    usage={"input": tokens_in, "output": tokens_out, "total": tokens_in + tokens_out}
                    if generation
                    else {},
                    cost=Decimal(tokens_in + 4 * tokens_out) / 1_000_000,
                    metadata={
                        "region": pick.choice(("eu", "us", "ap")),
                        "attempt": str(pick.randint(1, 3)),
                        "request_id": secrets.token_hex(12),
                    },
                    failed=pick.random() < 0.02,
                )
            )
        return made

    def batches(self, count: int, size: int) -> list[list[Span]]:
        """`count` batches of exactly `size` spans; traces are cut where a batch ends."""
        stream = itertools.chain.from_iterable(self.trace() for _ in itertools.count())
        return [list(itertools.islice(stream, size)) for _ in range(count)]
