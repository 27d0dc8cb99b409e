"""The whole report: Markdown with pictures, and the same as one page of HTML."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

from microgradient.files import write_file
from microgradient.rumelhart1986.report.claims import claims
from microgradient.rumelhart1986.report.found import Found
from microgradient.rumelhart1986.report.hidden_units import hidden_units
from microgradient.rumelhart1986.report.markdown import Section, paragraphs
from microgradient.rumelhart1986.report.others import others
from microgradient.rumelhart1986.report.page import page
from microgradient.rumelhart1986.report.riddle import riddle
from microgradient.rumelhart1986.report.three_numbers import three_numbers
from microgradient.rumelhart1986.report.today import today

TITLE = "The networks of 1986, reproduced"
SECTIONS: tuple[Callable[[Found], Section | None], ...] = (
    *(three_numbers, others, claims, riddle, hidden_units, today),
)
_MADE = """\
Made by `microgradient reproduce --seeds {seeds}` with {packages}, Python {python} on {system},
{processors} processors. Seeds are 0, 1, 2, …; where a network takes long, fewer are trained: each
row says how many. Intervals are of 95 %: Wilson's for rates, the bootstrap's for medians. A sweep
presents every pattern once."""


def write_report(folder: Path, found: Found) -> list[Path]:
    """Write ``report.md`` with its pictures, and ``report.html``; return the paths of both.

    Without Matplotlib there are no pictures, without markdown-it-py no page.
    """
    sections = [section for make in SECTIONS if (section := make(found)) is not None]
    text = paragraphs(f"# {TITLE}", _made_by(found), *(one.text for one in sections)) + "\n"
    pictures: dict[str, bytes] = {}
    if find_spec("matplotlib"):
        drawings = {name: draw for one in sections for name, draw in one.figures.items()}
        pictures = {f"pictures/{name}.png": _png(draw()) for name, draw in drawings.items()}
    else:
        text = "\n\n".join(part for part in text.split("\n\n") if not part.startswith("!["))
    if pictures:
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for name, content in pictures.items():
        write_file(folder / name, content)
    reports = {"report.md": text}
    if find_spec("markdown_it"):
        reports["report.html"] = page(text, TITLE, pictures)
    for name, report in reports.items():
        write_file(folder / name, report.encode())
    return [folder / name for name in reports]


def _made_by(found: Found) -> str:
    names = ("microgradient", "llvmlite", "numpy")
    return _MADE.format(
        seeds=" and ".join(map(str, found.seeds)),
        packages=", ".join(f"{name} {_version(name)}" for name in names),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        processors=os.cpu_count(),
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"


def _png(figure: Any) -> bytes:
    content = BytesIO()
    figure.savefig(content, format="png", dpi=110)
    return content.getvalue()
