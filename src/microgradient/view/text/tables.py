"""A table of text cells as aligned text, and as HTML that needs no style sheet."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from microgradient.view.escaping import markup

_NARROWEST = 10  # characters of a column that is wrapped


@dataclass(frozen=True)
class Table:
    """A title, column heads and rows of text; the columns in ``numbers`` are aligned right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()

    def text(self, width: int | None = None) -> str:
        """Return the table as aligned lines under its title.

        With ``width``, the widest columns are wrapped, so that the lines are no longer than that
        where this leaves each column ten characters.
        """
        widths = [max(map(len, column)) for column in zip(self.columns, *self.rows)]
        while width and sum(widths) + 2 * len(widths) - 2 > width and max(widths) > _NARROWEST:
            widths[widths.index(max(widths))] -= 1
        lines = (
            "  ".join(
                text.rjust(w) if i in self.numbers else text.ljust(w)
                for i, (text, w) in enumerate(zip(line, widths))
            ).rstrip()
            for row in (self.columns, *self.rows)
            for line in zip_longest(*map(_wrapped, row, widths), fillvalue="")
        )
        return "\n".join([self.title, *lines])

    def html(self) -> str:
        """Return a ``table`` element with a caption and inline styles only."""
        head = "".join(
            f'<th scope="col" style="{self._style(i)}">{markup(text)}</th>'
            for i, text in enumerate(self.columns)
        )
        body = "".join(f"<tr>{self._cells(row)}</tr>\n" for row in self.rows)
        return (
            f'<table style="border-collapse:collapse"><caption style="text-align:left">'
            f"{markup(self.title)}</caption>\n<thead><tr>{head}</tr></thead>\n"
            f"<tbody>{body}</tbody></table>"
        )

    def _cells(self, row: Sequence[str]) -> str:
        return "".join(
            f'<td style="{self._style(i)}">{markup(text)}</td>' for i, text in enumerate(row)
        )

    def _style(self, column: int) -> str:
        side = "right" if column in self.numbers else "left"
        return f"text-align:{side};padding:2px 8px;font-variant-numeric:tabular-nums"


def _wrapped(text: str, width: int) -> list[str]:
    return [text] if len(text) <= width else textwrap.wrap(text, width)
