"""The command ``microgradient``."""

from microgradient.cli.command import main as main
