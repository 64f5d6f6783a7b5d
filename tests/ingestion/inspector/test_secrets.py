"""Secrets inside texts: hidden wherever JSON holds them, nothing else changed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.ingestion.inspector import secrets
from apps.tracing.received import without_credentials

HEADERS = {"headers": {"Authorization": "Bearer hush", "accept": "json"}, "max_token": 5, "token": 7}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(HEADERS),
        json.dumps([{"body": json.dumps({"body": json.dumps(HEADERS)})}]),
        json.dumps({"credentials": {"user": "hush", "keys": ["hush"]}}),
        json.dumps({"api_key": ["hush"]}, indent=2),
        repr(HEADERS),
        json.dumps(HEADERS)[:44],
        json.dumps({"body": json.dumps(HEADERS)})[:64],
        "sent " + json.dumps(HEADERS) + " to the server",
        '{"password": "hush", "padding": ' + "[" * 500 + "]" * 500 + "}",
        '{"a": ' + "[" * secrets.MAX_NODES + ', "password": "hush"',
    ],
)
def test_a_secret_in_a_text_is_hidden(text: str):
    assert "hush" in text
    assert "hush" not in secrets.hide(text) and "[removed]" in secrets.hide(text)


def test_the_rest_of_json_stays():
    hidden = {"headers": {"Authorization": "[removed]", "accept": "json"}, "max_token": 5, "token": 7}
    assert json.loads(secrets.hide(json.dumps(HEADERS))) == hidden


@pytest.mark.parametrize(
    "text", ['{"token": 5,  "a": 1.50}', "a token: none", '{"tokens": "many"}', '"token"', '{"token": null}']
)
def test_what_is_no_secret_is_as_it_was(text: str):
    assert secrets.hide(text) == text


@given(st.text(max_size=60) | st.text("\\\"':{}[] tokenx1", max_size=60))
def test_any_text_can_be_read(text: str):
    assert secrets.hide(text) == text or "[removed]" in secrets.hide(text)


def test_objects_and_lists_under_such_names_are_secrets():
    sent = {"authorization": {"bearer": "hush"}, "a": {"api_key": {"id": "hush"}}, "cookie": ["hush"]}
    assert "hush" not in repr(without_credentials(sent))
