"""Bring a report of ``microgradient reproduce`` into the docs, and its table into the README.

python docs/reproduction.py DIR
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "docs" / "1986"
START, END = "<!-- three numbers -->\n", "<!-- end of three numbers -->"
HEAD = ("experiment", "original", "survey page", "learned here", "sweeps here")


def rows(report: str, title: str) -> list[list[str]]:
    """Return the rows of the first table below a heading of the report, without the head."""
    section = report.split(f"## {title}\n", 1)[1]
    lines = section[section.index("\n| ") + 1 :].split("\n\n", 1)[0].splitlines()
    return [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in lines[2:]]


def table(report: str) -> str:
    """Return the README's table: the three numbers of each experiment, ours with an interval."""
    lines = [HEAD, ["---"] * len(HEAD)]
    for title, variant, original, page, learned, sweeps, *_ in rows(report, "Three numbers"):
        name = title if variant in title else f"{title}, {variant}"
        lines.append((name, original, page, learned, sweeps.partition(" (")[0]))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def readme_with(text: str, report: str) -> str:
    """Return the README with the table of a report."""
    before, rest = text.split(START, 1)
    return f"{before}{START}\n{table(report)}\n{END}{rest.split(END, 1)[1]}"


def main(folder: Path) -> None:
    """Copy the report, and write the README."""
    shutil.rmtree(REPORT, ignore_errors=True)
    (REPORT / "pictures").mkdir(parents=True)
    text = (folder / "report.md").read_text(encoding="utf-8")
    pictures = re.findall(r"\]\((pictures/[\w-]+\.png)\)", text)
    for name in ("report.md", "report.html", *pictures):
        shutil.copy(folder / name, REPORT / name)
    readme = ROOT / "README.md"
    readme.write_text(readme_with(readme.read_text(encoding="utf-8"), text), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
