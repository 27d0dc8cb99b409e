"""Deep networks: what becomes of a gradient on its way down, and what learns all the same."""

from microgradient.rumelhart1986.deep.gradients import ShrinkFactor as ShrinkFactor
from microgradient.rumelhart1986.deep.gradients import shrink_factors as shrink_factors
from microgradient.rumelhart1986.deep.network import DeepNetwork as DeepNetwork
from microgradient.rumelhart1986.deep.network import Kind as Kind
from microgradient.rumelhart1986.deep.network import deep_network as deep_network
from microgradient.rumelhart1986.deep.rates import best_rate as best_rate
from microgradient.rumelhart1986.deep.studies import BY_DEPTH as BY_DEPTH
from microgradient.rumelhart1986.deep.studies import DEEP_STUDIES as DEEP_STUDIES
from microgradient.rumelhart1986.deep.studies import HARD_THRESHOLD as HARD_THRESHOLD
from microgradient.rumelhart1986.deep.studies import OTHER_PATHS as OTHER_PATHS
from microgradient.rumelhart1986.deep.studies import REWRITE as REWRITE
from microgradient.rumelhart1986.deep.study import DeepStudy as DeepStudy
from microgradient.rumelhart1986.deep.threshold import HardThreshold as HardThreshold
