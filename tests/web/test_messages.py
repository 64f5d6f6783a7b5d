"""Both languages are complete: every visible text is translatable, every translatable text translated."""

from __future__ import annotations

import importlib.util
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import polib
import pytest
from django.test import Client
from django.utils.translation import override, trans_real

from apps.core import formats
from tests import factories

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
TEMPLATES = sorted(
    path
    for folder in ("apps", "templates")
    for path in (ROOT / folder).rglob("*")
    if path.suffix == ".html" and "templates" in path.parts
)
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd%]|\{\w+\}|</?\w+[^>]*>")

# Names and signs that are the same in every language.
UNTRANSLATED = {
    *(
        "Litefuse",
        "Langfuse",
        "OpenTelemetry",
        "Python",
        "JavaScript",
        "TypeScript",
        "OpenAI",
        "LiteLLM",
        "curl",
    ),
    *(
        "Portkey",
        "JSON",
        "UTC",
        "API",
        "SDK",
        "OTLP",
        "env",
        "id",
        "Esc",
        "Enter",
        "English",
        "localhost",
        "obs",
    ),
    *(
        "Ctrl",
        "HTTP",
        "pk",
        "sk",
        "lf",
        "URL",
        "USD",
        "Markdown",
        "YAML",
        "Node",
        "js",
        "vs",
        "and",
        "pip",
        "npm",
    ),
}


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"bin_{name}", ROOT / "bin" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def catalogue() -> polib.POFile:
    return polib.pofile(str(CATALOGUE))


def test_the_catalogue_holds_exactly_the_texts_of_the_program(catalogue: polib.POFile) -> None:
    collected = _script("messages").collect()
    held = {(entry.msgctxt or "", entry.msgid) for entry in catalogue if not entry.obsolete}
    # If one of these fails: run `python bin/messages.py`, then translate what it lists.
    assert sorted(collected.keys() - held) == []
    assert sorted(held - collected.keys()) == []
    plurals = {(entry.msgctxt or "", entry.msgid): entry.msgid_plural for entry in catalogue}
    assert plurals == {key: text.plural for key, text in collected.items()}


def test_every_text_has_a_translation(catalogue: polib.POFile) -> None:
    assert [entry.msgid for entry in catalogue if not entry.translated() or entry.fuzzy] == []


def test_placeholders_and_markup_survive_translation(catalogue: polib.POFile) -> None:
    for entry in catalogue:
        for translation in entry.msgstr_plural.values() if entry.msgid_plural else [entry.msgstr]:
            source = entry.msgid_plural or entry.msgid
            assert sorted(PLACEHOLDER.findall(translation)) == sorted(PLACEHOLDER.findall(source)), source
            assert source[:1].isspace() == translation[:1].isspace(), source
            assert source[-1:].isspace() == translation[-1:].isspace(), source


def test_chinese_is_set_as_chinese(catalogue: polib.POFile) -> None:
    for entry in catalogue:
        for translation in entry.msgstr_plural.values() if entry.msgid_plural else [entry.msgstr]:
            text = PLACEHOLDER.sub("", translation)
            assert not re.search(r"[\u4e00-\u9fff][,;!?]|[,;!?][\u4e00-\u9fff]", text), translation
            assert not re.search(r"[\u4e00-\u9fff][A-Za-z]{2}|[A-Za-z]{2}[\u4e00-\u9fff]", text), translation


class _VisibleText(HTMLParser):
    """Collects what a reader sees or hears of a template, apart from code."""

    SILENT = ("code", "pre", "kbd", "script", "style", "svg", "samp")
    SPOKEN = ("title", "alt", "placeholder", "aria-label", "label", "data-label", "data-empty")

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._silent += tag in self.SILENT
        self.texts += [value for name, value in attributes if name in self.SPOKEN and value]

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in self.SILENT

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.texts.append(data)


def _visible_words(source: str) -> list[str]:
    source = re.sub(r"\{#.*?#\}|\{% *comment.*?endcomment *%\}|<!--.*?-->", "", source, flags=re.S)
    for part in ("class", "attributes"):  # blocks inside a tag, the inner ones first
        source = re.sub(rf"\{{% *block \w+_{part} *%\}}.*?\{{% *endblock *%\}}", "", source)
    source = re.sub(
        r"\{% *blocktrans(?:late)?\b.*?%\}.*?\{% *endblocktrans(?:late)? *%\}", "", source, flags=re.S
    )
    source = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "", source, flags=re.S)
    parser = _VisibleText()
    parser.feed(source)
    words = re.findall(r"[A-Za-z]{2,}", " ".join(parser.texts))
    return [word for word in words if word not in UNTRANSLATED]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_template_shows_words_that_cannot_be_translated(path: Path) -> None:
    assert _visible_words(path.read_text()) == []


def test_the_heuristic_sees_text_and_spoken_attributes() -> None:
    page = '<p title="Hello">{% translate "Fine" %} World {{ name }}<code>x = open()</code></p>'
    assert sorted(_visible_words(page)) == ["Hello", "World"]


@pytest.mark.django_db
def test_pages_speak_the_readers_language(client: Client) -> None:
    _script("compile_messages").main()
    trans_real._translations.clear()
    factories.user()  # on an instance without any, every page leads to the first sign-up
    chinese = client.get("/auth/sign-in", HTTP_ACCEPT_LANGUAGE="zh-CN,zh;q=0.9,en;q=0.5").content.decode()
    assert "登录" in chinese
    assert 'lang="zh-hans"' in chinese
    english = client.get("/auth/sign-in", HTTP_ACCEPT_LANGUAGE="en").content.decode()
    assert "Sign in" in english
    assert "登录" not in english


def test_numbers_and_dates_follow_the_language() -> None:
    at = 1_795_251_136_000_000  # 2026-11-21 08:52:16 UTC
    with override("zh-hans"):
        assert formats.count(1234567) == "1,234,567"
        assert (formats.day(at), formats.month_day_time(at)) == ("2026-11-21", "11月21日 08:52")
        assert formats.year_month(at) == "2026年11月"
    with override("en"):
        assert formats.count(1234567) == "1,234,567"
        assert (formats.day(at), formats.month_day_time(at)) == ("21 Nov 2026", "21 Nov 08:52")
        assert formats.year_month(at) == "Nov 2026"
