"""A server with a project made at its start, a model server, and runs of real clients against both."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import provisioned
from tests.support.clients import run_client
from tests.support.model_server import ModelServer
from tests.support.ports import free_port
from tests.support.provisioned import PROJECT_ID, PUBLIC_KEY, SECRET_KEY
from tests.support.server import ServerProcess
from tests.support.sessions import sign_in

# The picture that programs upload: one pixel, as PNG.
PICTURE = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SCRIPTS = Path(__file__).parent / "scripts"


@dataclass(frozen=True, slots=True)
class Project:
    """A project of a running server, as a client knows it."""

    url: str
    models: ModelServer
    otlp_url: str  # of the port that OpenTelemetry's exporters know, 4318 on a server of its own
    grpc_url: str  # likewise of the port for gRPC, 4317 on a server of its own
    browser: httpx.Client  # signed in

    def environment(self) -> dict[str, str]:
        """What a program finds in its environment."""
        return {
            "LANGFUSE_BASE_URL": self.url,
            "LANGFUSE_HOST": self.url,  # the older name, the only one that early clients know
            "LANGFUSE_BASEURL": self.url,  # its spelling in JavaScript
            "LANGFUSE_PUBLIC_KEY": PUBLIC_KEY,
            "LANGFUSE_SECRET_KEY": SECRET_KEY,
            "LANGFUSE_TRACING_ENVIRONMENT": "suite",
            "LANGFUSE_RELEASE": "r7",
            "MODEL_URL": self.models.base_url,
        }

    def run(self, client: str, script: str, *arguments: str, **environment: str) -> dict[str, Any]:
        """Run scripts/SCRIPT, Python when no ending says otherwise; what it printed last, as JSON.

        With keywords those are all of its environment.
        """
        env = environment or self.environment()
        name = script if Path(script).suffix else f"{script}.py"
        done = run_client(client, SCRIPTS / name, env, arguments)
        printed: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return printed

    def exporting(self) -> dict[str, str]:
        """What OpenTelemetry's own exporters find in their environment."""
        basic = b64encode(f"{PUBLIC_KEY}:{SECRET_KEY}".encode()).decode()
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{self.url}/api/public/otel",
            "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Basic%20{basic}",
            "MODEL_URL": self.models.base_url,
        }

    def get(self, path: str, **query: Any) -> httpx.Response:
        """A read by the public API."""
        address = f"{self.url}/api/public/{path}"
        return httpx.get(address, params=query or None, auth=(PUBLIC_KEY, SECRET_KEY), timeout=30)

    def trace(self, trace_id: str) -> dict[str, Any]:
        """A trace by the public API: at once, since what was acknowledged is readable."""
        answer = self.get(f"traces/{trace_id}")
        assert answer.status_code == 200, answer.text
        trace: dict[str, Any] = answer.json()
        return trace

    def listed(self, **filters: str) -> list[str]:
        """Ids of the traces that a person sees in the list, filtered as in its address, newest first."""
        page = self.browser.get(f"/project/{PROJECT_ID}/traces", params=filters).text
        return re.findall(rf'class="trace-link[^"]*" href="/project/{PROJECT_ID}/traces/([^"?]+)', page)


def by_name(trace: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A trace's observations by name; none may be there twice."""
    found = {observation["name"]: observation for observation in trace["observations"]}
    assert len(found) == len(trace["observations"]), [o["name"] for o in trace["observations"]]
    return found


def parents(trace: dict[str, Any]) -> dict[str, str | None]:
    """Of every observation's name its parent's; None for the roots."""
    names = {o["id"]: o["name"] for o in trace["observations"]}
    return {o["name"]: names.get(o["parentObservationId"]) for o in trace["observations"]}


def gpt_4o_cost(tokens_in: int, tokens_out: int, cached: int = 0) -> Any:
    """Cost of a call of gpt-4o in dollars, to compare with; cached tokens are not among `tokens_in`."""
    return pytest.approx(tokens_in * 2.5e-6 + cached * 1.25e-6 + tokens_out * 1e-5)


def in_order(observation: dict[str, Any], *names: str) -> bool:
    """True when the times under `names` are all there and none is before the last."""
    times = [datetime.fromisoformat(observation[name]) for name in names]
    return times == sorted(times)


def scores_of(trace: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A trace's scores by name."""
    return {score["name"]: score for score in trace["scores"]}


def check_picture(project: Project, reference: str) -> None:
    """What a program uploaded is what its reference in input or output leads to."""
    kind, media_id, _source = reference.strip("@").removeprefix("langfuseMedia:").split("|")
    assert kind == "type=image/png"
    media = project.get(f"media/{media_id.removeprefix('id=')}").json()
    assert media["contentType"] == "image/png"
    assert httpx.get(media["url"], timeout=30).content == PICTURE


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """One server for the whole group: starting it costs more than most of the tests."""
    otlp_port, grpc_port = free_port(), free_port()
    environment = provisioned.ENVIRONMENT | provisioned.PERSON
    environment |= {
        "LITEFUSE_OTLP_HTTP_PORT": str(otlp_port),
        "LITEFUSE_OTLP_GRPC_PORT": str(grpc_port),
        "LITEFUSE_OTLP_DEFAULT_PROJECT": PROJECT_ID,
    }
    with (
        ModelServer() as models,
        ServerProcess(tmp_path_factory.mktemp("clients") / "data", **environment) as server,
    ):
        local = "http://127.0.0.1"
        yield Project(server.url, models, f"{local}:{otlp_port}", f"{local}:{grpc_port}", sign_in(server.url))
