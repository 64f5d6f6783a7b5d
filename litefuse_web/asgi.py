"""The ASGI application: telemetry to its raw handler, sockets to Channels, all else to Django."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "litefuse_web.settings")

application = get_asgi_application()
