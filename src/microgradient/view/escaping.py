"""The one place where user text is escaped: for DOT, HTML, SVG, LaTeX, CSV and a page's data."""

from __future__ import annotations

import html
import json
import re

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
    """Return ``text`` as one line of at most ``limit`` printable characters."""
    printable = "".join(c if c.isprintable() else " " for c in text[: limit + 1])
    return printable if len(printable) <= limit else printable[: limit - 1] + "…"


def record_field(text: str, limit: int = 40) -> str:
    """Return ``text`` for a field of a DOT record label in double quotes.

    Quotes, backslashes, braces, bars, angle brackets and ampersands are escaped, unprintable
    characters become blanks, and the text is cut to ``limit`` characters.
    """
    return plain(text, limit).translate(_SPECIAL)


def markup(text: str) -> str:
    """Return ``text`` for HTML or SVG, between tags or in a quoted attribute."""
    return html.escape(text)


def latex_name(name: str) -> str:
    """Return a user's name for LaTeX's math mode: ``w1`` is w with index 1."""
    if indexed := re.fullmatch(r"([A-Za-z]+)(-?\d+)", name):
        return f"{latex_name(indexed[1])}_{{{indexed[2]}}}"
    if len(name) == 1 and name.isalpha():
        return name
    letters = "".join(_LATEX.get(c, c if c.isascii() or c.isalnum() else "?") for c in name)
    return rf"\mathit{{{letters}}}"


def mathml_name(name: str) -> str:
    """Return a user's name for MathML: ``w1`` is w with index 1, ``w[0,1]`` w with index 0,1."""
    if indexed := re.fullmatch(r"([^\W\d]+)(?:(-?\d+)|\[([^\[\]]*)\])", name):
        index = (indexed[2] or indexed[3]).replace("-", "−")
        return f"<msub>{mathml_name(indexed[1])}<mn>{markup(index)}</mn></msub>"
    return f"<mi>{markup(name)}</mi>"


def script_data(data: object) -> str:
    """Return ``data`` as JSON that is safe inside a ``<script>``, whatever its strings contain."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def cell(text: str) -> str:
    """Return ``text`` for a CSV cell that a spreadsheet reads as text, not as a formula."""
    text = plain(text, 1000)
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@") else text
