"""Where clients send to: the addresses that set-up pages show."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Connection:
    """Addresses of this instance as the reader's programs reach them."""

    base_url: str  # what LANGFUSE_BASE_URL is set to

    @property
    def place(self) -> str:
        """The same without its scheme, for narrow places."""
        return self.base_url.partition("://")[2]


def connection_of(request: HttpRequest) -> Connection:
    """The configured public address, or, where none is configured, the one the reader used."""
    base = settings.PUBLIC_URL if settings.PUBLIC_URL_GIVEN else f"{request.scheme}://{request.get_host()}"
    return Connection(base + settings.BASE_PATH)


def env_block(connection: Connection, public_key: str, secret: str) -> str:
    """A `.env` file. Two names for one address, because older clients read LANGFUSE_HOST."""
    return (
        f'LANGFUSE_PUBLIC_KEY="{public_key}"\n'
        f'LANGFUSE_SECRET_KEY="{secret}"\n'
        f'LANGFUSE_BASE_URL="{connection.base_url}"\n'
        f'LANGFUSE_HOST="{connection.base_url}"\n'
    )
