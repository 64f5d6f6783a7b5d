"""Every decoder against mutated recordings: never anything but records or a refusal."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.endurance.conftest import Effort
from tests.support.server import ROOT

pytestmark = pytest.mark.endurance


@pytest.mark.parametrize("target", ["traces-protobuf", "traces-json", "batch", "scores", "gzip", "deflate"])
def test_no_body_breaks_a_decoder(target: str, effort: Effort) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.endurance.fuzz", target, f"-runs={effort.fuzz_runs}"],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    ran = re.search(r"Done (\d+) runs", done.stderr)
    assert ran is not None and int(ran[1]) >= effort.fuzz_runs, done.stderr[-2000:]
    effort.note(f"fuzzing {target}", f"{int(ran[1]):,} bodies, no failure")
