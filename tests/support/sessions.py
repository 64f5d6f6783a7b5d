"""A browser's session and sockets without a browser, against a running server."""

from __future__ import annotations

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.support.provisioned import EMAIL, PASSWORD


def sign_in(url: str) -> httpx.Client:
    """A browser's session."""
    client = httpx.Client(base_url=url, follow_redirects=True, timeout=30)
    submit(client, "/auth/sign-in", login=EMAIL, password=PASSWORD)
    assert "litefuse_session" in client.cookies
    return client


def submit(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """Fill in the form of a page."""
    client.get(path)
    token = {"csrfmiddlewaretoken": client.cookies["csrftoken"]}
    # The public address of the configuration is not this process's own: a form names where it comes from.
    answer = client.post(path, data=fields | token, headers={"origin": str(client.base_url).rstrip("/")})
    assert answer.status_code == 200, answer.text
    return answer


def live_socket(client: httpx.Client, project_id: str) -> ClientConnection:
    """The socket that a project's pages open; a context manager."""
    origin = str(client.base_url).rstrip("/")
    cookie = f"litefuse_session={client.cookies['litefuse_session']}"
    return connect(
        f"{origin.replace('http', 'ws', 1)}/project/{project_id}/live",
        origin=origin,  # type: ignore[arg-type]
        additional_headers={"cookie": cookie},
    )
