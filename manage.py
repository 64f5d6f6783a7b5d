#!/usr/bin/env python
"""Entry point of every Litefuse management command; `manage.py serve` runs the program."""

import os
import sys


def main() -> None:
    """Hand the command line to Django; a setting that makes no sense ends here, in one line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "litefuse_web.settings")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from environs import EnvError

    try:
        _ = settings.INSTALLED_APPS  # read now: Django would bury the reason under "Unknown command"
    except (EnvError, ImproperlyConfigured) as error:
        sys.exit(f"litefuse: {error}\nEvery setting is described in docs/configuration.md.")
    try:
        execute_from_command_line(sys.argv)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
