"""Feeds mutated recordings of real clients to every decoder, guided by coverage.

    python -m tests.endurance.fuzz TARGET [libFuzzer options, such as -runs=100000]

Whatever arrives, a decoder answers with records that the store can take or with one of our own refusals.
Anything else (another exception, a minute of work, gigabytes) ends the process with an error.
"""

from __future__ import annotations

import base64
import copy
import json
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import atheris

from benchmarks.environment import prepare as prepare_environment

RECORDINGS = Path(__file__).resolve().parents[1] / "fixtures" / "sdk"
MAX_LENGTH = 64 * 1024
LIMIT = 1024 * 1024  # bytes that a body may unpack to
IN_JSON = ("traces-json", "batch", "scores")
ODD = (
    None, True, False, 0, -1, 2**63, 2**70, -(2**63), 0.5, 1e308, "", "x" * 3000, "\0", "\ud800", "é😀",
    "true", "NaN", "-1", "2026-11-21T10:00:00Z", "9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00+14:00",
    "{}", "[[[",
    [], {}, [[]], [None], {"": ""}, {"$ref": "#"}, {"high": 1, "low": -1},
    {"type": "Buffer", "data": [1, 300]},
)  # fmt: skip
NOW = 1_795_000_000_000_000


def targets() -> dict[str, Callable[[bytes], None]]:
    """The decoders by name. Imports the program, instrumented: the environment must be there."""
    with atheris.instrument_imports(
        include=["apps.ingestion", "apps.tracing.stored", "apps.tracing.merging"]
    ):
        from apps.core.errors import ApiError
        from apps.ingestion import bodies, otlp
        from apps.ingestion.batch import decode, requests
        from apps.ingestion.mapping.shapes import Context, Sender
        from apps.ingestion.mapping.spans import map_spans
        from apps.organizations.authentication import Access
        from apps.tracing import tables
        from apps.tracing.records import Observation
        from apps.tracing.stored import prepare

    context = Context("project", received_at=NOW, api_key_id="key", sender=Sender("python", "5.0.4", 4))
    access = Access("key", "pk-lf-x", "project", "full", "organization", "project")

    def store(observations: list[Observation]) -> None:
        rows = [prepare(observation) for observation in observations]
        for row in rows:
            row.event_ts = 1
        tables.observations_block(rows, "writer")
        tables.content_block(rows)

    def refusing(run: Callable[[bytes], None]) -> Callable[[bytes], None]:
        def guarded(data: bytes) -> None:
            try:
                run(data)
            except (ApiError, decode.NoBatch) as refusal:
                if getattr(refusal, "status", 400) >= 500:
                    raise

        return guarded

    def unpack(encoding: str) -> Callable[[bytes], None]:
        def run(data: bytes) -> None:
            with bodies.Budget(4 * LIMIT).share() as share:
                assert len(bodies.unpack(data, encoding, limit=LIMIT, share=share)) <= LIMIT

        return run

    def batch(data: bytes) -> None:
        events, _ = decode.read_batch(data)
        store(decode.decode(events, context, scores_only=False).observations)

    return {
        name: refusing(run)
        for name, run in {
            "traces-protobuf": lambda data: store(map_spans(otlp.decode_protobuf(data, NOW).spans, context)),
            "traces-json": lambda data: store(map_spans(otlp.decode_json(data, NOW).spans, context)),
            "batch": batch,
            "scores": lambda data: requests.post_scores(requests.Body(data, {}, access, "project")) and None,
            "gzip": unpack("gzip"),
            "deflate": unpack("deflate"),
        }.items()
    }


def seeds(target: str) -> Iterator[bytes]:
    """Recorded bodies of the kind that a target takes."""
    import gzip
    import zlib

    for recording in sorted(RECORDINGS.glob("*.jsonl")):
        for line in recording.read_text().splitlines():
            entry = json.loads(line)
            path, body = str(entry.get("path", "")), entry.get("body_json")
            raw = base64.b64decode(entry.get("raw_protobuf_b64", ""))
            match target:
                case "traces-protobuf" if raw:
                    yield raw
                case "traces-json" if body is not None and path.endswith("/traces"):
                    yield json.dumps(body).encode()
                case "batch" if body is not None and path.endswith("/ingestion"):
                    yield json.dumps(body).encode()
                case "scores" if body is not None and path.endswith("/scores"):
                    yield json.dumps(body).encode()
                case "gzip" if raw:
                    yield gzip.compress(raw)
                case "deflate" if raw:
                    yield zlib.compress(raw)


def mutate_json(data: bytes, max_size: int, seed: int) -> bytes:
    """Now and then any bytes, mostly JSON with some of its values moved, dropped or made odd."""
    draw = random.Random(seed)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict | list) or draw.random() < 0.1:
        return bytes(atheris.Mutate(data, max_size))
    for _ in range(draw.randint(1, 4)):
        places = list(_places(document))
        if not places:
            break
        holder, key = draw.choice(places)
        match draw.randrange(4):
            case 0:
                del holder[key]
            case 1:
                source, other = draw.choice(places)
                holder[key] = copy.deepcopy(source[other])
            case _:
                holder[key] = copy.deepcopy(draw.choice(ODD))  # it may be filled later
    changed = json.dumps(document).encode()
    return changed if len(changed) <= max_size else data


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) below a value, outermost first."""
    waiting = [value]
    while waiting:
        holder = waiting.pop(0)
        for key in list(holder) if isinstance(holder, dict) else range(len(holder)):
            yield holder, key
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])


def main() -> None:
    """Fuzz one target until its runs are done or something breaks."""
    name, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="litefuse-fuzz-") as directory:
        folder = Path(directory)
        corpus = folder / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(seeds(name)):
            if len(seed) <= MAX_LENGTH:
                (corpus / str(number)).write_bytes(seed)
        prepare_environment(folder / "data")
        atheris.Setup(
            [
                sys.argv[0],
                str(corpus),
                f"-max_len={MAX_LENGTH}",
                "-timeout=60",
                "-rss_limit_mb=2048",
                f"-artifact_prefix={tempfile.gettempdir()}/",
                *options,
            ],
            targets()[name],
            custom_mutator=mutate_json if name in IN_JSON else None,
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
