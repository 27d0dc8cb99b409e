"""Run an experiment once: from a seed to a trained network, and what it has learned."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from microgradient.engine.choice import where
from microgradient.engine.ops import fsum, log
from microgradient.nn.losses import half_squared_error
from microgradient.nn.optimizers import Momentum
from microgradient.nn.training.history import History
from microgradient.nn.training.loop import train
from microgradient.nn.training.objective import Loss, Pattern, count_right
from microgradient.nn.training.plan import within
from microgradient.rumelhart1986.bounded import FREE, BoundedMomentum
from microgradient.rumelhart1986.experiment import (
    MARGIN,
    SETTINGS,
    Experiment,
    NamedPattern,
    Recipe,
    Variant,
)
from microgradient.rumelhart1986.network import Network
from microgradient.rumelhart1986.warmup import WarmupMomentum


@dataclass(frozen=True)
class Trial:
    """One run of an experiment: the trained network, its history, and what it gets right.

    ``right`` counts the training patterns that meet the criterion, ``beyond_margin`` those with
    every output beyond 0.8 or 0.2; ``test_right`` holds the held-out patterns that meet it.
    """

    experiment: Experiment
    variant: Variant
    recipe: Recipe
    seed: int
    network: Network
    history: History
    training: tuple[NamedPattern, ...]
    test: tuple[NamedPattern, ...]
    right: int
    beyond_margin: int
    test_right: tuple[NamedPattern, ...]

    def __repr__(self) -> str:
        result = "learned" if self.learned else "not learned"
        return (
            f"<trial of {self.experiment.name!r}, seed {self.seed}: {result} after "
            f"{self.history.sweeps:,} sweeps>"
        )

    @property
    def learned(self) -> bool:
        """Whether every training pattern is right at the end."""
        return self.right == len(self.training)


def run(
    experiment: Experiment,
    variant: str | None = None,
    *,
    seed: int = 1986,
    settings: Mapping[str, object] | None = None,
    progress: bool | None = None,
    on_sweep: Callable[[Network, History], object] | None = None,
    backend: str = "auto",
) -> Trial:
    """Train a network of ``experiment`` and return the :class:`Trial`.

    ``variant`` is a name in ``experiment.variants``, by default the first; ``settings`` replace
    those of its recipe; ``progress``, ``on_sweep`` and ``backend`` are those of ``train``. The same
    seed and settings give the same result: with ``backend="eager"``, on every machine with IEEE
    floats and the same ``exp`` in its C library; compiled, within rounding, which long training
    amplifies. Raises ValueError for unknown names and bad values, TrainingDiverged if the loss or a
    weight becomes nan or infinite.
    """
    chosen = _variant(experiment, variant)
    recipe = _with_settings(chosen.recipe, settings or {})
    network, training, test = begun(experiment, chosen, recipe, seed)
    optimizer = optimizer_of(network, recipe, len(training))
    patterns = [trained_pattern(pattern, recipe) for pattern in training]
    criterion = within(recipe.tolerance)
    history = train(
        network,
        patterns,
        loss=chosen_loss(recipe),
        optimizer=optimizer,
        sweeps=recipe.sweeps,
        update=recipe.update,
        criterion=criterion,
        stop_when_met=recipe.stop_when_met,
        progress=progress,
        description=experiment.name,
        on_sweep=on_sweep,
        backend=backend,
    )
    return Trial(
        experiment,
        chosen,
        recipe,
        seed,
        network,
        history,
        training,
        test,
        right=count_right(network, patterns, criterion),
        beyond_margin=count_right(network, patterns, beyond_margin),
        test_right=tuple(
            p for p in test if count_right(network, [trained_pattern(p, recipe)], criterion)
        ),
    )


def begun(
    experiment: Experiment, variant: Variant, recipe: Recipe, seed: int
) -> tuple[Network, tuple[NamedPattern, ...], tuple[NamedPattern, ...]]:
    """Return an untrained network, the patterns to train it with, and those held out."""
    rng = random.Random(seed)
    test = _held_out(experiment, seed, rng)
    training = tuple(p for p in experiment.patterns if p not in test)
    ranges = recipe.initial_range, recipe.initial_bias_range
    return Network(variant.architecture, *ranges, rng), training, test


def _variant(experiment: Experiment, name: str | None) -> Variant:
    name = experiment.default if name is None else name
    if name not in experiment.variants:
        raise ValueError(
            f"{experiment.name} has no variant {name!r}; it has {', '.join(experiment.variants)}"
        )
    return experiment.variants[name]


def _with_settings(recipe: Recipe, settings: Mapping[str, object]) -> Recipe:
    if unknown := [name for name in settings if name not in SETTINGS]:
        raise ValueError(
            f"a recipe has no setting {unknown[0]!r}; it has {', '.join(sorted(SETTINGS))}"
        )
    return recipe.changed(settings, "set for this run")


def _held_out(experiment: Experiment, seed: int, rng: random.Random) -> tuple[NamedPattern, ...]:
    chosen = experiment.held_out
    if isinstance(chosen, int):
        return tuple(rng.sample(experiment.patterns, chosen))
    names = chosen[seed % len(chosen)] if chosen else ()
    return tuple(pattern for pattern in experiment.patterns if pattern.name in names)


def optimizer_of(network: Network, recipe: Recipe, patterns: int) -> Momentum:
    """Return the optimizer of a recipe for training with so many patterns.

    Biases beyond the recipe's bound are brought to the bound.
    """
    parameters, most = network.parameters(), recipe.bias_at_most
    settings = recipe.rate, recipe.momentum, recipe.decay
    if recipe.warmup_sweeps:
        updates = recipe.warmup_sweeps * (1 if recipe.update == "sweep" else patterns)
        warmup = updates, recipe.warmup_rate, recipe.warmup_momentum
        return WarmupMomentum(parameters, *settings, *warmup)
    if most == float("inf"):
        return Momentum(parameters, *settings)
    biases = {n.bias for units in network.layers.values() for n in units.neurons}
    for bias in biases:
        bias.data = min(bias.data, most)
    bounds = [most if parameter in biases else FREE for parameter in parameters]
    return BoundedMomentum(parameters, *settings, bounds)


def trained_pattern(pattern: NamedPattern, recipe: Recipe) -> Pattern:
    """Return inputs and trained targets of a pattern."""
    return pattern.inputs, [recipe.on if t > 0.5 else recipe.off for t in pattern.targets]


def chosen_loss(recipe: Recipe) -> Loss:
    """Return the loss of a recipe, for targets that are trained as its ``off`` and ``on``."""
    if recipe.loss == "half-squared":
        return half_squared_error
    if recipe.loss == "margin":
        return lambda outputs, targets: fsum(_missed(outputs, targets, _half_square))
    return lambda outputs, targets: fsum(_missed(outputs, targets, _cross_entropy))


def _missed(outputs: Any, targets: Any, error: Callable[[Any, Any], Any]) -> list[Any]:
    """Return the errors of outputs that fall short of their targets, seen from 0.5, and 0 else."""
    return [
        where(where(d > 0.5, d - y, y - d) > 0, error(y, d), 0.0)
        for y, d in zip(outputs, targets, strict=True)
    ]


def _half_square(y: Any, d: Any) -> Any:
    return (y - d) ** 2 / 2


def _cross_entropy(y: Any, d: Any) -> Any:
    """Return an error whose slope by the unit's incoming sum is y - d, without y (1 - y)."""
    return -d * log(y) - (1 - d) * log(1 - y)


def beyond_margin(outputs: Sequence[float], targets: Sequence[float]) -> bool:
    """Return whether every output is beyond 0.8 or 0.2 on the side of its target."""
    low, high = MARGIN
    return all(y >= high if d > 0.5 else y <= low for y, d in zip(outputs, targets, strict=True))
