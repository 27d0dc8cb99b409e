"""The page of the gallery: one table of what was claimed and what came, the races, the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from microgradient.gallery.catalogue import PIECES, SECTIONS, Exhibit, name_of
from microgradient.rumelhart1986.report.files import write_document
from microgradient.rumelhart1986.report.machine import made_with
from microgradient.rumelhart1986.report.markdown import paragraphs, picture, table

TITLE = "Rivals and descendants"
FINDINGS = ("piece", "claim", "claimed by", "what came", "seconds")
RACES = ("problem", "method", "solved", "presentations", "seconds each")
_MADE = """\
What lost to back-propagation, and what came of it: each piece is one file that says what a method
is, runs it, and compares what came with what is claimed. Made by `microgradient gallery{names}`
with {packages}, in {seconds:.0f} seconds. {holding} of {claims} claims hold; the others say what
came instead. "This gallery" claims what is checked of the method itself; "the survey page" is a
modern summary of 1986 on the web, whose claims this project checks."""
_RACES = """\
Solved trials; the median number of times that a pattern was presented, of the trials that solved
the problem; seconds for each trial."""


def write_page(folder: Path, exhibits: Sequence[Exhibit]) -> list[Path]:
    """Write ``gallery.md`` with its pictures, and ``gallery.html``; return the paths of both."""
    figures = {shown.name: shown.figure for one in exhibits for shown in one.pictures}
    drawn = {name: lambda figure=figure: figure for name, figure in figures.items()}
    return write_document(folder, "gallery", TITLE, text_of(exhibits), drawn)


def finding_rows(exhibits: Sequence[Exhibit]) -> list[tuple[str, ...]]:
    """Return a row of text for each finding, under ``FINDINGS``."""
    return [
        (one.name, finding.claim, finding.source, finding.verdict, f"{seconds:.1f}")
        for one in exhibits
        for finding, seconds in one.findings
    ]


def race_rows(exhibits: Sequence[Exhibit]) -> list[tuple[str, ...]]:
    """Return a row of text for each race, under ``RACES``."""
    return [
        (
            race.problem,
            race.method,
            f"{race.solved:,} of {race.trials:,}",
            race.presented,
            f"{race.seconds:.2g}",
        )
        for one in exhibits
        for race in one.races
    ]


def text_of(exhibits: Sequence[Exhibit]) -> str:
    """Return the page in Markdown."""
    findings = [finding for one in exhibits for finding, _ in one.findings]
    whole = len(exhibits) == len(PIECES)
    made = _MADE.format(
        names="" if whole else "".join(f" {one.name}" for one in exhibits),
        packages=made_with("microgradient", "llvmlite", "numpy", "scikit-learn"),
        seconds=sum(one.seconds for one in exhibits),
        holding=sum(finding.holds for finding in findings),
        claims=len(findings),
    )
    parts = [f"# {TITLE}", made, "## Claims", table(FINDINGS, finding_rows(exhibits))]
    if races := race_rows(exhibits):
        parts += ["## Rivals beside back-propagation", _RACES, table(RACES, races)]
    for section, modules in SECTIONS.items():
        names = {*map(name_of, modules)}
        shown = [one for one in exhibits if one.name in names]
        parts += [f"## {section}"] if shown else []
        parts += [part for one in shown for part in _piece(one)]
    return paragraphs(*parts) + "\n"


def _piece(one: Exhibit) -> list[str]:
    pictures = [picture(shown.name, shown.caption) for shown in one.pictures]
    alone = f"Alone: `python -m {PIECES[one.name]}`, {one.seconds:.0f} seconds."
    return [f"### {one.title.rstrip('.')}", one.text, alone, *pictures]
