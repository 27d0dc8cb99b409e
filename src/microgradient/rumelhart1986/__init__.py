"""The networks of Rumelhart, Hinton and Williams (1986), as data."""

from collections.abc import Mapping

from microgradient.rumelhart1986.encoder import ENCODER
from microgradient.rumelhart1986.experiment import Experiment as Experiment
from microgradient.rumelhart1986.experiment import Recipe as Recipe
from microgradient.rumelhart1986.family_trees import FAMILY_TREES
from microgradient.rumelhart1986.network import Architecture as Architecture
from microgradient.rumelhart1986.network import FeedForward as FeedForward
from microgradient.rumelhart1986.symmetry import SYMMETRY
from microgradient.rumelhart1986.trial import Trial as Trial
from microgradient.rumelhart1986.trial import run as run
from microgradient.rumelhart1986.xor import XOR

EXPERIMENTS: Mapping[str, Experiment] = {
    experiment.name: experiment for experiment in (XOR, SYMMETRY, ENCODER, FAMILY_TREES)
}
