"""Text and tables, wrapped to the width of the terminal."""

from __future__ import annotations

import shutil
import textwrap

from microgradient.rumelhart1986 import trial_tables
from microgradient.streams import Stream, spelled
from microgradient.view.text.tables import Table


def say(text: str, out: Stream) -> None:
    """Print ``text``, each line of it wrapped to the width of the terminal."""
    width = shutil.get_terminal_size().columns
    for line in spelled(text, out.encoding).split("\n"):
        print(textwrap.fill(line, width, break_on_hyphens=False), file=out)


def print_table(table: trial_tables.TextTable, out: Stream) -> None:
    """Print a table with its columns wrapped to the width of the terminal."""
    columns, *rows = (
        tuple(spelled(text, out.encoding) for text in row) for row in (table.columns, *table.rows)
    )
    numbers = frozenset(
        i for i in range(1, len(columns)) if all(_is_number(row[i]) for row in rows)
    )
    say(table.title, out)
    shown = Table("", columns, tuple(rows), numbers)
    print(shown.text(shutil.get_terminal_size().columns).removeprefix("\n"), end="\n\n", file=out)


def _is_number(text: str) -> bool:
    return text.translate(str.maketrans("", "", "-+.e")).isdigit()
