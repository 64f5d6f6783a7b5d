"""System checks of the configuration: mixes that cannot work stop start-up, likely slips warn."""

from __future__ import annotations

import difflib
import importlib.util
import ipaddress
import itertools
import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

_SCHEMES = {
    "DATABASE_URL": ("postgres", "postgresql"),
    "CLICKHOUSE_URL": ("http", "https"),
    "REDIS_URL": ("redis", "rediss"),
    "PUBLIC_URL": ("http", "https"),
}


@register()
def check_stores(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Several processes need stores that several processes can share."""
    if not settings.REDIS_URL:
        return []
    missing = [name for name in ("DATABASE_URL", "CLICKHOUSE_URL") if not getattr(settings, name)]
    return [
        Error(
            f"REDIS_URL is set but {name} is not.",
            hint=(
                "REDIS_URL means several processes (web, worker, beat), and the embedded stores bear only"
                f" one. Set {name} too, or unset REDIS_URL to run everything in one process."
            ),
            id=f"litefuse.E00{number}",
        )
        for number, name in enumerate(("DATABASE_URL", "CLICKHOUSE_URL"), start=1)
        if name in missing
    ]


@register()
def check_stripe(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """A key of Stripe's needs everything else that selling a plan there takes."""
    if not settings.STRIPE_SECRET_KEY:
        return []
    starts = {
        "STRIPE_WEBHOOK_SECRET": "whsec_",
        "STRIPE_PRO_MONTHLY_PRICE_ID": "price_",
        "STRIPE_USAGE_PRICE_ID": "price_",
    }
    return [
        Error(
            f"STRIPE_SECRET_KEY is set, but {name} does not begin with {start}.",
            hint="Copy it from Stripe's dashboard, or unset STRIPE_SECRET_KEY; see docs/billing.md.",
            id="litefuse.E008",
        )
        for name, start in starts.items()
        if not getattr(settings, name).startswith(start)
    ]


@register()
def check_urls(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Addresses have a scheme we speak and a host."""
    problems: list[CheckMessage] = []
    for name, schemes in _SCHEMES.items():
        value = getattr(settings, name)
        parts = urlsplit(value)
        if value and (parts.scheme not in schemes or not parts.hostname):
            shown = "LITEFUSE_PUBLIC_URL" if name == "PUBLIC_URL" else name
            problems.append(
                Error(
                    # Not the value: it may hold a password.
                    f"{shown} is not an address this program can use.",
                    hint=f"It should look like {schemes[0]}://host…, see docs/configuration.md.",
                    id="litefuse.E003",
                )
            )
    return problems


@register()
def check_public_path(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """A path in the public address would stand twice in links: our own paths begin with BASE_PATH."""
    if not urlsplit(settings.PUBLIC_URL).path:
        return []
    return [
        Error(
            "LITEFUSE_PUBLIC_URL has a path.",
            hint="Give scheme, host and port alone, and the path as LITEFUSE_BASE_PATH.",
            id="litefuse.E005",
        )
    ]


@register()
def check_bucket(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Media in a bucket need packages that others do not need to have."""
    if settings.MEDIA_BUCKET is None or importlib.util.find_spec("boto3"):
        return []
    return [
        Error(
            "LITEFUSE_MEDIA_URL names a bucket, but the package boto3 is not installed.",
            hint="Start with bin/up, which installs it, or: pip install -r requirements/s3.txt.",
            id="litefuse.E007",
        )
    ]


@register()
def check_ports(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Each way in has a port of its own."""
    names = {
        "PORT": settings.PORT,
        "LITEFUSE_OTLP_HTTP_PORT": settings.OTLP_HTTP_PORT,
        "LITEFUSE_OTLP_GRPC_PORT": settings.OTLP_GRPC_PORT,
    }
    return [
        Error(
            f"{second} is {names[second]}, as is {first}.",
            hint=f"Set {second} to another port, or to 0 for none. PORT takes OTLP over HTTP too.",
            id="litefuse.E006",
        )
        for first, second in itertools.combinations(names, 2)
        if names[first] == names[second] != 0
    ]


@register()
def check_proxies(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Whom to believe about visitors is named by address or network; a host name would be ignored."""
    return [
        Error(
            f"LITEFUSE_TRUSTED_PROXIES holds {name!r}, which is neither an address nor a network.",
            hint="Give addresses or networks, separated by commas: 127.0.0.1,10.0.0.0/8.",
            id="litefuse.E004",
        )
        for name in settings.TRUSTED_PROXIES
        if not _is_network(name)
    ]


@register()
def check_default_project(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Behind a proxy on the same machine everybody may look local."""
    if not (settings.OTLP_DEFAULT_PROJECT and settings.TRUSTED_PROXIES):
        return []
    return [
        Warning(
            "LITEFUSE_OTLP_DEFAULT_PROJECT is set on a server behind a proxy.",
            hint=(
                "What a proxy on this machine passes on without X-Forwarded-For or a like header counts as"
                " sent from here, and is taken without credentials. Unset one of the two, or be sure of the"
                " proxy."
            ),
            id="litefuse.W002",
        )
    ]


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


@register()
def check_unknown_names(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """A LITEFUSE_ name that nothing reads is most likely a typing error."""
    from litefuse_web.settings import env

    known = set(env.dump())
    unknown = sorted(name for name in os.environ if name.startswith("LITEFUSE_") and name not in known)
    return [
        Warning(
            f"the environment variable {name} is unknown and has no effect.",
            hint=_suggestion(name, known),
            id="litefuse.W001",
        )
        for name in unknown
    ]


def _suggestion(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    return f"Did you mean {close[0]}?" if close else "docs/configuration.md lists every name."
