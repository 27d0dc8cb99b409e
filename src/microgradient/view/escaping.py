"""The one place where a user's text enters a DOT file."""

from __future__ import annotations

_SPECIAL = str.maketrans({c: f"\\{c}" for c in '\\"{}|<>'} | {"&": "&amp;"})


def record_field(text: str, limit: int = 40) -> str:
    """Return ``text`` for a field of a record label in double quotes, as itself and nothing else.

    Quotes, backslashes, braces, bars, angle brackets and ampersands are escaped; what cannot be
    printed becomes a blank; more than ``limit`` characters are cut.
    """
    printable = "".join(c if c.isprintable() else " " for c in text[: limit + 1])
    if len(printable) > limit:
        printable = printable[: limit - 1] + "…"
    return printable.translate(_SPECIAL)
