"""The words templates are written in: icons that exist, formats, the shell and its menus."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.template import Context, Template
from django.template.loader import render_to_string
from django.test import RequestFactory

from apps.core import formats
from apps.organizations.models import Membership, Organization, Project

ROOT = Path(settings.BASE_DIR)


def templates() -> list[Path]:
    return [*(ROOT / "templates").rglob("*.html"), *(ROOT / "apps").rglob("templates/**/*.html")]


def test_every_icon_named_in_a_template_is_in_the_sprite() -> None:
    known = json.loads((ROOT / "static/src/icons.json").read_text())
    for path in templates():
        for name in re.findall(r'{% icon "([^"]+)"', path.read_text()):
            assert name in known, f"{path.name}: {name}"


def test_no_template_breaks_the_content_security_policy() -> None:
    for path in templates():
        text = path.read_text()
        assert not re.search(r'\sstyle="', text), path.name
        assert not re.search(r"<script(?![^>]*(src=|application/json))", text), path.name
        assert not re.search(r"\son\w+=", text), path.name


@pytest.mark.parametrize(
    ("milliseconds", "written"),
    [
        (0.4, "<1 ms"),
        (None, "–"),
        (0, "0 ms"),
        (310, "310 ms"),
        (8410, "8.41 s"),
        (31920, "31.9 s"),
        (134_000, "2 min 14 s"),
        (11_100_000, "3 h 5 min"),
        (10**11, "1157 d 9 h"),
    ],
)
def test_durations(milliseconds: int | None, written: str) -> None:
    assert formats.duration(milliseconds) == written


@pytest.mark.parametrize(
    ("dollars", "written"),
    [
        (None, "–"),
        (Decimal(0), "$0"),
        (Decimal("0.00001"), "<$0.0001"),
        (Decimal("0.0714"), "$0.0714"),
        (Decimal("1214.6"), "$1,214.60"),
    ],
)
def test_costs(dollars: Decimal | None, written: str) -> None:
    assert formats.cost(dollars) == written


def test_counts_and_ids() -> None:
    assert formats.count(18402) == "18,402"
    assert formats.short_count(34_100_000) == "34.1M"
    assert formats.short_id("8c41aaaaaaaaaaaaf07e") == "8c41…f07e"
    assert formats.short_id("short") == "short"


def test_icon_escapes_what_it_is_given() -> None:
    out = Template("{% load ui %}{% icon name label=name %}").render(Context({"name": '"><script>'}))
    assert "<script>" not in out


@pytest.mark.django_db
def test_shell_offers_only_pages_that_exist_and_places_of_the_reader(rf: RequestFactory) -> None:
    user = get_user_model().objects.create_user("ines@example.org", "x", name="Ines <b>Duarte")
    mine, other = Organization.objects.create(name="Mine"), Organization.objects.create(name="Foreign")
    Membership.objects.create(organization=mine, user=user, role="ADMIN")
    project = Project.objects.create(organization=mine, name="concierge")
    Project.objects.create(organization=other, name="secret plans")
    request = rf.get(f"/project/{project.id}/traces", headers={"cookie": "theme=dark; side=folded"})
    request.user, request.project, request.organization, request.role = user, project, mine, "ADMIN"
    page = render_to_string("shell.html", {}, request)
    assert 'data-theme="dark"' in page and 'data-side="folded"' in page
    assert "concierge" in page and "Mine" in page
    assert "Foreign" not in page and "secret plans" not in page
    assert "Ines &lt;b&gt;Duarte" in page


def test_a_cookie_from_elsewhere_changes_nothing(rf: RequestFactory) -> None:
    request = rf.get("/", headers={"cookie": 'theme="onload=alert(1)'})
    assert "alert" not in Template("{% load ui %}{% theme_attribute %}").render(Context({"request": request}))
