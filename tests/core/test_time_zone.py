"""Times are written as the reader's clock shows them."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from apps.core import formats
from apps.core.middleware import ReaderTimeZone

EVENING = 1_795_257_000_123_000  # 2026-11-21 10:30:00.123 UTC


def shown(cookie: str) -> str:
    """The moment as a page writes it for a browser that sends this cookie."""
    request = RequestFactory().get("/", headers={"Cookie": f"time_zone={cookie}"} if cookie else {})
    page = ReaderTimeZone(lambda _: HttpResponse(formats.moment(EVENING)))
    return page(request).content.decode()


def test_it_works() -> None:
    assert shown("Asia%2FShanghai") == "2026-11-21 18:30:00.123 UTC+08:00"
    assert shown("America/St_Johns") == "2026-11-21 07:00:00.123 UTC-03:30"
    assert shown("Etc/UTC") == shown("") == "2026-11-21 10:30:00.123 UTC"
    assert timezone.get_current_timezone_name() == "UTC"


@pytest.mark.parametrize(
    "cookie", ["Mars/Olympus", "..%2F..%2Fetc%2Fhosts", "Asia", "%00", "x" * 5000, "%2F"]
)
def test_a_zone_that_is_none_is_utc(cookie: str) -> None:
    assert shown(cookie).endswith(" UTC")


def test_days_begin_at_the_readers_midnight() -> None:
    with timezone.override("Asia/Shanghai"):
        assert formats.day(EVENING + 6 * 3_600_000_000) == "22 Nov 2026"
