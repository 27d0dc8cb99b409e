"""The one place where a user's text enters DOT, HTML, LaTeX, CSV or a page's data."""

from __future__ import annotations

import html
import json
import re
from typing import Any

_SPECIAL = str.maketrans({c: f"\\{c}" for c in '\\"{}|<>'} | {"&": "&amp;"})
_LATEX = {
    **{c: f"\\{c}" for c in "{}$&#%_"},
    "\\": r"\backslash ",
    "<": r"\lt ",
    ">": r"\gt ",
    "^": r"\wedge ",
    "~": r"\sim ",
    '"': "''",
    " ": r"\ ",
    "`": "'",
}


def plain(text: str, limit: int = 40) -> str:
    """Return ``text`` in one line of printable characters, cut after ``limit`` of them."""
    printable = "".join(c if c.isprintable() else " " for c in text[: limit + 1])
    return printable if len(printable) <= limit else printable[: limit - 1] + "…"


def record_field(text: str, limit: int = 40) -> str:
    """Return ``text`` for a field of a record label in double quotes, as itself and nothing else.

    Quotes, backslashes, braces, bars, angle brackets and ampersands are escaped; what cannot be
    printed becomes a blank; more than ``limit`` characters are cut.
    """
    return plain(text, limit).translate(_SPECIAL)


def markup(text: str) -> str:
    """Return ``text`` for HTML, between tags or in a quoted attribute."""
    return html.escape(text)


def latex_name(name: str) -> str:
    """Return a user's name in LaTeX's math mode: ``w1`` is w with index 1."""
    if indexed := re.fullmatch(r"([A-Za-z]+)(-?\d+)", name):
        return f"{latex_name(indexed[1])}_{{{indexed[2]}}}"
    if len(name) == 1 and name.isalpha():
        return name
    letters = "".join(_LATEX.get(c, c if c.isascii() or c.isalnum() else "?") for c in name)
    return rf"\mathit{{{letters}}}"


def script_data(data: Any) -> str:
    """Return JSON that can stand inside of a ``<script>`` element, whatever its strings hold."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def cell(text: str) -> str:
    """Return ``text`` for a CSV cell that a spreadsheet takes as text and not as a formula."""
    text = plain(text, 1000)
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@") else text
