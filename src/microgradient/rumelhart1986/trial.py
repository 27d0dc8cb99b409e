"""Run an experiment once: from a seed to a trained network and what it can do."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from microgradient.engine.value import Value
from microgradient.nn.losses import half_squared_error, margin_error
from microgradient.nn.optimizers import Momentum
from microgradient.nn.training.history import History
from microgradient.nn.training.loop import train
from microgradient.nn.training.objective import count_right
from microgradient.nn.training.plan import within
from microgradient.rumelhart1986.experiment import SETTINGS, Experiment, Pattern, Recipe, Variant
from microgradient.rumelhart1986.network import FeedForward


@dataclass(frozen=True)
class Result:
    """A trained network with its history, and what it has right now.

    ``right`` counts training patterns that meet the criterion, ``beyond_margin`` those with every
    output beyond ``on`` or ``off``; ``test_right`` are the held-out patterns that it has right.
    """

    experiment: Experiment
    variant: Variant
    recipe: Recipe
    seed: int
    network: FeedForward
    history: History
    training: tuple[Pattern, ...]
    test: tuple[Pattern, ...]
    right: int
    beyond_margin: int
    test_right: tuple[Pattern, ...]

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
    on_sweep: Callable[[Any, History], object] | None = None,
    backend: str = "auto",
) -> Result:
    """Train the network of ``experiment`` and return the :class:`Result`.

    ``variant`` is a name out of ``experiment.variants``, the first being the default; ``settings``
    replaces settings of its recipe; ``progress``, ``on_sweep`` and ``backend`` are those of
    ``train``. The same seed and settings give the same result: with ``backend="eager"`` on every
    machine with IEEE floats and the same C library's ``exp``; compiled, within rounding, which long
    training amplifies. Raises ValueError for unknown names and bad values, TrainingDiverged if the
    loss or a weight becomes nan or infinite.
    """
    chosen = _chosen(experiment, variant)
    recipe = _changed(chosen.recipe, settings or {})
    rng = random.Random(seed)
    test = tuple(rng.sample(experiment.patterns, experiment.held_out))
    training = tuple(p for p in experiment.patterns if p not in test)
    network = FeedForward(chosen.architecture, recipe.initial_range, recipe.initial_bias_range, rng)
    criterion = within(recipe.tolerance)
    history = train(
        network,
        [_trained(pattern, recipe) for pattern in training],
        loss=_loss(recipe),
        optimizer=Momentum(network.parameters(), recipe.rate, recipe.momentum, recipe.decay),
        sweeps=recipe.sweeps,
        update=recipe.update,
        criterion=criterion,
        stop_when_met=not recipe.full,
        schedule=_schedule(recipe),
        progress=progress,
        description=experiment.name,
        on_sweep=on_sweep,
        backend=backend,
    )
    lessons = [_trained(pattern, recipe) for pattern in training]
    return Result(
        experiment,
        chosen,
        recipe,
        seed,
        network,
        history,
        training,
        test,
        right=count_right(network, lessons, criterion),
        beyond_margin=count_right(network, lessons, _beyond_margin),
        test_right=tuple(p for p in test if count_right(network, [_trained(p, recipe)], criterion)),
    )


def _beyond_margin(outputs: Sequence[float], targets: Sequence[float]) -> bool:
    return all(y >= d if d > 0.5 else y <= d for y, d in zip(outputs, targets, strict=True))


def _chosen(experiment: Experiment, variant: str | None) -> Variant:
    name = experiment.default if variant is None else variant
    if name not in experiment.variants:
        raise ValueError(
            f"{experiment.name} has no variant {name!r}; there are {', '.join(experiment.variants)}"
        )
    return experiment.variants[name]


def _changed(recipe: Recipe, settings: Mapping[str, object]) -> Recipe:
    if unknown := [name for name in settings if name not in SETTINGS]:
        raise ValueError(
            f"a recipe has no setting {unknown[0]!r}; it has {', '.join(sorted(SETTINGS))}"
        )
    sources = {**recipe.sources, **dict.fromkeys(settings, "set for this run")}
    return replace(recipe, **settings, sources=sources)  # type: ignore[arg-type]


def _trained(pattern: Pattern, recipe: Recipe) -> tuple[tuple[float, ...], list[float]]:
    return pattern.inputs, [recipe.on if t > 0.5 else recipe.off for t in pattern.targets]


def _loss(recipe: Recipe) -> Callable[[Any, Any], Value]:
    if recipe.loss == "margin":
        return lambda outputs, targets: margin_error(outputs, targets, recipe.off, recipe.on)
    return half_squared_error


def _schedule(recipe: Recipe) -> dict[int, dict[str, float]]:
    if not recipe.warmup_sweeps:
        return {}
    return {
        0: {"rate": recipe.warmup_rate, "momentum": recipe.warmup_momentum},
        recipe.warmup_sweeps: {"rate": recipe.rate, "momentum": recipe.momentum},
    }
