"""Run an experiment once: from a seed to a trained network, and what it has learned."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from microgradient.nn.losses import half_squared_error, margin_error
from microgradient.nn.optimizers import Momentum
from microgradient.nn.training.history import History
from microgradient.nn.training.loop import train
from microgradient.nn.training.objective import Loss, Pattern, count_right
from microgradient.nn.training.plan import within
from microgradient.rumelhart1986.bounded import FREE, BoundedMomentum
from microgradient.rumelhart1986.experiment import (
    SETTINGS,
    Experiment,
    NamedPattern,
    Recipe,
    Variant,
)
from microgradient.rumelhart1986.network import Network


@dataclass(frozen=True)
class Trial:
    """One run of an experiment: the trained network, its history, and what it gets right.

    ``right`` counts the training patterns that meet the criterion, ``beyond_margin`` those with
    every output beyond ``on`` or ``off``; ``test_right`` holds the held-out patterns that meet it.
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
    optimizer = optimizer_of(network, recipe)
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
        schedule=schedule_of(recipe),
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
        beyond_margin=count_right(network, patterns, _beyond_margin),
        test_right=tuple(
            p for p in test if count_right(network, [trained_pattern(p, recipe)], criterion)
        ),
    )


def begun(
    experiment: Experiment, variant: Variant, recipe: Recipe, seed: int
) -> tuple[Network, tuple[NamedPattern, ...], tuple[NamedPattern, ...]]:
    """Return an untrained network, the patterns to train it with, and those held out."""
    rng = random.Random(seed)
    test = _held_out(experiment, rng)
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
    sources = {**recipe.sources, **dict.fromkeys(settings, "set for this run")}
    return replace(recipe, **settings, sources=sources)  # type: ignore[arg-type]


def _held_out(experiment: Experiment, rng: random.Random) -> tuple[NamedPattern, ...]:
    chosen = experiment.held_out
    if isinstance(chosen, int):
        return tuple(rng.sample(experiment.patterns, chosen))
    return tuple(pattern for pattern in experiment.patterns if pattern.name in chosen)


def optimizer_of(network: Network, recipe: Recipe) -> Momentum:
    """Return the optimizer of a recipe; biases beyond its bound are brought to the bound."""
    parameters, most = network.parameters(), recipe.bias_at_most
    settings = recipe.rate, recipe.momentum, recipe.decay
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
    """Return the loss of a recipe."""
    if recipe.loss == "margin":
        return lambda outputs, targets: margin_error(outputs, targets, recipe.off, recipe.on)
    return half_squared_error


def schedule_of(recipe: Recipe) -> dict[int, dict[str, float]]:
    """Return the changes of rate and momentum, by the sweep before which they are made."""
    if not recipe.warmup_sweeps:
        return {}
    return {
        0: {"rate": recipe.warmup_rate, "momentum": recipe.warmup_momentum},
        recipe.warmup_sweeps: {"rate": recipe.rate, "momentum": recipe.momentum},
    }


def _beyond_margin(outputs: Sequence[float], targets: Sequence[float]) -> bool:
    return all(y >= d if d > 0.5 else y <= d for y, d in zip(outputs, targets, strict=True))
