"""What is measured in each network that has learned, and how many networks have it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median

from microgradient.rumelhart1986.experiment import Experiment
from microgradient.rumelhart1986.experiments.encoder import ENCODER, OTHER_ENCODERS
from microgradient.rumelhart1986.experiments.parity import PARITIES
from microgradient.rumelhart1986.insight.codes import codes_of, distinct_codes, intermediate
from microgradient.rumelhart1986.insight.counting import counting_units
from microgradient.rumelhart1986.insight.family import (
    ANSWERS_SEX,
    LABELS,
    best_unit,
    permutation_p,
    person_codes,
    relation_codes,
)
from microgradient.rumelhart1986.insight.fields import field_of
from microgradient.rumelhart1986.insight.ratios import mirror_weights
from microgradient.rumelhart1986.network import Network
from microgradient.rumelhart1986.variant_study import BEYOND, HELD_OUT, Measure

DISTINCT_CODES = "distinct binary codes"
_PERMUTATIONS = 199  # for each network: p down to .005
_FEW = 6  # different counts, whose shares are told one by one


def of_encoder(network: Network) -> Mapping[str, float]:
    """Return how many binary codes are different, and how many activities are intermediate."""
    inputs = network.architecture.inputs
    patterns = _ENCODERS[inputs].patterns
    codes = codes_of(network, "hidden", patterns)
    return {
        DISTINCT_CODES: float(distinct_codes(codes)),
        "intermediate activities": float(intermediate(codes)),
    }


_ENCODERS = {len(one.patterns): one for one in (ENCODER, *OTHER_ENCODERS)}


def of_symmetry(network: Network) -> Mapping[str, float]:
    """Return whether the weights of both hidden units are 1 : 2 : 4, mirrored."""
    return {"both units at 1 : 2 : 4": float(all(one.is_124() for one in mirror_weights(network)))}


def of_parity(network: Network) -> Mapping[str, float]:
    """Return how many hidden units count the ones, and whether all of them do."""
    patterns = _PARITIES[network.architecture.inputs].patterns
    units = counting_units(network, patterns)
    return {
        "units that count the ones": float(sum(unit.counts for unit in units)),
        "all units count": float(all(unit.counts for unit in units)),
    }


_PARITIES = {one.variants[one.default].architecture.inputs: one for one in PARITIES}


def of_tc(network: Network) -> Mapping[str, float]:
    """Return whether fields detect compactness, and how many of them figures switch."""
    field = field_of(network)
    return {
        "compactness detector": float(field.is_compactness_detector),
        "fields switched by a T": field.switched_by_t,
        "fields switched by a C": field.switched_by_c,
    }


def of_family_trees(network: Network) -> Mapping[str, float]:
    """Return the best |r| with each label, and its p by permutation.

    Labels are those of people, for the person units, and the sex of the answer, for the relations'.
    """
    persons, relations = person_codes(network), relation_codes(network)
    several = {name: (persons, labels) for name, labels in LABELS.items()}
    several["sex of the answer"] = relations, ANSWERS_SEX
    found = {}
    for name, (codes, labels) in several.items():
        found[name] = best_unit(codes, labels)[1]
        found[f"p of {name}"] = permutation_p(codes, labels, _PERMUTATIONS)
    return found


def _named(experiments: Sequence[Experiment], measure: Measure) -> dict[str, Measure]:
    return {experiment.name: measure for experiment in experiments}


FINDINGS: Mapping[str, Measure] = {
    **_named((ENCODER, *OTHER_ENCODERS), of_encoder),
    **_named(PARITIES, of_parity),
    "symmetry": of_symmetry,
    "t-c": of_tc,
    "family-trees": of_family_trees,
}
"""What is measured, by the name of the experiment."""


YES_OR_NO = {"both units at 1 : 2 : 4", "all units count", "compactness detector"}
"""Findings that are 1 for yes and 0 for no."""


def summarized(findings: Sequence[Mapping[str, float]]) -> list[tuple[str, str]]:
    """Return each finding of several networks in words.

    That is the share of networks in which it is so; of a p, in which it is at most .05; of a count
    with few values, the share of each; of other numbers, the median and the range.
    """
    rows = []
    for name in findings[0]:
        own = name.startswith(HELD_OUT) or name == BEYOND
        if own or not all(name in one for one in findings):
            continue
        numbers = [one[name] for one in findings]
        if name.startswith("p of "):
            few = sum(p <= 0.05 for p in numbers)
            rows.append((f"{name.removeprefix('p of ')}: better than chance", _share(few, numbers)))
        elif name in YES_OR_NO:
            rows.append((name, _share(sum(numbers), numbers)))
        elif all(x.is_integer() for x in numbers) and len(set(numbers)) <= _FEW:
            rows.append((name, _shares(numbers)))
        else:
            digits = 0 if all(x.is_integer() for x in numbers) else 2
            middle, low, high = (
                f"{x:,.{digits}f}" for x in (median(numbers), min(numbers), max(numbers))
            )
            rows.append((name, f"median {middle} ({low} to {high})"))
    return rows


def _share(count: float, of: Sequence[float]) -> str:
    return f"{count:,.0f} of {len(of):,} ({count / len(of):.0%})"


def _shares(numbers: Sequence[float]) -> str:
    counts = Counter(numbers)
    shares = {x: counts[x] / len(numbers) for x in sorted(counts)}
    return ", ".join(f"{x:.0f}: {'<1%' if s < 0.005 else f'{s:.0%}'}" for x, s in shares.items())
