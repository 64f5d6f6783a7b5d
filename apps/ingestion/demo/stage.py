"""A stage on which a trace plays: time passes, steps nest, models answer at their own pace. Pure.

Everything follows from the random generator given, so that the same day always plays the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from apps.pricing.usage import with_total
from apps.tracing.records import Level, Observation, ObservationType, TraceFacts

MILLISECOND: Final = 1000  # microseconds
SERVICE: Final = "kestrel-assistant"
SHOP: Final = "kestrel-web"  # whose pages customers see


@dataclass(frozen=True, slots=True)
class Model:
    """How a model behaves: milliseconds to its first token, then tokens a second."""

    name: str
    first_token_ms: int
    tokens_per_second: int


GPT_4O: Final = Model("gpt-4o-2024-08-06", 420, 95)
GPT_4O_MINI: Final = Model("gpt-4o-mini", 310, 120)
SONNET: Final = Model("claude-sonnet-4-5-20250929", 780, 72)
GEMINI_FLASH: Final = Model("gemini-2.5-flash", 350, 190)
GEMINI_PRO: Final = Model("gemini-2.5-pro", 2900, 110)
KIMI: Final = Model("kimi-k2-0905-preview", 640, 48)
EMBEDDING: Final = Model("text-embedding-3-small", 60, 0)
RERANKER: Final = Model("kestrel-reranker-v2", 45, 0)  # the shop's own: nobody has a price for it


def count_tokens(text: str) -> int:
    """About as many tokens as a tokenizer would make of it."""
    wide = sum(1 for letter in text if ord(letter) > 0x2E7F)
    return max(1, round((len(text) - wide) / 4.1 + wide * 0.75))


def as_text(value: Any) -> str:
    """Text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(slots=True)
class Stage:
    """Where and when a story plays; collects what it leaves behind."""

    random: Random
    project_id: str
    now: int  # microseconds
    environment: str = "production"
    release: str = ""
    host: str = "web-1"
    outage: bool = False  # the first provider refuses many calls
    observations: list[Observation] = field(default_factory=list)
    _open: list[Observation] = field(default_factory=list)

    def wait(self, low_ms: float, high_ms: float) -> None:
        """Let some time pass."""
        self.now += int(self.random.uniform(low_ms, high_ms) * MILLISECOND)

    def chance(self, probability: float) -> bool:
        """True this often."""
        return self.random.random() < probability

    @contextmanager
    def trace(
        self, name: str, kind: ObservationType, given: Any, *, route: str = "", **facts: Any
    ) -> Iterator[Observation]:
        """The first step of a new trace; `facts` say user, session, tags and metadata. With a `route` the
        trace begins with the web shop's request, and the step is where its model part starts."""
        trace_id = f"{self.random.getrandbits(128):032x}"
        first = len(self.observations)
        with ExitStack() as around:
            if route:
                around.enter_context(self._request(trace_id, route))
            with self._step(trace_id, kind, name, given) as entry:
                entry.is_root, entry.is_entry = not route, bool(route)
                entry.trace = TraceFacts(name=name, release=self.release or None, **facts)
                yield entry
        for observation in self.observations[first:]:
            observation.received_at = self.now + 1_200 * MILLISECOND

    @contextmanager
    def _request(self, trace_id: str, route: str) -> Iterator[None]:
        about = {"http.request.method": "POST", "http.route": route, "http.response.status_code": 200}
        with self._step(trace_id, ObservationType.SPAN, f"POST {route}", "") as request:
            request.is_root = True
            self._plumb(request, "fastapi", about, SHOP)
            self.query("SELECT", "sessions", service=SHOP)
            yield

    def query(self, operation: str, table: str, *, service: str = SERVICE) -> None:
        """A query of the shop's database inside the open step."""
        about = {"db.system.name": "postgresql", "db.operation.name": operation, "db.collection.name": table}
        with self.step(ObservationType.SPAN, f"{operation} {table}") as query:
            self._plumb(query, "asyncpg", about, service)
            self.wait(1, 9)

    @contextmanager
    def call(self, method: str, url: str) -> Iterator[None]:
        """A request of the assistant to another service, around what it waits for."""
        about = {"http.request.method": method, "url.full": url, "http.response.status_code": 200}
        with self.step(ObservationType.SPAN, method) as call:
            self._plumb(call, "httpx", about, SERVICE)
            yield

    def _plumb(self, step: Observation, library: str, about: dict[str, Any], service: str) -> None:
        """Make a step what OpenTelemetry's instrumentation of a library sends: nothing about models."""
        step.is_infrastructure = True
        step.service_name = service
        step.attributes = self._received(service, f"opentelemetry.instrumentation.{library}", about)

    @contextmanager
    def step(self, kind: ObservationType, name: str, given: Any = "", **fields: Any) -> Iterator[Observation]:
        """A step inside the one that is open."""
        with self._step(self._open[0].trace_id, kind, name, given, **fields) as observation:
            yield observation

    @contextmanager
    def _step(
        self, trace_id: str, kind: ObservationType, name: str, given: Any, **fields: Any
    ) -> Iterator[Observation]:
        observation = Observation(
            project_id=self.project_id,
            trace_id=trace_id,
            id=f"{self.random.getrandbits(64):016x}",
            start_time=self.now,
            parent_id=self._open[-1].id if self._open else "",
            type=kind,
            name=name,
            environment=self.environment,
            release=self.release,
            input=as_text(given),
            sdk_name="python",
            sdk_version="4.2.1",
            service_name=SERVICE,
            host_name=self.host,
            attributes=self._received(),
            **fields,
        )
        self.observations.append(observation)
        self._open.append(observation)
        self.wait(1, 4)
        yield observation
        self._open.pop()
        self.wait(1, 4)
        observation.end_time = None if kind is ObservationType.EVENT else self.now

    def _received(
        self, service: str = SERVICE, scope: str = "langfuse-sdk", attributes: dict[str, Any] | None = None
    ) -> str:
        resource = {
            "service.name": service,
            "service.version": self.release,
            "host.name": self.host,
            "deployment.environment.name": self.environment,
        }
        version = "4.2.1" if scope == "langfuse-sdk" else "0.58b0"
        sent = {"attributes": attributes} if attributes else {}
        return as_text({**sent, "resource": resource, "scope": {"name": scope, "version": version}})

    @contextmanager
    def together(self) -> Iterator[_Branches]:
        """Branches that run side by side: call `back` of what is given before each but the first."""
        branches = _Branches(self)
        yield branches
        self.now = max([self.now, *branches])

    def event(self, name: str, given: Any = "", level: Level = Level.DEFAULT) -> None:
        """Something that happened at one moment."""
        with self.step(ObservationType.EVENT, name, given, level=level):
            pass

    def generate(
        self,
        name: str,
        model: Model,
        messages: Sequence[Mapping[str, Any]],
        answer: Any,
        *,
        instructions: int = 400,
        cached: int = 0,
        reasoning: int = 0,
        parameters: Mapping[str, Any] | None = None,
        prompt: str = "",
        streamed: bool = True,
    ) -> Observation:
        """A model call that succeeds. Token counts: `instructions` are unseen input tokens, `cached` of
        all input came from the provider's cache, `reasoning` of all output were thoughts."""
        said = sum(count_tokens(as_text(message["content"])) for message in messages) + instructions
        written = count_tokens(as_text(answer))
        with self.step(ObservationType.GENERATION, name, list(messages), model=model.name) as call:
            self._pace(call, model, written + reasoning, streamed)
            call.output = as_text({"role": "assistant", "content": answer} if streamed else answer)
            call.model_parameters = as_text(dict(parameters or {"temperature": 0.3, "max_tokens": 1024}))
            call.prompt_name, call.prompt_version = prompt, self._prompt_version() if prompt else None
            cached = min(cached, said)
            usage = {"input": said - cached, "output": written}
            if cached:
                usage["input_cached_tokens" if model.name.startswith("gpt") else "input_cache_read"] = cached
            if reasoning:
                usage["output_reasoning_tokens"] = reasoning
            # On staging nobody asked the provider to send usage at the end of streams: it is estimated.
            if not (streamed and self.environment == "staging"):
                call.usage = with_total(usage)
        return call

    def _pace(self, call: Observation, model: Model, tokens: int, streamed: bool) -> None:
        self.wait(model.first_token_ms * 0.7, model.first_token_ms * 1.9)
        if streamed:
            call.completion_start_time = self.now
        seconds = tokens / (model.tokens_per_second * self.random.uniform(0.75, 1.15))
        self.now += int(seconds * 1_000_000)

    def _prompt_version(self) -> int:
        return 3 + sum(map(ord, self.release)) % 3

    def refuse(
        self, name: str, model: Model, messages: Sequence[Mapping[str, Any]], reason: str
    ) -> Observation:
        """A model call that the provider turns down."""
        with self.step(ObservationType.GENERATION, name, list(messages), model=model.name) as call:
            self.wait(150, 900)
            call.level, call.status_message = Level.ERROR, reason
        return call

    def embed(self, text: str) -> None:
        """Turn a text into a vector."""
        with self.step(ObservationType.EMBEDDING, "embed-question", text, model=EMBEDDING.name) as call:
            self.wait(40, 130)
            call.output = as_text({"dimensions": 1536})
            tokens = count_tokens(text)
            call.usage = {"input": tokens, "total": tokens}


class _Branches(list[int]):
    """Where each finished branch ended; time goes back to the fork for the next one."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage, self._fork = stage, stage.now

    def back(self) -> None:
        """End one branch and begin the next at the same moment."""
        self.append(self._stage.now)
        self._stage.now = self._fork
