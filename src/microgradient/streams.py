"""Standard streams that may be missing or closed, or whose encoding lacks characters."""

from __future__ import annotations

import io
import sys
from typing import Any

_OTHER = str.maketrans(
    {
        "─": "-",
        "–": "-",
        "—": "-",
        "−": "-",
        "→": "->",
        "×": "x",
        "·": "*",
        "±": "+-",
        "≤": "<=",
        "≥": ">=",
        "≈": "~",
        "∂": "d",
        "Δ": "delta ",
        "α": "alpha",
        "ε": "epsilon",
        "…": "...",
        "“": '"',
        "”": '"',
        "‘": "'",
        "’": "'",
        "²": "^2",
        "³": "^3",
        **dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#")),
        **dict.fromkeys("\u00a0\u2009\u202f", " "),
    }
)


def spelled(text: str, encoding: str | None) -> str:
    """Return ``text`` with other characters for those that ``encoding`` lacks.

    What has no such character is written as an escape, ``\\u4e2d``: nothing is lost. A stream whose
    encoding is None, such as ``io.StringIO``, takes every character.
    """
    if encoding is None or _has(encoding, text):
        return text
    text = "".join(c if _has(encoding, c) else c.translate(_OTHER) for c in text)
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _has(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


class Stream(io.TextIOBase):
    """Standard output or standard error: ``name`` is "stdout" or "stderr".

    Writing never raises: what the encoding lacks is spelled in other characters, a stream that is
    missing (``pythonw``, ``>&-``) or closed takes nothing. ``fault`` is the OSError of the first
    write that failed; nothing is written after it.
    """

    def __init__(self, name: str) -> None:
        self._stream: Any = getattr(sys, name)
        self.fault: OSError | None = None

    @property
    def encoding(self) -> str | None:  # type: ignore[override]
        """The encoding of the stream, None if it takes every character."""
        return getattr(self._stream, "encoding", None)

    def write(self, text: str, /) -> int:
        if self._stream is not None and self.fault is None:
            self._do(lambda: self._stream.write(spelled(text, self.encoding)))
        return len(text)

    def flush(self) -> None:
        flush = getattr(self._stream, "flush", None)  # what stands in for a stream may lack it
        if flush is not None and self.fault is None:
            self._do(flush)

    def isatty(self) -> bool:
        try:
            return bool(self._stream.isatty())
        except (AttributeError, ValueError):  # no stream, or a closed one
            return False

    def fileno(self) -> int:
        if self._stream is None:
            raise io.UnsupportedOperation("there is no stream")
        return int(self._stream.fileno())

    def _do(self, write: Any) -> None:
        try:
            write()
        except OSError as fault:
            self.fault = fault
        except ValueError:  # the stream has been closed
            self._stream = None
