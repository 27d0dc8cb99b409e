"""The experiments of Nature 323:533 and of PDP vol. 1, chapter 8, a file each."""

from collections.abc import Mapping

from microgradient.rumelhart1986.experiment import Experiment
from microgradient.rumelhart1986.experiments.addition import ADDITION
from microgradient.rumelhart1986.experiments.distributed import DISTRIBUTED
from microgradient.rumelhart1986.experiments.encoder import ENCODER, OTHER_ENCODERS
from microgradient.rumelhart1986.experiments.family_trees import FAMILY_TREES
from microgradient.rumelhart1986.experiments.negation import NEGATION
from microgradient.rumelhart1986.experiments.parity import PARITIES
from microgradient.rumelhart1986.experiments.sequences import SEQUENCES, SEQUENCES_ANY_TIME
from microgradient.rumelhart1986.experiments.shift_register import SHIFT_REGISTERS
from microgradient.rumelhart1986.experiments.symmetry import SYMMETRY
from microgradient.rumelhart1986.experiments.tc import TC
from microgradient.rumelhart1986.experiments.xor import XOR

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
