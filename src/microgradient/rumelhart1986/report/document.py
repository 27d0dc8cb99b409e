"""The whole report: Markdown with pictures, and the same as one page of HTML."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from microgradient.rumelhart1986.report.claims import claims
from microgradient.rumelhart1986.report.files import write_document
from microgradient.rumelhart1986.report.found import Found
from microgradient.rumelhart1986.report.hidden_units import hidden_units
from microgradient.rumelhart1986.report.machine import made_with
from microgradient.rumelhart1986.report.markdown import Section, paragraphs
from microgradient.rumelhart1986.report.others import others
from microgradient.rumelhart1986.report.riddle import riddle
from microgradient.rumelhart1986.report.three_numbers import three_numbers
from microgradient.rumelhart1986.report.today import today

TITLE = "The networks of 1986, reproduced"
SECTIONS: tuple[Callable[[Found], Section | None], ...] = (
    *(three_numbers, others, claims, riddle, hidden_units, today),
)
_MADE = """\
Made by `microgradient reproduce --seeds {seeds}` with {packages}. Seeds are 0, 1, 2, …; where a
network takes long, fewer are trained: each row says how many. Intervals are of 95 %: Wilson's for
rates, the bootstrap's for medians. A sweep presents every pattern once."""


def write_report(folder: Path, found: Found) -> list[Path]:
    """Write ``report.md`` with its pictures, and ``report.html``; return the paths of both.

    Without Matplotlib there are no pictures, without markdown-it-py no page.
    """
    sections = [section for make in SECTIONS if (section := make(found)) is not None]
    made = _MADE.format(
        seeds=" and ".join(map(str, found.seeds)),
        packages=made_with("microgradient", "llvmlite", "numpy"),
    )
    text = paragraphs(f"# {TITLE}", made, *(one.text for one in sections)) + "\n"
    figures = {name: draw for one in sections for name, draw in one.figures.items()}
    return write_document(folder, "report", TITLE, text, figures)
