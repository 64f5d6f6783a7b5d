"""Names with slashes in API paths: `%2F` is part of a name there, a bare slash mostly a separator.

Servers decode paths before they route. So that a name sent as `a%2Fb` stays one segment, `keep_slashes`
marks its slashes before that, and the converter `<name:…>` gives the name back. A bare slash is taken as part
of the name too where the route leaves no doubt, for proxies that decode on the way.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

MARK = "\ue02f"  # of the private use area: in no name that a client may send
_ENCODED = re.compile(rb"%2[fF]")


def keep_slashes(raw_path: bytes) -> str:
    """A raw path decoded for routing, with MARK where a slash was encoded."""
    return unquote_to_bytes(_ENCODED.sub(MARK.encode(), raw_path)).decode("utf-8", "replace")


class NameConverter:
    """`<name:x>`: any text, slashes included."""

    regex = r"[\s\S]+"  # line breaks, too

    def to_python(self, value: str) -> str:
        """The name as it was sent."""
        return value.replace(MARK, "/")

    def to_url(self, value: str) -> str:
        """The name in a path."""
        return value
