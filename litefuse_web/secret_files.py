"""Secrets an embedded instance makes for itself, one file each (0600) in the data directory."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def secret(data_dir: Path, name: str) -> str:
    """The secret kept under `name`, made on first use. Two processes starting at once agree on one.

    Raises ImproperlyConfigured when the data directory cannot be used.
    """
    try:
        return _kept(data_dir / "secrets" / name)
    except OSError as error:
        raise ImproperlyConfigured(
            f"the data directory {data_dir} cannot be used: {error.strerror} ({error.filename})."
            " Make it writable, or choose another with LITEFUSE_DATA_DIR."
        ) from error


def _kept(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(48))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # fails if another process was first: its secret holds
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text().strip()
