"""Django on a data directory of the benchmark's own. Import this before anything of `apps`."""

from __future__ import annotations

import os
from pathlib import Path

import django


def prepare(data_dir: Path) -> None:
    """Set up with everything under `data_dir`; the developer's own settings do not count."""
    for name in ("DATABASE_URL", "CLICKHOUSE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    os.environ["LITEFUSE_DATA_DIR"] = str(data_dir)
    os.environ["DJANGO_SETTINGS_MODULE"] = "litefuse_web.settings"
    django.setup()
