"""The path of a network's weights through training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from microgradient.nn.training.history import History, Onlooker
from microgradient.rumelhart1986.experiment import Experiment
from microgradient.rumelhart1986.network import Network
from microgradient.rumelhart1986.trial import Trial, begun, optimizer_of, run

Weights = tuple[float, ...]


@dataclass(frozen=True)
class Path:
    """Weights, as ``parameters()`` gives them, after some ``sweeps``, from 0 to the last."""

    trial: Trial
    sweeps: tuple[int, ...]
    weights: tuple[Weights, ...]


def path_of(
    experiment: Experiment,
    variant: str | None = None,
    *,
    seed: int = 1986,
    settings: Mapping[str, object] | None = None,
    every: int = 1,
) -> Path:
    """Train as ``run`` does, and return the weights before it, every so many sweeps, and after it.

    Raises ValueError for ``every`` below 1, and what ``run`` raises.
    """
    if every < 1:
        raise ValueError(f"every must be at least 1, got {every}")
    sweeps, weights = list[int](), list[Weights]()

    def look(network: Network, history: History) -> None:
        if history.sweeps % every == 0:
            sweeps.append(history.sweeps)
            weights.append(_weights(network))

    trial = run(experiment, variant, seed=seed, settings=settings, on_sweep=Onlooker(look))
    first, training, _ = begun(experiment, trial.variant, trial.recipe, seed)
    optimizer_of(first, trial.recipe, len(training))  # which brings biases to their bound
    if not sweeps or sweeps[-1] != trial.history.sweeps:
        sweeps.append(trial.history.sweeps)
        weights.append(_weights(trial.network))
    return Path(trial, (0, *sweeps), (_weights(first), *weights))


def _weights(network: Network) -> Weights:
    return tuple(parameter.data for parameter in network.parameters())
