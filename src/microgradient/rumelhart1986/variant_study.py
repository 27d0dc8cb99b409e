"""Variants of an experiment as studies: their networks train side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from microgradient.nn.training.evaluation import evaluator
from microgradient.nn.training.plan import within
from microgradient.nn.training.replicas import Replica, train_replicas
from microgradient.rumelhart1986.experiment import Experiment, NamedPattern, Recipe, Variant
from microgradient.rumelhart1986.network import Network
from microgradient.rumelhart1986.study import Outcome
from microgradient.rumelhart1986.trial import (
    begun,
    beyond_margin,
    chosen_loss,
    optimizer_of,
    trained_pattern,
)

HELD_OUT = "held out: "
"""Before the name of a held-out pattern, the finding whether it is right: 1 or 0."""
BEYOND = "beyond the margin"
"""The finding of how many training patterns are."""

Measure = Callable[[Network], Mapping[str, float]]
"""Measures what a trained network has learned."""


@dataclass(frozen=True)
class VariantStudy:
    """A variant, by its name in ``experiment``; ``measure`` is applied to networks that learned.

    The seed k stands for the seed ``first_seed`` + k: so studies have seeds of their own.
    Other findings are the number of training patterns beyond the margin, if there is one, and
    which held-out patterns are right.
    """

    experiment: Experiment
    variant: str
    measure: Measure | None = None
    first_seed: int = 0

    @property
    def name(self) -> str:
        return f"{self.experiment.name} {self.variant}"

    @property
    def content(self) -> str:
        variant = self.experiment.variants[self.variant]
        own = (self.first_seed,) if self.first_seed else ()
        return repr((_content(self.experiment, variant), _name_of(self.measure), *own))

    def wanted(self, seeds: int) -> range:
        return range(-(-seeds // self.experiment.variants[self.variant].one_in))

    def outcomes(self, seeds: Sequence[int], workers: int) -> list[Outcome]:
        variant = self.experiment.variants[self.variant]
        several = [(variant, self.first_seed + seed) for seed in seeds]
        found = _outcomes(self.experiment, several, self.measure, workers)
        return [replace(one, seed=seed) for seed, one in zip(seeds, found)]


@dataclass(frozen=True)
class GridStudy:
    """All variants of an experiment that differ only in settings which each network may have.

    They stream through one training. The "seed" k stands for variant k % n, trained from the seed
    k // n. Raises ValueError for variants that need code of their own.
    """

    experiment: Experiment
    measure: Measure | None = None

    def __post_init__(self) -> None:
        first, *others = (_shape(variant) for variant in self.experiment.variants.values())
        if any(other != first for other in others):
            raise ValueError(
                f"the variants of {self.experiment.name} must differ in nothing but rate, "
                "momentum, decay, their warm-up, initial ranges and targets"
            )

    @property
    def name(self) -> str:
        return self.experiment.name

    @property
    def content(self) -> str:
        contents = [_content(self.experiment, v) for v in self.experiment.variants.values()]
        return repr((contents, _name_of(self.measure)))

    def wanted(self, seeds: int) -> range:
        variants = self.experiment.variants
        each = -(-seeds // max(variant.one_in for variant in variants.values()))
        return range(len(variants) * each)

    def outcomes(self, seeds: Sequence[int], workers: int) -> list[Outcome]:
        variants = [*self.experiment.variants.values()]
        several = [(variants[k % len(variants)], k // len(variants)) for k in seeds]
        found = _outcomes(self.experiment, several, self.measure, workers)
        return [replace(one, seed=k) for k, one in zip(seeds, found)]

    def by_variant(self, outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
        """Return the outcomes of each variant."""
        names = [*self.experiment.variants]
        found: dict[str, list[Outcome]] = {name: [] for name in names}
        for one in outcomes:
            found[names[one.seed % len(names)]].append(one)
        return found


def _name_of(measure: Measure | None) -> str:
    return "" if measure is None else measure.__qualname__


def _content(experiment: Experiment, variant: Variant) -> str:
    net = variant.architecture
    sizes = {name: range(net.groups[name]) for name in net.targets}
    weights = [[str(net.keys(name, j)) for j in units] for name, units in sizes.items()]
    biases = [[str(net.bias(name, j)) for j in units] for name, units in sizes.items()]
    settings = {k: v for k, v in vars(variant.recipe).items() if k != "sources"}
    patterns = [(p.name, p.inputs, p.targets) for p in experiment.patterns]
    shape = dict(net.groups), net.steps, net.shown, net.asked, net.start
    return repr((shape, weights, biases, settings, patterns, experiment.held_out))


def _shape(variant: Variant) -> tuple[object, ...]:
    """Return what networks that train side by side have in common."""
    recipe = variant.recipe
    of_optimizer = recipe.bias_at_most, bool(recipe.warmup_sweeps)
    of_plan = recipe.update, recipe.sweeps, recipe.tolerance, recipe.stop_when_met
    return variant.architecture, recipe.loss, of_optimizer, of_plan


def _outcomes(
    experiment: Experiment,
    several: Sequence[tuple[Variant, int]],
    measure: Measure | None,
    workers: int,
) -> list[Outcome]:
    """Return how training of variants of one shape from seeds ends."""
    begun_ones = [begun(experiment, variant, variant.recipe, seed) for variant, seed in several]
    networks = [network for network, _, _ in begun_ones]
    recipes = [variant.recipe for variant, _ in several]
    patterns = [
        [trained_pattern(p, recipe) for p in training]
        for recipe, (_, training, _) in zip(recipes, begun_ones)
    ]
    same = all(one == patterns[0] for one in patterns)
    first = recipes[0]
    ended = train_replicas(
        networks,
        patterns[0] if same else patterns.__getitem__,
        loss=chosen_loss(first),
        optimizer=[optimizer_of(*one) for one in zip(networks, recipes, map(len, patterns))],
        sweeps=first.sweeps,
        update=first.update,
        criterion=within(first.tolerance),
        stop_when_met=first.stop_when_met,
        workers=workers,
        progress=False,
    )
    if any(one.stopped == "interrupted" for one in ended):
        raise KeyboardInterrupt
    evaluate = evaluator(networks[0])
    return [
        _outcome(seed, recipe, one, training, test, evaluate, measure)
        for (_, seed), recipe, one, (_, training, test) in zip(several, recipes, ended, begun_ones)
    ]


def _outcome(
    seed: int,
    recipe: Recipe,
    ended: Replica[Network],
    training: Sequence[NamedPattern],
    test: Sequence[NamedPattern],
    evaluate: Callable[[Network, list[Sequence[float]]], list[list[float]]],
    measure: Measure | None,
) -> Outcome:
    if ended.stopped == "diverged":
        return Outcome(seed, False, ended.sweeps, 0, 0, {HELD_OUT + p.name: 0 for p in test})
    several = [trained_pattern(p, recipe) for p in (*training, *test)]
    outputs = evaluate(ended.model, [inputs for inputs, _ in several])
    answers = [(ys, targets) for ys, (_, targets) in zip(outputs, several)]
    met = [within(recipe.tolerance)(ys, targets) for ys, targets in answers]
    right, findings = sum(met[: len(training)]), dict[str, float]()
    if recipe.loss != "half-squared":
        findings[BEYOND] = sum(beyond_margin(*one) for one in answers[: len(training)])
    tested = dict(zip((p.name for p in test), map(int, met[len(training) :])))
    findings |= {HELD_OUT + name: n for name, n in tested.items()}
    learned = right == len(training)
    if learned and measure is not None:
        findings |= measure(ended.model)
    return Outcome(seed, learned, ended.sweeps, right, sum(tested.values()), findings)
