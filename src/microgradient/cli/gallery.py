"""``microgradient gallery``: run pieces of the gallery, print one table, write the page."""

from __future__ import annotations

import argparse

from microgradient.cli.output import print_table, say
from microgradient.gallery.catalogue import PIECES, Exhibit, exhibit, module_of
from microgradient.gallery.page import FINDINGS, RACES, finding_rows, race_rows, write_page
from microgradient.nn.training.progress import bar
from microgradient.rumelhart1986.trial_tables import TextTable
from microgradient.streams import Stream


def gallery(options: argparse.Namespace, out: Stream) -> int:
    """Run the pieces, write the page of those that ended, and return the exit status."""
    names = [*dict.fromkeys(options.names or PIECES)]
    for name in names:
        module_of(name)  # raises before anything runs
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
    rows = tuple(finding_rows(exhibits))
    print_table(TextTable("What is claimed, and what came", FINDINGS, rows), out)
    if races := tuple(race_rows(exhibits)):
        print_table(TextTable("Rivals beside back-propagation", RACES, races), out)
    for file in write_page(options.out, exhibits) if exhibits else []:
        say(f"Page: {file}", out)
    if stopped:
        say("Interrupted: the page has the pieces that had ended", out)
    return 130 if stopped else 0
