"""``microgradient describe``: architectures and recipes with their sources."""

from __future__ import annotations

import argparse

from microgradient.cli.output import print_table
from microgradient.rumelhart1986 import EXPERIMENTS, trial_tables
from microgradient.streams import Stream


def describe(options: argparse.Namespace, out: Stream) -> int:
    chosen = EXPERIMENTS.values() if options.name == "all" else [EXPERIMENTS[options.name]]
    for experiment in chosen:
        for name, variant in experiment.variants.items():
            print_table(trial_tables.recipe_table(experiment, name, variant), out)
    return 0
