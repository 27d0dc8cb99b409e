"""The section "if it were rewritten today": deep networks, from one recipe to the other."""

from __future__ import annotations

from collections.abc import Sequence

from microgradient.rumelhart1986.deep import BY_DEPTH, OTHER_PATHS, REWRITE, DeepStudy
from microgradient.rumelhart1986.report.figures import rates
from microgradient.rumelhart1986.report.found import Found
from microgradient.rumelhart1986.report.markdown import (
    Section,
    learned_cells,
    paragraphs,
    picture,
    table,
)
from microgradient.rumelhart1986.study import Outcome

_TEXT = """\
XOR by ten layers of weights (2-8-…-8-1): how many networks have all errors below .1 within 5,000
sweeps. Each recipe has its best rate, chosen on other seeds (`best_rate` in
`rumelhart1986/deep/rates.py`)."""
_HEAD = ("change", "rate", "learned", "sweeps")


def today(found: Found) -> Section | None:
    """Return the section, if deep networks were run."""
    paths = {
        title: {step: (study, found.of(study)) for step, study in path if found.of(study)}
        for title, path in (
            ("From the recipe of 1986 to today's, one change after the other", REWRITE),
            ("Some of the changes without the others", OTHER_PATHS),
            (
                "By the number of layers",
                [(study.name.removeprefix("deep-xor "), study) for study in BY_DEPTH],
            ),
        )
    }
    if not any(paths.values()):
        return None
    tables = [
        part
        for title, path in paths.items()
        for part in (f"{title}:", table(_HEAD, [_row(step, *one) for step, one in path.items()]))
    ]
    counts = {
        title: {step: _counts(outcomes) for step, (_, outcomes) in path.items()}
        for title, path in [*paths.items()][:2]
    }
    text = paragraphs(
        "## If it were rewritten today",
        _TEXT,
        picture("today", "How many networks of ten layers learn, change by change"),
        *tables,
    )
    return Section(text, {"today": lambda: rates(counts, "rate that learned")})


def _row(step: str, study: DeepStudy, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    return (step, f"{study.rate:g}", *learned_cells(outcomes))


def _counts(outcomes: Sequence[Outcome]) -> tuple[int, int]:
    return sum(one.learned for one in outcomes), len(outcomes)
