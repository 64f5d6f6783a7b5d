"""Where the built front end lies: plain names to the hashed files under static/dist."""

from __future__ import annotations

import functools
import json
from pathlib import Path

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register
from django.templatetags.static import static

_DIST = Path(settings.BASE_DIR) / "static" / "dist"


def sheets() -> list[Path]:
    """The built style sheets; none before a build."""
    return sorted(_DIST.glob("*.css"))


@functools.lru_cache(maxsize=1)
def _read(_changed_ns: int) -> dict[str, str]:
    return dict(json.loads((_DIST / "manifest.json").read_text()))


def asset_url(name: str) -> str:
    """URL of a built file by its plain name ("app.css"). Before a build the plain name itself."""
    try:
        changed = (_DIST / "manifest.json").stat().st_mtime_ns
    except FileNotFoundError:
        return static(f"dist/{name}")
    return static(f"dist/{_read(changed).get(name, name)}")


@register()
def check_built(**_kwargs: object) -> list[CheckMessage]:
    """Say what to do when the front end was never built."""
    if (_DIST / "manifest.json").exists():
        return []
    return [
        Warning(
            "The front end is not built: pages will have no style and no script.",
            hint="Run `npm ci --ignore-scripts && node build.mjs`, or start with bin/up.",
            id="core.W001",
        )
    ]
