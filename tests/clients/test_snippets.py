"""The programs that the set-up page offers for copying: each is run as shown and makes a trace."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from apps.tracing.snippets import SNIPPETS
from tests.clients.conftest import SCRIPTS, Project
from tests.support import needs
from tests.support.clients import run_client
from tests.support.model_server import answer

pytestmark = pytest.mark.clients

CODE = {snippet.id: snippet.code for snippet in SNIPPETS}
QUESTION = "Where does the sun rise?"


def run_snippet(project: Project, folder: Path, client: str, name: str) -> dict[str, Any]:
    """The trace that snippet `name` made, run with the packages of `client`."""
    program = folder / "program.py"
    code = CODE[name].replace("https://gateway.example.com/v1", project.models.base_url)
    program.write_text(code, encoding="utf-8")
    trace_id = secrets.token_hex(16)
    environment = project.environment() | {
        "LANGFUSE_HOST": project.url,
        "OPENAI_API_KEY": "not-needed",
        "GATEWAY_API_KEY": "not-needed",
        "OPENAI_BASE_URL": project.models.base_url,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it fetches one from the network at import
    }
    run_client(client, SCRIPTS / "snippet.py", environment, [str(program), trace_id])
    return project.trace(trace_id)


def generation(trace: dict[str, Any]) -> dict[str, Any]:
    """The one generation of a trace."""
    [found] = [o for o in trace["observations"] if o["type"] == "GENERATION"]
    return dict(found)


@pytest.mark.parametrize("client", ["langfuse-5.0.4", "langfuse-4.18", "langfuse-3.15"])
def test_python(project: Project, tmp_path: Path, client: str) -> None:
    trace = run_snippet(project, tmp_path, client, "python")
    assert (trace["name"], trace["userId"], trace["sessionId"]) == ("answer", "ada", "first-steps")
    assert trace["output"] == answer("gpt-4o-mini", QUESTION)
    assert generation(trace)["calculatedTotalCost"] > 0


@pytest.mark.parametrize("client", ["langfuse-5.0.4", "langfuse-4.18", "langfuse-3.15"])
def test_openai_gateway(project: Project, tmp_path: Path, client: str) -> None:
    trace = run_snippet(project, tmp_path, client, "openai")
    assert trace["name"] == "first-steps"
    made = generation(trace)
    assert (made["model"], made["output"]) == ("kimi-k2", answer("kimi-k2", QUESTION))
    assert made["usageDetails"]["total"] > 0


@pytest.mark.parametrize("client", ["langchain", "litellm"])
def test_libraries(project: Project, tmp_path: Path, client: str) -> None:
    made = generation(run_snippet(project, tmp_path, client, client))
    assert made["model"].startswith("gpt-4o-mini")
    assert QUESTION in str(made["input"])
    assert answer("gpt-4o-mini", QUESTION) in str(made["output"])
    assert made["usageDetails"]["total"] > 0
    assert made["calculatedTotalCost"] > 0


def test_opentelemetry(project: Project, tmp_path: Path) -> None:
    trace = run_snippet(project, tmp_path, "otel", "opentelemetry")
    assert trace["name"] == "answer"
    assert generation(trace)["usageDetails"] == {"input": 12, "output": 5, "total": 17}


def test_typescript(project: Project, tmp_path: Path) -> None:
    program = tmp_path / "snippet.mjs"  # it has nothing that JavaScript has not
    program.write_text(CODE["typescript"], encoding="utf-8")
    before = project.listed()
    models = {"OPENAI_API_KEY": "not-needed", "OPENAI_BASE_URL": project.models.base_url}
    run_client("js-5", program, project.environment() | models)
    [trace] = [project.trace(trace_id) for trace_id in project.listed() if trace_id not in before]
    made = generation(trace)
    assert QUESTION in str(made["input"])
    assert made["output"]["content"] == answer("gpt-4o-mini", QUESTION)
    assert made["calculatedTotalCost"] > 0


def test_curl(project: Project) -> None:
    if not shutil.which("curl"):
        needs.missing("curl", "Debian, Ubuntu: apt-get install curl")
    trace_id = secrets.token_hex(16)
    command = CODE["curl"].replace("$(openssl rand -hex 16)", trace_id)
    command = command.replace("$(openssl rand -hex 8)", secrets.token_hex(8))
    done = subprocess.run(
        ["sh", "-c", command],
        env={"PATH": "/usr/bin:/bin", **project.environment()},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    trace = project.trace(trace_id)
    assert (trace["name"], trace["input"], trace["output"]) == ("hello", QUESTION, "In the east.")
