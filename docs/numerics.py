"""Write the table of accuracy into docs/numerics.md: python docs/numerics.py

Worst distances from 50 digits, in ulps, as this machine's C library gives them.
"""

from __future__ import annotations

import platform
from pathlib import Path

from microgradient import OPS
from microgradient.check.operations.operation_check import OperationReport, operation_report

PAGE = Path(__file__).parent / "numerics.md"
START, END = "<!-- table of accuracy -->\n", "<!-- end of table -->\n"
POINTS = 2000


def table() -> str:
    reports = [operation_report(op, points=POINTS) for op in OPS.values()]
    lines = [
        f"Python {platform.python_version()}, {platform.libc_ver()[0]} {platform.libc_ver()[1]}, "
        f"{POINTS:,} points an operation in its domain ([operations.md](operations.md)).",
        "",
        "| operation | value: worst, 99 % | derivatives: worst, 99 % | condition off | proof |",
        "|---|---|---|---|---|",
        *map(row, reports),
    ]
    return "\n".join(lines) + "\n"


def row(report: OperationReport) -> str:
    value, *derivatives = report.accuracy
    return (
        f"| {report.name} | {value.worst:.2f}, {value.p99:.2f} | "
        f"{max(a.worst for a in derivatives):.2f}, {max(a.p99 for a in derivatives):.2f} | "
        f"{max(a.conditioned_p99 for a in report.accuracy):.2f} | {report.proof} |"
    )


if __name__ == "__main__":
    before, rest = PAGE.read_text(encoding="utf-8").split(START)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{START}{table()}{END}{after}", encoding="utf-8")
