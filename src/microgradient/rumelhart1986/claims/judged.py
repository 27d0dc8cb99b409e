"""Each claim of the survey page, with its verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median

from microgradient.rumelhart1986.claims.readings import (
    ENCODER_NO_MOMENTUM,
    ENCODER_RATES,
    ENCODER_ZERO,
    UPDATES,
    XOR_DIRECT_ZERO,
    XOR_FOUR_HIDDEN,
    XOR_NO_MOMENTUM,
    XOR_RANGES,
    XOR_RATES,
    XOR_ZERO,
)
from microgradient.rumelhart1986.claims.verdict import (
    ABSENT,
    CONDITIONS,
    HOLDS,
    NOT,
    UNSAID,
    Readings,
    Verdict,
    combined,
    count_text,
    listed,
    of_all,
    of_count,
    of_never,
    of_rate,
)
from microgradient.rumelhart1986.deep import HARD_THRESHOLD, ShrinkFactor
from microgradient.rumelhart1986.experiment import NATURE, PDP8, Experiment
from microgradient.rumelhart1986.experiments import EXPERIMENTS, family_trees
from microgradient.rumelhart1986.experiments.family_trees import FAMILY_TREES
from microgradient.rumelhart1986.insight.findings import DISTINCT_CODES
from microgradient.rumelhart1986.reproduction.statistics import rate_text, ratio_interval
from microgradient.rumelhart1986.study import Outcome, learned_sweeps

Find = Callable[[str], Sequence[Outcome]]
"""Returns the outcomes of a study by its name: none, if it was not run."""


def verdicts(find: Find, factors: Sequence[ShrinkFactor]) -> list[Verdict]:
    """Return all claims, in the order of the page, judged by what was found."""
    return [
        *_of_data(),
        *_of_settings(find),
        *_of_family_trees(find),
        *_of_counts(find),
        *_of_failures(find),
        *_of_momentum(find),
        *_of_rates(find),
        *_of_what_never_learns(find),
        *_of_hidden_units(find),
        *_of_depth(factors),
    ]


def _readings(find: Find, experiment: Experiment, *words: str) -> Readings:
    """Return the outcomes of the variants whose names have all these words."""
    names = [v for v in experiment.variants if all(word in v.split() for word in words)]
    found = {name: find(f"{experiment.name} {name}") for name in names}
    return {name: outcomes for name, outcomes in found.items() if outcomes}


def _at_usual_rates(find: Find, experiment: Experiment) -> Readings:
    """Return the outcomes at the rates that the page calls usual: .1 and .25."""
    slow, quick = (_readings(find, experiment, f"rate={rate}") for rate in ("0.1", "0.25"))
    return {**slow, **quick}


def _judged(
    claim: str,
    original: str,
    readings: Readings,
    judge: Callable[[Sequence[Outcome]], str],
    text: Callable[[Sequence[Outcome]], str] = count_text,
) -> Verdict:
    each = [judge(outcomes) for outcomes in readings.values()]
    texts = {name: text(outcomes) for name, outcomes in readings.items()}
    return Verdict(claim, original, listed(texts), combined(each))


def _of_data() -> Iterable[Verdict]:
    layers = [*family_trees.ARCHITECTURE.groups.values()]
    cases, facts = len(family_trees.PATTERNS), len(family_trees.FACTS)
    yield Verdict(
        "family trees: the network is 24+12-12-6-12-24",
        "24-6 and 12-6, apart; 6+6-12-6-24 (Hinton 1986, Fig. 6; Nature 323, Fig. 3)",
        f"groups of {', '.join(map(str, layers))} units",
        NOT,
    )
    yield Verdict(
        "family trees: 104 triples",
        '104 "instances of relationships" (Hinton 1986)',
        f"{cases} cases of a person and a relation, which hold {facts} triples",
        CONDITIONS if cases == 104 else NOT,
    )


def _of_settings(find: Find) -> Iterable[Verdict]:
    recipes = [v.recipe for one in EXPERIMENTS.values() for v in one.variants.values()]
    printed = [r.rate for r in recipes if r.sources["rate"].startswith((PDP8, NATURE))]
    yield Verdict(
        "the momentum was .9",
        '"in most of our simulations α was about 0.9" (PDP8, p. 330; Nature 323, Fig. 1)',
        "as printed",
        HOLDS,
    )
    yield Verdict(
        "the rate was .1 to .25",
        f"printed rates go from {min(printed):g} to {max(printed):g}",
        "as printed",
        CONDITIONS,
    )
    ranges = {
        f"±{variant.recipe.initial_range:g} {variant.recipe.update}": count_text(found)
        for name, variant in XOR_RANGES.variants.items()
        if (found := find(f"{XOR_RANGES.name} {name}"))
    }
    yield Verdict(
        "weights start within ±.5",
        "±.3 where a range is stated (Nature 323, Fig. 1; PDP8, p. 359)",
        listed(ranges),
        UNSAID,
    )


def _of_family_trees(find: Find) -> Iterable[Verdict]:
    readings = {name: find(f"family-trees {name}") for name in FAMILY_TREES.variants}
    fixed = {name: found for name, found in readings.items() if found}
    yield _judged(
        "family trees: about 1,500 epochs give 100 % accuracy",
        "all 100 training cases, and 4 of 4 and 3 of 4 test cases (Hinton 1986)",
        fixed,
        lambda found: of_all(len(learned_sweeps(found)), len(found)),
        lambda found: (
            f"all 100 right in {rate_text(len(learned_sweeps(found)), len(found))}, "
            f"tests {sum(o.tested for o in found) / len(found):.2f} of 4"
        ),
    )


def _of_counts(find: Find) -> Iterable[Verdict]:
    yield _judged(
        "XOR 2-2-1 learns in about 6,587 epochs",
        "the count at which one run was stuck; on average about 245 (PDP8, pp. 332-334)",
        _at_usual_rates(find, XOR_RATES),
        lambda found: of_count(6587, found),
    )
    yield _judged(
        "XOR with four hidden units: 1,230 epochs",
        "not in the original; 214 by Chauvin's law (PDP8, p. 334)",
        _readings(find, XOR_FOUR_HIDDEN),
        lambda found: of_count(1230, found),
    )
    symmetry = {name: find(f"symmetry {name}") for name in ("pdp", "nature", "nature-biases")}
    yield _judged(
        "symmetry 6-2-1 learns in about 1,208 epochs",
        "one run: 1,208 (PDP8, p. 340); 1,425 (Nature 323, Fig. 1)",
        {name: found for name, found in symmetry.items() if found},
        lambda found: of_count(1208, found),
    )
    yield _judged(
        "encoder 8-3-8 learns in about 1,810 epochs",
        "no count; 1,810 is the longest run of a Boltzmann machine 4-2-4 (Ackley et al. 1985)",
        _at_usual_rates(find, ENCODER_RATES),
        lambda found: of_count(1810, found),
    )


def _of_failures(find: Find) -> Iterable[Verdict]:
    yield _judged(
        "XOR gets stuck in about 10 of 100 runs (not learned in 10,000 sweeps)",
        '"in only two cases" of "hundreds of times" (PDP8, p. 332)',
        {**_readings(find, XOR_RATES), **_readings(find, XOR_RANGES)},
        lambda found: of_rate(0.1, _failed(found), len(found)),
        lambda found: rate_text(_failed(found), len(found)),
    )
    usual = _at_usual_rates(find, ENCODER_RATES)
    yield _judged(
        "the encoder fails in about 20 % of runs (an output is .1 or more off)",
        "not for back-propagation; Boltzmann machines 8-3-8: 4 of 20 (Ackley et al. 1985)",
        usual,
        lambda found: of_rate(0.2, _failed(found), len(found)),
        lambda found: rate_text(_failed(found), len(found)),
    )
    yield _judged(
        "the same, if eight different binary codes are asked for",
        "Table 5 has codes of 0, .5 and 1 (PDP8, p. 337)",
        usual,
        lambda found: of_rate(0.2, _without_codes(found), len(found)),
        lambda found: rate_text(_without_codes(found), len(found)),
    )


def _failed(outcomes: Sequence[Outcome]) -> int:
    return sum(not one.learned for one in outcomes)


def _without_codes(outcomes: Sequence[Outcome]) -> int:
    return sum(one.findings.get(DISTINCT_CODES, 0) < 8 for one in outcomes)


def _of_momentum(find: Find) -> Iterable[Verdict]:
    for what, slow, quick, claimed in (
        ("XOR", XOR_NO_MOMENTUM, XOR_RATES, 50_000),
        ("the encoder", ENCODER_NO_MOMENTUM, ENCODER_RATES, 30_000),
    ):
        yield _judged(
            f"without momentum, {what} takes about {claimed:,} epochs",
            "not in the original",
            _readings(find, slow),
            lambda found, claimed=claimed: of_count(claimed, found),  # type: ignore[misc]
        )
        texts, each = {}, []
        for rate in ("rate=0.1", "rate=0.25"):
            for update in UPDATES:
                words = rate, f"update={update}"
                pair = [[*_readings(find, one, *words).values()] for one in (slow, quick)]
                if all(pair):
                    without, with_momentum = (learned_sweeps(one[0]) for one in pair)
                    low, high = ratio_interval(without, with_momentum)
                    texts[" ".join(words)] = f"{low:.1f} to {high:.1f} times"
                    each.append(_between(low, high, 5, 10))
        yield Verdict(
            f"without momentum, {what} takes 5 to 10 times as long",
            '"the system learns much faster overall with larger values" (PDP8, p. 330)',
            listed(texts),
            combined(each),
        )


def _between(low: float, high: float, least: float, most: float) -> str:
    """Judge "between least and most" by an interval: it holds if that reaches within."""
    return HOLDS if low <= most and high >= least else NOT


def _of_rates(find: Find) -> Iterable[Verdict]:
    for rate, claim, original in (
        ("0.5", "diverges or oscillates", "XOR learns at .5, and escapes from being stuck"),
        ("0.05", "does not converge", "distributed to local was learned at .05, in 5,226 sweeps"),
    ):
        several = {
            f"{what} {name}": one
            for what, experiment in (("XOR", XOR_RATES), ("encoder", ENCODER_RATES))
            for name, one in _readings(find, experiment, f"rate={rate}").items()
        }
        yield _judged(
            f"a rate of {rate} {claim}",
            f"{original} (PDP8, pp. 331-339)",
            several,
            lambda found: of_never(len(learned_sweeps(found)), len(found)),
        )


def _of_what_never_learns(find: Find) -> Iterable[Verdict]:
    threshold = find(HARD_THRESHOLD.name)
    yield _judged(
        "units with a hard threshold never learn",
        '"discontinuous and hence will not suffice" (PDP8, p. 328)',
        {"": threshold} if threshold else {},
        lambda found: of_never(_changed(found), len(found)),
        lambda found: f"a weight changed in {_changed(found):,} of {len(found):,} networks",
    )
    zero = {
        f"{what} {name}": one
        for what, experiment in (
            ("2-2-1", XOR_ZERO),
            ("2-1-1", XOR_DIRECT_ZERO),
            ("8-3-8", ENCODER_ZERO),
        )
        for name, one in _readings(find, experiment).items()
    }
    yield _judged(
        "with zero weights at the start, nothing is learned",
        'equal weights where unequal ones are needed "can never learn" (PDP8, p. 330)',
        zero,
        lambda found: of_never(len(learned_sweeps(found)), len(found)),
    )


def _changed(outcomes: Sequence[Outcome]) -> int:
    return sum(one.findings["weights changed"] > 0 for one in outcomes)


def _of_hidden_units(find: Find) -> Iterable[Verdict]:
    found = [one for one in find("family-trees learns") if one.findings.get("p of nationality")]
    for what in ("nationality", "generation"):
        p = [one.findings[f"p of {what}"] for one in found]
        by_chance = sum(x > 0.05 for x in p)
        text = f"|r| of the best unit {median(o.findings[what] for o in found):.2f}; " if p else ""
        yield Verdict(
            f"family trees: a hidden unit shows the {what}",
            "so it does (Nature 323, Fig. 4)",
            f"{text}no better than chance in {rate_text(by_chance, len(p))}" if p else "",
            (HOLDS if by_chance <= len(p) // 20 else CONDITIONS if by_chance < len(p) / 2 else NOT)
            if p
            else ABSENT,
        )


def _of_depth(factors: Sequence[ShrinkFactor]) -> Iterable[Verdict]:
    by_kind: dict[str, list[ShrinkFactor]] = {}
    for factor in factors:
        by_kind.setdefault(str(factor.kind), []).append(factor)
    sigmoid = {k: f for k, f in by_kind.items() if k.startswith("sigmoid") and "residual" not in k}
    others = {k: f for k, f in by_kind.items() if k.startswith("relu") or "residual" in k}
    for claim, chosen, least, most in (
        ("a logistic layer shrinks the gradient by a factor of 4 or more", sigmoid, 4.0, 1e9),
        (
            "ReLU with He's weights, and residual layers, keep it (within a factor of 2)",
            others,
            0.5,
            2.0,
        ),
    ):
        yield Verdict(
            claim,
            "not in the original",
            listed({kind: _range_text(several) for kind, several in chosen.items()}),
            combined([_between(f.low, f.high, least, most) for s in chosen.values() for f in s]),
        )


def _range_text(several: Sequence[ShrinkFactor]) -> str:
    low, high = min(one.factor for one in several), max(one.factor for one in several)
    depths = [one.layers for one in several]
    return f"{low:.2f} to {high:.2f} a layer ({min(depths)} to {max(depths)} layers)"


def summary(found: Iterable[Verdict]) -> Mapping[str, int]:
    """Return how many claims have which verdict."""
    counts: dict[str, int] = {}
    for one in found:
        counts[one.verdict] = counts.get(one.verdict, 0) + 1
    return counts
