"""The section on the riddle of the family trees."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from microgradient.rumelhart1986.claims.family_readings import FRESH, SCAN
from microgradient.rumelhart1986.claims.riddle import ReadingResult, by_relation, fresh, scanned
from microgradient.rumelhart1986.report.figures import rates
from microgradient.rumelhart1986.report.found import Found
from microgradient.rumelhart1986.report.markdown import Section, paragraphs, picture, table
from microgradient.rumelhart1986.reproduction.statistics import wilson
from microgradient.rumelhart1986.variant_study import HELD_OUT

Counts = dict[str, tuple[int, int]]
_SHOWN = 12  # readings of the scan
_HEAD = (
    *("reading", "seeds", "all 100 right", "all beyond .8/.2", "3 or 4 of 4", "both"),
    "test mean",
)
_TEXT = """\
Reported are 1,500 sweeps, after which all 100 training cases were beyond .8 and .2, and 4 of 4 and
3 of 4 test cases were right, in two runs (Hinton 1986). {count} readings of the caption were
trained, from up to {seeds} seeds, each with four cases held out at random; {both} of them had a
network with all of that. A case is right with every output on the right side of .5. "Slope" is that
of the output units, y (1 - y), in the gradient."""
_FRESH = """\
On other seeds, the literal caption and three readings, which were chosen as the best of a scan of
16 seeds; {cases} of the 104 cases are held out in turn, in sets of four:"""


def riddle(found: Found) -> Section | None:
    """Return the section, if the scan was run."""
    best = scanned(found.of) if any(found.of(study) for study in SCAN) else []
    if not best:
        return None
    parts = [
        "## The riddle of the family trees",
        _TEXT.format(
            seeds=max(one.seeds for one in best),
            count=len(best),
            both=sum(one.all > 0 for one in best),
        ),
        f"The best {_SHOWN}, in the order of networks with all of it:",
        table(_HEAD, _cells(best[:_SHOWN])),
    ]
    figures: dict[str, Callable[[], Any]] = {}
    if results := fresh(found.of):
        outcomes = {study.variant: found.of(study) for study in FRESH if found.of(study)}
        each = _in_one_order({name: by_relation(several) for name, several in outcomes.items()})
        cases = {name for several in outcomes.values() for one in several for name in one.findings}
        parts += [
            _FRESH.format(cases=sum(name.startswith(HELD_OUT) for name in cases)),
            table(_HEAD, _cells(results)),
            _two_runs(results),
            "The rate at which a held-out case is right depends on its relation:",
            picture("held-out", "Rates by relation, for each reading"),
            _relations(each),
        ]
        figures["held-out"] = lambda: rates(each, "rate right when held out")
    return Section(paragraphs(*parts), figures)


def _two_runs(results: Iterable[ReadingResult]) -> str:
    """Return how often the best reading gives what was reported of two runs."""
    best = max(results, key=lambda one: one.all / one.seeds)
    rate, low, high = best.all / best.seeds, *wilson(best.all, best.seeds)
    return (
        f"So the best reading ({best.name}) gives a network with all of what was reported in "
        f"{rate:.0%} of runs ({low:.0%} to {high:.0%}), and two such runs in a row in "
        f"{rate**2:.1%} ({low**2:.1%} to {high**2:.1%}): the report can be true of two runs, and "
        "is not what to expect of two others."
    )


def _in_one_order(each: dict[str, Counts]) -> dict[str, Counts]:
    """Return the counts of each reading by relation, in the order of the last one's rates."""
    *_, last = each.values()

    def rate(relation: str) -> float:
        right, total = last.get(relation, (0, 1))
        return -right / total

    order = sorted({relation for counts in each.values() for relation in counts}, key=rate)
    return {
        name: {relation: counts[relation] for relation in order if relation in counts}
        for name, counts in each.items()
    }


def _cells(results: Iterable[ReadingResult]) -> list[tuple[str, ...]]:
    return [
        (r.name, *map(str, (r.seeds, r.half, r.strict, r.tests, r.all)), f"{r.right:.2f}")
        for r in results
    ]


def _relations(each: dict[str, Counts]) -> str:
    relations = dict.fromkeys(relation for counts in each.values() for relation in counts)
    body = [
        [relation, *(_rate(c[relation]) if relation in c else "-" for c in each.values())]
        for relation in relations
    ]
    return table(("relation", *each), body)


def _rate(count: tuple[int, int]) -> str:
    right, total = count
    low, high = wilson(right, total)
    return f"{right / total:.2f} ({low:.2f} to {high:.2f})"
