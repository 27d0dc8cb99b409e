"""Networks on top of the engine: modules, losses, optimizers, training, checkpoints."""

from microgradient.nn.checkpoint import load as load
from microgradient.nn.checkpoint import save as save
from microgradient.nn.initializers import glorot as glorot
from microgradient.nn.initializers import he as he
from microgradient.nn.initializers import normal as normal
from microgradient.nn.initializers import uniform as uniform
from microgradient.nn.initializers import zeros as zeros
from microgradient.nn.losses import cross_entropy as cross_entropy
from microgradient.nn.losses import half_squared_error as half_squared_error
from microgradient.nn.losses import hinge as hinge
from microgradient.nn.losses import margin_error as margin_error
from microgradient.nn.module import MLP as MLP
from microgradient.nn.module import Layer as Layer
from microgradient.nn.module import Module as Module
from microgradient.nn.module import Neuron as Neuron
from microgradient.nn.optimizers import Adam as Adam
from microgradient.nn.optimizers import AdamW as AdamW
from microgradient.nn.optimizers import GradientDescent as GradientDescent
from microgradient.nn.optimizers import Momentum as Momentum
from microgradient.nn.optimizers import Optimizer as Optimizer
from microgradient.nn.training.history import History as History
from microgradient.nn.training.loop import TrainingDiverged as TrainingDiverged
from microgradient.nn.training.loop import train as train
from microgradient.nn.training.loop import within as within
from microgradient.nn.training.replicas import Replica as Replica
from microgradient.nn.training.replicas import train_replicas as train_replicas
