"""kill -9, or a stop, in a stream of requests: what was acknowledged is there afterwards, once."""

from __future__ import annotations

import random
import signal
import time

import pytest

from tests.conftest import Launcher
from tests.endurance.conftest import Effort
from tests.endurance.traffic import sending
from tests.support.provisioned import ENVIRONMENT

pytestmark = [pytest.mark.endurance, pytest.mark.kill]


def test_nothing_acknowledged_is_lost_or_doubled(make_server: Launcher, effort: Effort) -> None:
    server = make_server(**ENVIRONMENT).start()
    with sending(server) as stream:
        for _ in range(effort.kills):
            stream.wait_for(random.randint(3, 25))
            time.sleep(random.uniform(0, 0.05))  # any moment of a commit
            server.kill()
            server.start()
    effort.note(
        "kills",
        f"{effort.kills} kills, {len(stream.acknowledged):,} parcels acknowledged, none lost or doubled",
    )


def test_a_stop_in_the_middle_answers_or_refuses(make_server: Launcher) -> None:
    server = make_server(**ENVIRONMENT).start()
    with sending(server) as stream:
        for number in (signal.SIGTERM, signal.SIGINT):
            stream.wait_for(20)
            assert server.stop(number) == 0, server.output
            server.start()
