"""Configurations that cannot work are refused with a hint; likely slips warn."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from apps.tracing.media import address
from litefuse_web.checks import (
    check_bucket,
    check_default_project,
    check_ports,
    check_proxies,
    check_public_path,
    check_stores,
    check_unknown_names,
    check_urls,
)


@pytest.fixture(autouse=True)
def _embedded(settings: Settings) -> None:
    settings.DATABASE_URL = settings.CLICKHOUSE_URL = settings.REDIS_URL = ""


def test_a_bucket_needs_its_package(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_bucket() == []
    settings.MEDIA_BUCKET = address.parse("s3://bucket")
    assert check_bucket() == []
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert ["requirements/s3.txt" in (problem.hint or "") for problem in check_bucket()] == [True]


def test_nothing_set_is_fine() -> None:
    assert check_stores() == check_urls() == []


def test_all_servers_set_is_fine(settings: Settings) -> None:
    settings.DATABASE_URL = "postgres://litefuse@db/litefuse"
    settings.CLICKHOUSE_URL = "https://clickhouse:8443/litefuse"
    settings.REDIS_URL = "redis://redis:6379/0"
    assert check_stores() == check_urls() == []


@pytest.mark.parametrize("missing", ["DATABASE_URL", "CLICKHOUSE_URL"])
def test_several_processes_need_shared_stores(settings: Settings, missing: str) -> None:
    settings.DATABASE_URL = "postgres://litefuse@db/litefuse"
    settings.CLICKHOUSE_URL = "https://clickhouse:8443/litefuse"
    settings.REDIS_URL = "redis://redis:6379/0"
    setattr(settings, missing, "")
    [problem] = check_stores()
    assert problem.is_serious()
    assert missing in problem.msg and missing in str(problem.hint)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://root:hunter2@db/litefuse"),
        ("CLICKHOUSE_URL", "clickhouse:8123"),
        ("REDIS_URL", "redis://"),
        ("PUBLIC_URL", "litefuse.example.com"),
    ],
)
def test_addresses_we_cannot_use_are_refused(settings: Settings, name: str, value: str) -> None:
    setattr(settings, name, value)
    [problem] = check_urls()
    assert problem.is_serious()
    assert name in problem.msg
    assert "hunter2" not in problem.msg


def test_the_path_has_a_setting_of_its_own(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://example.org"
    assert check_public_path() == []
    settings.PUBLIC_URL = "https://example.org/litefuse"
    [problem] = check_public_path()
    assert problem.is_serious() and "LITEFUSE_BASE_PATH" in str(problem.hint)


@pytest.mark.parametrize("name", ["nginx", "10.0.0.1/8", "*", ""])
def test_proxies_are_addresses_or_networks(settings: Settings, name: str) -> None:
    settings.TRUSTED_PROXIES = ["127.0.0.1", "10.0.0.0/8", "::1", name]
    [problem] = check_proxies()
    assert problem.is_serious()
    assert repr(name) in problem.msg


def test_unknown_names_get_a_suggestion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITEFUSE_DATADIR", "/tmp")
    [problem] = check_unknown_names()
    assert not problem.is_serious()
    assert "LITEFUSE_DATADIR" in problem.msg
    assert problem.hint == "Did you mean LITEFUSE_DATA_DIR?"


def test_known_names_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITEFUSE_LOG_LEVEL", "INFO")
    assert check_unknown_names() == []


def test_two_ways_in_need_two_ports(settings: Settings) -> None:
    settings.PORT, settings.OTLP_HTTP_PORT = 3000, 4318
    assert check_ports() == []
    settings.OTLP_HTTP_PORT = 3000
    [problem] = check_ports()
    assert problem.is_serious() and "LITEFUSE_OTLP_HTTP_PORT" in problem.msg
    settings.PORT = settings.OTLP_HTTP_PORT = 0
    assert check_ports() == []


def test_a_default_project_behind_a_proxy_warns(settings: Settings) -> None:
    settings.OTLP_DEFAULT_PROJECT, settings.TRUSTED_PROXIES = "p", []
    assert check_default_project() == []
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    [problem] = check_default_project()
    assert not problem.is_serious() and "X-Forwarded-For" in (problem.hint or "")
