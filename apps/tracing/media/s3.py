"""Media in a bucket: clients and browsers talk to it directly, with addresses signed here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from apps.core.errors import Unavailable
from apps.tracing.media import types
from apps.tracing.media.address import Bucket
from apps.tracing.media.storage import Stored
from apps.tracing.media.tokens import URL_SECONDS, Download, Upload


class S3Storage:
    """A bucket of S3, or of a service that speaks it."""

    def __init__(self, bucket: Bucket) -> None:
        """Credentials come from the bucket's address, else from wherever AWS's tools find them."""
        self._bucket = bucket
        self._client: Any = boto3.session.Session(
            aws_access_key_id=bucket.access_key or None, aws_secret_access_key=bucket.secret_key or None
        ).client(
            "s3",
            region_name=bucket.region,
            endpoint_url=bucket.endpoint,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": bucket.addressing},
                connect_timeout=5,
                read_timeout=10,
                retries={"total_max_attempts": 2},
                # Services other than AWS often know no newer checksums than those we name ourselves.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def upload_url(self, upload: Upload, base: str) -> str:
        """The bucket refuses another type, length or content than those signed."""
        return self._sign(
            "put_object",
            upload.key,
            ContentType=upload.content_type,
            ContentLength=upload.content_length,
            ChecksumSHA256=upload.sha256,
        )

    def download_url(self, download: Download, base: str) -> str:
        """Sent with the headers that a local file gets, as far as a bucket can."""
        place = types.disposition(download.content_type, download.name, attachment=download.attachment)
        return self._sign(
            "get_object",
            download.key,
            ResponseContentType=types.served_as(download.content_type),
            ResponseContentDisposition=place,
            ResponseCacheControl="private, max-age=3600, immutable",
        )

    def put(self, key: str, content_type: str, content: bytes) -> None:
        """Sends it to the bucket."""
        with _failures():
            self._client.put_object(
                Bucket=self._bucket.name,
                Key=self._bucket.prefix + key,
                Body=content,
                ContentType=content_type,
            )

    def look(self, key: str) -> Stored | None:
        """Asks the bucket."""
        with _failures():
            try:
                found = self._client.head_object(Bucket=self._bucket.name, Key=self._bucket.prefix + key)
            except ClientError as error:
                if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
                    return None
                raise
        return Stored(found["ContentLength"], found.get("ContentType", ""))

    def delete(self, keys: Iterable[str]) -> None:
        """One by one: deleting many at once is what other services do differently."""
        with _failures():
            for key in keys:
                self._client.delete_object(Bucket=self._bucket.name, Key=self._bucket.prefix + key)

    def _sign(self, operation: str, key: str, **parameters: Any) -> str:
        with _failures():
            url: str = self._client.generate_presigned_url(
                operation,
                Params={"Bucket": self._bucket.name, "Key": self._bucket.prefix + key, **parameters},
                ExpiresIn=URL_SECONDS,
            )
        return url


@contextmanager
def _failures() -> Iterator[None]:
    """Whatever goes wrong there is the storage not answering, to those who ask."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise Unavailable(f"The media storage refused: {_words(error)}.", retry_after=10) from error


def _words(error: BotoCoreError | ClientError) -> str:
    """What is safe to tell a client: an error's code, never its text, which may hold names and hosts."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "error"))
    return type(error).__name__
