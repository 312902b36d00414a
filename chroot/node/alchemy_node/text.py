"""Text from a machine, made safe for consoles and logs."""

from __future__ import annotations

import unicodedata

# Controls, formats (bidi marks too), surrogates, private use, unassigned; line and paragraph separators.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

LIMIT = 256


def printable(text: str, limit: int = LIMIT) -> str:
    """Returns `text` on one line of at most `limit` characters, with no character that a terminal would act on.

    Whitespace collapses to single blanks, and each unsafe character becomes "?". A longer text ends in "...".
    """
    # Nothing past this point can survive: do not walk through megabytes.
    head = text[: limit * 4 + 64]
    safe = "".join("?" if _unsafe(character) else character for character in " ".join(head.split()))
    if len(safe) <= limit and len(head) == len(text):
        return safe
    return safe[: max(limit - 3, 0)].rstrip() + "..."[:limit]


def _unsafe(character: str) -> bool:
    return unicodedata.category(character) in _UNSAFE
