"""A real LiteLLM proxy in a process of its own, configured as guides say: by a file and the environment."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

import httpx

from tests.support.clients import ClientFailed, client_environment, client_folder
from tests.support.ports import free_port

START_SECONDS = 120  # it imports every provider's package first
STOP_SECONDS = 60
MASTER_KEY = "sk-litefuse-1"  # newer versions refuse the sk-1234 of the guides
MODELS = ("gpt-4o", "error-429")


class LiteLLM:
    """A proxy in front of a model server. A context manager; `stop` ends it, which flushes its callbacks.

    `client` names the environment, `settings` is the section litellm_settings of its configuration.
    """

    def __init__(
        self,
        client: str,
        folder: Path,
        model_url: str,
        settings: Mapping[str, Any],
        environment: Mapping[str, str],
    ) -> None:
        self.output = ""
        self._port = free_port()
        self._ready = threading.Event()
        deployed = {"api_base": model_url, "api_key": "not-needed", "max_retries": 0}
        config = {
            "model_list": [
                {"model_name": name, "litellm_params": {"model": f"openai/{name}", **deployed}}
                for name in MODELS
            ],
            "litellm_settings": {"num_retries": 0, **settings},
            "general_settings": {"master_key": MASTER_KEY},
        }
        file = folder / "config.yaml"
        file.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
        self._command = [str(client_folder(client) / "bin" / "litellm"), "--config", str(file)]
        self._command += ["--host", "127.0.0.1", "--port", str(self._port)]
        self._environment = client_environment(environment) | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        self._folder = folder

    def __enter__(self) -> LiteLLM:
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(START_SECONDS) or self._process.poll() is not None:
            self._process.kill()
            raise ClientFailed(f"LiteLLM did not get ready; it printed:\n{self.output}")
        return self

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output += line
            if "Uvicorn running on" in line:
                self._ready.set()
        self._ready.set()  # it ended; nobody need wait longer

    def chat(
        self,
        question: str,
        model: str = "gpt-4o",
        headers: Mapping[str, str] = MappingProxyType({}),
        **body: Any,
    ) -> httpx.Response:
        """Ask as curl would; the whole answer, also of a stream and of a refusal."""
        return httpx.post(
            f"http://127.0.0.1:{self._port}/chat/completions",
            json={"model": model, "messages": [{"role": "user", "content": question}], **body},
            headers={"Authorization": f"Bearer {MASTER_KEY}", **headers},
            timeout=STOP_SECONDS,
        )

    def stop(self) -> None:
        """End it as Ctrl-C does, and wait until all was sent."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(STOP_SECONDS)
        self._reader.join(STOP_SECONDS)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait(STOP_SECONDS)
