"""Collect every text that people see into locale/*/LC_MESSAGES/django.po; needs no gettext tools.

    python bin/messages.py           # update the catalogues, list what lacks a translation
    python bin/messages.py --check   # change nothing; exit 1 when a catalogue is not complete

Texts that are gone are removed, translations of the others stay, new ones come in untranslated.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polib
from babel.messages.extract import extract

ROOT = Path(__file__).resolve().parent.parent
LANGUAGES = ("zh_Hans",)
PLURAL_FORMS = {"zh_Hans": "nplurals=1; plural=0;"}
_FOLDERS = ("apps", "litefuse_web", "templates")
_KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
Key = tuple[str, str]  # context ("" for none), text


@dataclass(slots=True)
class Text:
    """One text with its plural, if it has one, the places it stands in and notes for translators."""

    plural: str = ""
    places: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


def collect(root: Path = ROOT) -> dict[Key, Text]:
    """Every translatable text of the program."""
    texts: dict[Key, Text] = {}
    for path in sorted(p for folder in _FOLDERS for p in (root / folder).rglob("*")):
        if path.suffix == ".py":
            source = path.read_bytes()
        elif path.suffix in (".html", ".txt"):
            source = _as_python(path).encode()
        else:
            continue
        for key, plural, notes in _messages(source):
            text = texts.setdefault(key, Text())
            text.plural = text.plural or plural
            text.places.add(path.relative_to(root).as_posix())
            text.notes += [note for note in notes if note not in text.notes]
    return texts


def _as_python(path: Path) -> str:
    """A template as Python calls, the way Django's own makemessages reads it."""
    from django.utils.translation.template import templatize

    return templatize(path.read_text(), origin=str(path))


def _messages(source: bytes) -> Iterator[tuple[Key, str, list[str]]]:
    found = extract("python", io.BytesIO(source), _KEYWORDS, ("Translators:",), {"encoding": "utf-8"})
    for _line, message, notes, context in found:
        singular, plural = message if isinstance(message, tuple) else (message, "")
        if singular:
            yield (context or "", singular), plural, notes


def update(path: Path, texts: dict[Key, Text], language: str) -> polib.POFile:
    """The catalogue with exactly these texts in a fixed order, old translations kept; not saved."""
    old = polib.pofile(str(path)) if path.exists() else polib.POFile()
    known = {(entry.msgctxt or "", entry.msgid): entry for entry in old if not entry.obsolete}
    new = polib.POFile(wrapwidth=100)
    new.metadata = {
        "Project-Id-Version": "Litefuse",
        "Language": language,
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Transfer-Encoding": "8bit",
        "Plural-Forms": PLURAL_FORMS[language],
    }
    for (context, msgid), text in sorted(texts.items(), key=lambda item: (min(item[1].places), item[0])):
        before = known.get((context, msgid))
        entry = polib.POEntry(
            msgctxt=context or None,
            msgid=msgid,
            comment="\n".join(text.notes),
            # Places without line numbers: moving code must not change the catalogue.
            occurrences=[(place, "") for place in sorted(text.places)],
        )
        if text.plural:
            entry.msgid_plural = text.plural
            entry.msgstr_plural = dict(before.msgstr_plural) if before and before.msgid_plural else {0: ""}
        else:
            entry.msgstr = before.msgstr if before else ""
        new.append(entry)
    return new


def untranslated(catalogue: Iterable[polib.POEntry]) -> list[str]:
    """Texts that lack a translation."""
    return [entry.msgid for entry in catalogue if not entry.translated()]


def main() -> int:
    """Update or check every language."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="change nothing, fail when something is missing")
    check = parser.parse_args().check
    texts = collect()
    complete = True
    for language in LANGUAGES:
        path = ROOT / "locale" / language / "LC_MESSAGES" / "django.po"
        catalogue = update(path, texts, language)
        missing = untranslated(catalogue)
        if check:
            stored = path.read_text() if path.exists() else ""
            complete &= not missing and stored == str(catalogue) + "\n"
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(catalogue) + "\n")
        sys.stdout.write(f"{language}: {len(catalogue)} texts, {len(missing)} without translation\n")
        for text in missing:
            sys.stdout.write(f"  {text!r}\n")
    return 0 if complete else 1


if __name__ == "__main__":
    import django
    from django.conf import settings

    settings.configure(USE_I18N=True)
    django.setup()
    sys.exit(main())
