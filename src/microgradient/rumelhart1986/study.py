"""Many seeds of one experiment: how each ended."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

from microgradient.nn.training.loop import TrainingDiverged
from microgradient.nn.training.objective import count_right
from microgradient.nn.training.plan import within
from microgradient.nn.training.replicas import train_replicas
from microgradient.rumelhart1986.experiment import Experiment
from microgradient.rumelhart1986.trial import (
    begun,
    chosen_loss,
    optimizer_of,
    run,
    schedule_of,
    trained_pattern,
)


@dataclass(frozen=True)
class Outcome:
    """How one seed ended: whether it learned, after how many sweeps, and what it had right then.

    ``tested`` counts the held-out patterns that it has right.
    """

    seed: int
    learned: bool
    sweeps: int
    right: int
    tested: int


def outcomes(
    experiment: Experiment, variant: str, seeds: Sequence[int], jobs: int
) -> list[Outcome]:
    """Return how training from these seeds ends, each as in ``run``.

    With one set of training patterns for all seeds the networks train side by side in
    ``jobs`` threads, or else one by one in as many processes. Raises KeyboardInterrupt if
    training was interrupted: what has not ended has no outcome.
    """
    if isinstance(experiment.held_out, int) and experiment.held_out:
        one = partial(_alone, experiment, variant)
        if jobs == 1:
            return list(map(one, seeds))
        with ProcessPoolExecutor(jobs) as pool:
            return list(pool.map(one, seeds))
    recipe = experiment.variants[variant].recipe
    starts = [begun(experiment, experiment.variants[variant], recipe, seed) for seed in seeds]
    _, training, test = starts[0]
    criterion = within(recipe.tolerance)
    patterns = [trained_pattern(pattern, recipe) for pattern in training]
    networks = [network for network, _, _ in starts]
    owner = {network.parameters()[0]: network for network in networks}
    ended = train_replicas(
        networks,
        patterns,
        loss=chosen_loss(recipe),
        optimizer=lambda parameters: optimizer_of(owner[parameters[0]], recipe),
        sweeps=recipe.sweeps,
        update=recipe.update,
        criterion=criterion,
        stop_when_met=recipe.stop_when_met,
        schedule=schedule_of(recipe),
        workers=jobs,
    )
    if any(one.stopped == "interrupted" for one in ended):
        raise KeyboardInterrupt
    asked = [trained_pattern(pattern, recipe) for pattern in test]
    return [
        Outcome(
            seed,
            one.right == len(patterns),
            one.sweeps,
            one.right,
            count_right(one.model, asked, criterion) if asked else 0,
        )
        for seed, one in zip(seeds, ended)
    ]


def _alone(experiment: Experiment, variant: str, seed: int) -> Outcome:
    try:
        trial = run(experiment, variant, seed=seed, progress=False)
    except TrainingDiverged as fault:
        return Outcome(seed, False, fault.history.sweeps, 0, 0)
    if trial.history.stopped == "interrupted":
        raise KeyboardInterrupt
    return Outcome(seed, trial.learned, trial.history.sweeps, trial.right, len(trial.test_right))
