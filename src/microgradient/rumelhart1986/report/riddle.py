"""The section on the riddle of the family trees."""

from __future__ import annotations

from collections.abc import Iterable

from microgradient.rumelhart1986.claims.family_readings import CHOSEN, FRESH, SCAN, name_of
from microgradient.rumelhart1986.claims.riddle import ReadingResult, by_relation, fresh, scanned
from microgradient.rumelhart1986.report.figures import rates
from microgradient.rumelhart1986.report.found import Found
from microgradient.rumelhart1986.report.markdown import Section, paragraphs, picture, table
from microgradient.rumelhart1986.reproduction.statistics import wilson

Counts = dict[str, tuple[int, int]]
_SHOWN = 12  # readings of the scan
_HEAD = (
    *("reading", "seeds", "all right of .5", "all beyond .8/.2", "3 or 4 of 4", "both"),
    "test mean",
)
_TEXT = """\
Reported are 1,500 sweeps, after which all 100 training cases were beyond .8 and .2, and 4 of 4 and
3 of 4 test cases were right, in two runs (Hinton 1986). Each reading of the caption was trained
from {seeds} seeds, each with four cases held out at random: {count} readings, of which {both} had a
network with all of that. "Slope" is that of the output units, y (1 - y), in the gradient."""
_FRESH = """\
On fresh seeds, the literal caption and the readings that were chosen; all 104 cases are held out in
turn, in 26 sets of four:"""


def riddle(found: Found) -> Section | None:
    """Return the section, if the scan was run."""
    best = scanned(found.of) if any(found.of(study) for study in SCAN) else []
    if not best:
        return None
    names = {name_of(recipe) for recipe in CHOSEN}
    same = {one.name for one in best[: len(names)]} == names
    parts = [
        "## The riddle of the family trees",
        _TEXT.format(seeds=best[0].seeds, count=len(best), both=sum(one.all > 0 for one in best)),
        f"The best {_SHOWN}, in the order of networks with all of it:",
        table(_HEAD, _cells(best[:_SHOWN])),
    ]
    figures = {}
    if results := fresh(found.of):
        each = _in_one_order({s.variant: by_relation(found.of(s)) for s in FRESH if found.of(s)})
        parts += [
            _FRESH if same else f"{_FRESH[:-1]} (they were chosen from more seeds):",
            table(_HEAD, _cells(results)),
            _two_runs(results),
            "The rate at which a held-out case is right depends on its relation:",
            picture("held-out", "Rates by relation, for each reading"),
            _relations(each),
        ]
        figures["held-out"] = rates(each, "rate right when held out")
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
    """Return the counts of each reading by relation, in the order of the rates of the last one."""
    *_, last = each.values()
    order = sorted(last, key=lambda relation: -last[relation][0] / last[relation][1])
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
    *_, last = each.values()
    body = [
        [relation, *(_rate(counts[relation]) for counts in each.values() if relation in counts)]
        for relation in last
    ]
    return table(("relation", *each), body)


def _rate(count: tuple[int, int]) -> str:
    right, total = count
    low, high = wilson(right, total)
    return f"{right / total:.2f} ({low:.2f} to {high:.2f})"
