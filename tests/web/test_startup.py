"""What a start puts in, and what it leaves to people."""

from __future__ import annotations

import logging

import pytest

from apps.pricing import library, seed
from apps.pricing.models import CatalogueVersion, ModelDefinition
from litefuse_web import startup


@pytest.mark.django_db
def test_newer_prices_are_told_of_but_not_taken(caplog: pytest.LogCaptureFixture) -> None:
    few = [model for model in library.read() if model.id == "openai:gpt-4o"]
    seed.apply(few)
    caplog.set_level(logging.WARNING)
    startup.fill()
    assert "newer model prices" not in caplog.text
    CatalogueVersion.objects.filter(scope=CatalogueVersion.MANAGED).update(note="an older library")
    startup.fill()
    assert "newer model prices are installed" in caplog.text
    assert ModelDefinition.objects.count() == 1
