"""``microgradient gallery``: run pieces of the gallery, print one table, write the page."""

from __future__ import annotations

import argparse
import shutil

from microgradient.cli.output import say
from microgradient.gallery.catalogue import PIECES, Exhibit, exhibit
from microgradient.gallery.page import FINDINGS, RACES, finding_rows, race_rows, write_page
from microgradient.nn.training.progress import bar
from microgradient.streams import Stream, spelled
from microgradient.view.text.tables import Table


def gallery(options: argparse.Namespace, out: Stream) -> int:
    """Run the pieces, write the page of those that ended, and return the exit status."""
    names = [*dict.fromkeys(options.names or PIECES)]
    unknown = [name for name in names if name not in PIECES]
    if unknown:
        raise ValueError(f"the gallery has no piece {unknown[0]!r}; it has {', '.join(PIECES)}")
    exhibits: list[Exhibit] = []
    stopped = False
    with bar("gallery", "piece", len(names), None) as show_bar:
        try:
            for name in names:
                show_bar(len(exhibits), name)
                exhibits.append(one := exhibit(name))
                holding = sum(finding.holds for finding, _ in one.findings)
                claims = f"{holding} of {len(one.findings)} claims hold"
                say(f"{name}: {claims}, {one.seconds:.1f} s", out)
                out.flush()
        except KeyboardInterrupt:
            stopped = True
    _print("What is claimed, and what came", FINDINGS, finding_rows(exhibits), out)
    if races := race_rows(exhibits):
        _print("Rivals beside back-propagation", RACES, races, out)
    for file in write_page(options.out, exhibits) if exhibits else []:
        say(f"Page: {file}", out)
    if stopped:
        say("Interrupted: the page has the pieces that had ended", out)
    return 130 if stopped else 0


def _print(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]], out: Stream) -> None:
    shown = [tuple(spelled(text, out.encoding) for text in row) for row in rows]
    numbers = frozenset(range(2, 5)) if columns is RACES else frozenset({4})
    table = Table(title, columns, tuple(shown), numbers)
    print(table.text(shutil.get_terminal_size().columns), end="\n\n", file=out)
