"""Many seeds of every experiment, kept on disk as they end: what is there is not run again."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from microgradient.rumelhart1986.experiment import Experiment, Variant
from microgradient.rumelhart1986.study import Outcome, outcomes

_SECONDS = 20.0  # about how much work is lost when the run is interrupted
_FIRST = 16  # seeds, before it is known how long one takes

Known = dict[str, dict[int, Outcome]]
"""The outcomes of each study by seed."""


class Outcomes:
    """A file of outcomes, to which whole lines are added; a line that was cut off is left out."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "outcomes.jsonl"
        self.known: Known = {}
        if not self._path.exists():
            return
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
                found = [Outcome(**one) for one in entry["outcomes"]]
                self._learn(entry["study"], found)
            except (ValueError, TypeError, KeyError):  # the end of a run that was killed
                continue

    def add(self, study: str, found: Sequence[Outcome]) -> None:
        """Write outcomes to the disk, whole, before this returns."""
        line = json.dumps({"study": study, "outcomes": [asdict(one) for one in found]})
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")  # behind a line that was cut off, if there is one
            file.flush()
            os.fsync(file.fileno())
        self._learn(study, found)

    def _learn(self, study: str, found: Sequence[Outcome]) -> None:
        self.known.setdefault(study, {}).update({one.seed: one for one in found})


def study_of(experiment: Experiment, name: str) -> str:
    """Return the name of a study: that of its variant, and a digest of all that it consists of."""
    variant = experiment.variants[name]
    digest = hashlib.sha256(_content(experiment, variant).encode()).hexdigest()[:12]
    return f"{experiment.name} {name} {digest}"


def _content(experiment: Experiment, variant: Variant) -> str:
    net, recipe = variant.architecture, variant.recipe
    weights = [[str(net.keys(name, j)) for j in range(net.groups[name])] for name in net.targets]
    biases = [[str(net.bias(name, j)) for j in range(net.groups[name])] for name in net.targets]
    settings = {k: v for k, v in vars(recipe).items() if k != "sources"}
    patterns = [(p.name, p.inputs, p.targets) for p in experiment.patterns]
    shape = dict(net.groups), net.steps, net.shown, net.asked, net.start
    return repr((shape, weights, biases, settings, patterns, experiment.held_out))


def reproduce(
    experiments: Sequence[Experiment],
    seeds: int,
    jobs: int,
    results: Outcomes,
    say: Callable[[str], object],
) -> None:
    """Train every variant from those of the seeds 0, 1, … that have no outcome in ``results`` yet.

    Outcomes are added to them some seconds' work at a time. ``say`` is told what was done.
    """
    for experiment in experiments:
        for name in experiment.variants:
            study = study_of(experiment, name)
            known = results.known.get(study, {})
            missing = [seed for seed in range(seeds) if seed not in known]
            count = _FIRST
            while missing:
                part, missing = missing[:count], missing[count:]
                start = time.perf_counter()
                results.add(study, outcomes(experiment, name, part, jobs))
                each = (time.perf_counter() - start) / len(part)
                count = max(1, min(4 * count, int(_SECONDS / max(each, 1e-9))))
                left = f", about {each * len(missing):.0f} s left" if missing else ""
                say(f"{experiment.name} {name}: {seeds - len(missing)} of {seeds} seeds{left}")
