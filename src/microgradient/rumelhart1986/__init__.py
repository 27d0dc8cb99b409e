"""The networks of Rumelhart, Hinton and Williams (1986), as data, trained and taken apart."""

from microgradient.rumelhart1986.experiment import Experiment as Experiment
from microgradient.rumelhart1986.experiment import Recipe as Recipe
from microgradient.rumelhart1986.experiments import EXPERIMENTS as EXPERIMENTS
from microgradient.rumelhart1986.experiments import FOUR as FOUR
from microgradient.rumelhart1986.network import Architecture as Architecture
from microgradient.rumelhart1986.network import Network as Network
from microgradient.rumelhart1986.trial import Trial as Trial
from microgradient.rumelhart1986.trial import run as run
