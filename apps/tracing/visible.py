"""Text from outside, made harmless to look at and possible to encode."""

from __future__ import annotations

_REPLACED: dict[int, str] = {code: chr(0x2400 + code) for code in range(0x20) if code not in (0x09, 0x0A)}
_REPLACED |= {0x0D: "", 0x7F: "␡"} | dict.fromkeys(range(0x80, 0xA0), "\ufffd")
# Direction overrides and isolates can make text read as something it is not; marks (LRM, RLM) cannot.
_REPLACED |= {code: f"⟨U+{code:04X}⟩" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
_REPLACED |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")  # half characters: no encoding has them


def visible(text: str) -> str:
    """The text with control and direction-changing characters shown as such, without half characters."""
    return text.translate(_REPLACED)
