"""A service that speaks S3, in a process of its own (moto's server), with one bucket."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.support.ports import free_port
from tests.support.waiting import wait_until

BUCKET = "files"


@contextmanager
def temporary_bucket() -> Iterator[str]:
    """LITEFUSE_MEDIA_URL of an empty bucket."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _make_bucket(process, endpoint)
        yield f"s3://some-key:some%2Fsecret@{BUCKET}/litefuse?endpoint={endpoint}&region=eu-central-1"
    finally:
        process.kill()
        process.wait()


def _make_bucket(process: subprocess.Popen[bytes], endpoint: str) -> None:
    """As soon as the service answers."""
    signed = {"authorization": "AWS4-HMAC-SHA256 Credential=some-key/20260101/eu-central-1/s3/aws4_request"}
    where = "<LocationConstraint>eu-central-1</LocationConstraint>"
    where = f"<CreateBucketConfiguration>{where}</CreateBucketConfiguration>"

    def is_made() -> bool:
        try:
            answer = httpx.put(f"{endpoint}/{BUCKET}", headers=signed, content=where)
        except httpx.TransportError:
            assert process.poll() is None, "moto's server ended"
            return False
        # Ours already: by an earlier attempt, whose answer came too late on a busy machine.
        assert answer.status_code == 200 or "BucketAlreadyOwnedByYou" in answer.text, answer.text
        return True

    wait_until(is_made, "the start of moto's server")
