"""The networks of Rumelhart, Hinton and Williams (1986), as data."""

from collections.abc import Mapping

from microgradient.rumelhart1986.addition import ADDITION
from microgradient.rumelhart1986.distributed import DISTRIBUTED
from microgradient.rumelhart1986.encoder import ENCODER, OTHER_ENCODERS
from microgradient.rumelhart1986.experiment import Experiment as Experiment
from microgradient.rumelhart1986.experiment import Recipe as Recipe
from microgradient.rumelhart1986.family_trees import FAMILY_TREES
from microgradient.rumelhart1986.negation import NEGATION
from microgradient.rumelhart1986.network import Architecture as Architecture
from microgradient.rumelhart1986.network import Network as Network
from microgradient.rumelhart1986.parity import PARITIES
from microgradient.rumelhart1986.sequences import SEQUENCES, SEQUENCES_ANY_TIME
from microgradient.rumelhart1986.shift_register import SHIFT_REGISTERS
from microgradient.rumelhart1986.symmetry import SYMMETRY
from microgradient.rumelhart1986.tc import TC
from microgradient.rumelhart1986.trial import Trial as Trial
from microgradient.rumelhart1986.trial import run as run
from microgradient.rumelhart1986.xor import XOR

FOUR = (XOR, SYMMETRY, ENCODER, FAMILY_TREES)
"""The networks that everybody knows: what ``microgradient train all`` trains."""

EXPERIMENTS: Mapping[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        *FOUR,
        *OTHER_ENCODERS,
        *PARITIES,
        DISTRIBUTED,
        ADDITION,
        NEGATION,
        TC,
        *SHIFT_REGISTERS,
        SEQUENCES,
        SEQUENCES_ANY_TIME,
    )
}
"""All experiments, by name."""
