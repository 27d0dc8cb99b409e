"""The family trees' network trained by NumPy, JAX and PyTorch, as an expert in each would write it.

python family_trees_peers.py                       # agreement and times of all
python family_trees_peers.py save FILE             # the problem as JSON
python family_trees_peers.py numpy|jax|torch [FILE]  # train once and end: for cold times

All 104 cases, full batch, margin error, momentum, decay and warm-up of the recipe LEARNS. With a
FILE, a cold peer does not import microgradient, and so does not pay for it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

SIZES = ((24, 6), (12, 6), (12, 12), (12, 6), (6, 24))  # in, out: two codes, central, code, output
LOW, HIGH = 0.2, 0.8
WARM_UP, DECAY = 20, 0.0002
WARM, HOT = (0.025, 0.5), (0.05, 0.9)  # rate and momentum, before and after the warm-up
ENDS = tuple(accumulate(((n_in + 1) * n_out for n_in, n_out in SIZES), initial=0))

Trainer = Callable[[], list[float]]


@dataclass(frozen=True)
class Problem:
    """Cases, initial weights (neuron by neuron, the bias last) and the number of sweeps."""

    inputs: list[list[float]]
    targets: list[list[float]]
    weights: list[float]
    sweeps: int


def problem(sweeps: int = 1500, seed: int = 1986) -> Problem:
    """Return the 104 cases and the weights that the package would start from."""
    import random

    from microgradient.rumelhart1986 import Network
    from microgradient.rumelhart1986.experiments.family_trees import ARCHITECTURE, PATTERNS

    network = Network(ARCHITECTURE, 1.0, 1.0, random.Random(seed))
    return Problem(
        [list(pattern.inputs) for pattern in PATTERNS],
        [list(pattern.targets) for pattern in PATTERNS],
        [parameter.data for parameter in network.parameters()],
        sweeps,
    )


def phases(sweeps: int) -> list[tuple[int, float, float]]:
    """Return how many sweeps to do with which rate and momentum."""
    warm = min(sweeps, WARM_UP)
    return [(warm, *WARM), (sweeps - warm, *HOT)]


def matrices(flat: Any) -> list[Any]:
    """Return each layer's part of a flat array as a view, a row per neuron, the biases last."""
    return [
        flat[start:end].reshape(n_out, n_in + 1)
        for (start, end), (n_in, n_out) in zip(pairwise(ENDS), SIZES)
    ]


# --- NumPy --------------------------------------------------------------------------------------


def by_numpy(problem: Problem) -> Trainer:
    """Return a training by hand-written back-propagation that allocates nothing in its loop."""

    def train() -> list[float]:
        network = _NumpyNetwork(problem)
        for sweeps, rate, momentum in phases(problem.sweeps):
            network.train(sweeps, rate, momentum)
        trained: list[float] = (-network.weights).tolist()
        return trained

    return train


class _NumpyNetwork:
    """Units by cases, in one buffer; below each layer's units a row of ones for the next's biases.

    The weights are kept negated, so that a product is already the argument of ``exp``; the
    gradients get the right signs without further work.
    """

    def __init__(self, problem: Problem) -> None:
        import numpy as np

        inputs, targets = np.array(problem.inputs).T, np.array(problem.targets).T
        cases = inputs.shape[1]
        self.weights = -np.array(problem.weights)
        self.gradient, self.change = np.zeros_like(self.weights), np.zeros_like(self.weights)
        self.units = units = np.ones((57, cases))
        self.slopes = slopes = np.empty((57, cases))
        self.outputs = units[33:57]
        self.below = np.where(targets > 0.5, HIGH, -np.inf)  # an output is pulled up to this
        self.above = np.where(targets > 0.5, np.inf, LOW)  # and down to this
        self.errors, self.slope_of_outputs = np.empty_like(targets), slopes[33:57]

        ones = np.ones((1, cases))
        people, relations = np.vstack([inputs[:24], ones]), np.vstack([inputs[24:], ones])
        w, g = matrices(self.weights), matrices(self.gradient)
        codes, central, answers = slice(0, 12), slice(13, 25), slice(26, 32)
        self.first = [(w[0], people, units[0:6]), (w[1], relations, units[6:12])]
        self.codes = units[codes]
        self.later = [
            (w[2], units[0:13], units[central]),
            (w[3], units[13:26], units[answers]),
            (w[4], units[26:33], self.outputs),
        ]
        self.backward = [  # deltas, what the layer read, its gradient; then its readers' deltas
            (slopes[33:57], units[26:33].T, g[4], w[4][:, :-1].T, np.empty((6, cases)), answers),
            (slopes[answers], units[13:26].T, g[3], w[3][:, :-1].T, np.empty((12, cases)), central),
            (slopes[central], units[0:13].T, g[2], w[2][:, :-1].T, np.empty((12, cases)), codes),
        ]
        self.last = [(slopes[0:6], people.T, g[0]), (slopes[6:12], relations.T, g[1])]

    def train(self, sweeps: int, rate: float, momentum: float) -> None:
        """Do ``sweeps`` sweeps."""
        import numpy as np

        weights, gradient, change = self.weights, self.gradient, self.change
        speed, inertia, keep = np.array(rate), np.array(momentum), np.array(1 - DECAY)
        for _ in range(sweeps):
            self.respond(np)
            self.propagate_back(np)
            np.multiply(change, inertia, out=change)
            np.multiply(gradient, speed, out=gradient)
            np.subtract(change, gradient, out=change)
            np.add(weights, change, out=weights)
            np.multiply(weights, keep, out=weights)

    def respond(self, np: Any) -> None:
        """Set all units from the inputs and the weights."""
        dot, exp, add, reciprocal, one = np.dot, np.exp, np.add, np.reciprocal, np.array(1.0)
        for w, read, write in self.first:
            dot(w, read, out=write)
        codes = self.codes
        reciprocal(add(exp(codes, out=codes), one, out=codes), out=codes)
        for w, read, write in self.later:
            dot(w, read, out=write)
            reciprocal(add(exp(write, out=write), one, out=write), out=write)

    def propagate_back(self, np: Any) -> None:
        """Set the gradient from the units."""
        dot, multiply, units, slopes = np.dot, np.multiply, self.units, self.slopes
        np.subtract(multiply(units, units, out=slopes), units, out=slopes)  # of logistic(-z)
        np.maximum(self.outputs, self.below, out=self.errors)
        np.minimum(self.errors, self.above, out=self.errors)
        np.subtract(self.outputs, self.errors, out=self.errors)
        multiply(self.slope_of_outputs, self.errors, out=self.slope_of_outputs)
        for deltas, read, gradient, w, errors, below in self.backward:
            dot(deltas, read, out=gradient)
            dot(w, deltas, out=errors)
            multiply(slopes[below], errors, out=slopes[below])
        for deltas, read, gradient in self.last:
            dot(deltas, read, out=gradient)


# --- JAX ----------------------------------------------------------------------------------------


def by_jax(problem: Problem) -> Trainer:
    """Return a training that is one compiled program: a loop over the sweeps within ``jit``."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    jax.config.update("jax_enable_x64", True)
    gradient = jax.grad(_jax_error(problem))

    def train(weights: Any) -> Any:
        state = weights, jax.tree.map(jnp.zeros_like, weights)
        for sweeps, rate, momentum in phases(problem.sweeps):

            def sweep(
                _: Any, state: Any, rate: float = rate, momentum: float = momentum
            ) -> tuple[Any, Any]:
                w, change = state
                g = gradient(w)
                change = jax.tree.map(lambda c, g: momentum * c - rate * g, change, g)
                return jax.tree.map(lambda w, c: (w + c) * (1 - DECAY), w, change), change

            state = jax.lax.fori_loop(0, sweeps, sweep, state)
        return state[0]

    start = [(jnp.array(m[:, :-1]), jnp.array(m[:, -1:])) for m in matrices(_array(problem))]
    compiled = jax.jit(train).lower(start).compile()

    def call() -> list[float]:
        layers = jax.block_until_ready(compiled(start))
        trained: list[float] = np.concatenate([np.hstack(m).ravel() for m in layers]).tolist()
        return trained

    return call


def _array(problem: Problem) -> Any:
    import numpy as np

    return np.array(problem.weights)


def _jax_error(problem: Problem) -> Callable[[Any], Any]:
    """Return the margin error of all cases (units by cases) as a function of the layers."""
    import jax
    import jax.numpy as jnp

    inputs, targets = jnp.array(problem.inputs).T, jnp.array(problem.targets).T
    people, relations = inputs[:24], inputs[24:]
    below = jnp.where(targets > 0.5, HIGH, -jnp.inf)
    above = jnp.where(targets > 0.5, jnp.inf, LOW)

    def layer(parameters: Any, read: Any) -> Any:
        weights, biases = parameters
        return jax.nn.sigmoid(weights @ read + biases)

    def error(layers: Any) -> Any:
        person, relation, *later = layers
        units = jnp.concatenate([layer(person, people), layer(relation, relations)])
        for parameters in later:
            units = layer(parameters, units)
        missed = units - jnp.clip(units, below, above)
        return 0.5 * (missed * missed).sum()

    return error


# --- PyTorch ------------------------------------------------------------------------------------


def by_torch(problem: Problem, threads: int = 1) -> Trainer:
    """Return an eager training: autograd into views of one gradient, updates of one vector."""
    import torch

    torch.set_num_threads(threads)
    error = _torch_error(problem)
    half = torch.tensor(0.5, dtype=torch.float64)

    def train() -> list[float]:
        weights = _torch_flat(problem)
        gradient, change = torch.zeros_like(weights), torch.zeros_like(weights)
        parameters = [view.requires_grad_() for view in _torch_views(weights)]
        for parameter, view in zip(parameters, _torch_views(gradient)):
            parameter.grad = view
        for sweeps, rate, momentum in phases(problem.sweeps):
            for _ in range(sweeps):
                gradient.zero_()
                error(parameters).backward(half)
                with torch.no_grad():
                    change.mul_(momentum).sub_(gradient, alpha=rate)
                    weights.add_(change).mul_(1 - DECAY)
        return _torch_trained(parameters)

    return train


def _torch_error(problem: Problem) -> Callable[[Any], Any]:
    """Return twice the margin error of all cases as a function of weights and biases in turn."""
    import torch
    from torch.nn.functional import linear, mse_loss

    inputs = torch.tensor(problem.inputs, dtype=torch.float64)
    people, relations = inputs[:, :24].contiguous(), inputs[:, 24:].contiguous()
    on = torch.tensor(problem.targets, dtype=torch.float64) > 0.5
    below = torch.full(on.shape, HIGH, dtype=torch.float64).masked_fill_(~on, -torch.inf)
    above = torch.full(on.shape, LOW, dtype=torch.float64).masked_fill_(on, torch.inf)

    def error(parameters: Any) -> Any:
        w0, b0, w1, b1, *later = parameters
        units = torch.cat((linear(people, w0, b0), linear(relations, w1, b1)), 1).sigmoid_()
        for w, b in zip(later[::2], later[1::2]):
            units = linear(units, w, b).sigmoid_()
        nearest = torch.clamp(units.detach(), below, above)  # the nearest outputs without an error
        return mse_loss(units, nearest, reduction="sum")

    return error


def _torch_flat(problem: Problem) -> Any:
    """Return all weights of a layer, then its biases, layer by layer."""
    import torch

    layers = matrices(torch.tensor(problem.weights, dtype=torch.float64))
    return torch.cat([part.reshape(-1) for m in layers for part in (m[:, :-1], m[:, -1])])


def _torch_views(flat: Any) -> list[Any]:
    """Return the weights and the biases of each layer as views of ``flat``."""
    parts = [shape for n_in, n_out in SIZES for shape in ((n_out, n_in), (n_out,))]
    sizes = [n for n_in, n_out in SIZES for n in (n_out * n_in, n_out)]
    return [part.view(shape) for part, shape in zip(flat.split(sizes), parts)]


def _torch_trained(parameters: list[Any]) -> list[float]:
    import torch

    with torch.no_grad():
        layers = [
            torch.cat((w, b[:, None]), 1).flatten().tolist()
            for w, b in zip(parameters[::2], parameters[1::2])
        ]
    return [weight for layer in layers for weight in layer]


# --- agreement and times ------------------------------------------------------------------------

PEERS: dict[str, Callable[[Problem], Trainer]] = {
    "numpy": by_numpy,
    "jax": by_jax,
    "torch": by_torch,
}


def by_package(problem: Problem) -> Trainer:
    """Return the same training by the package itself, node by node."""
    import random

    from microgradient import nn
    from microgradient.rumelhart1986 import Network
    from microgradient.rumelhart1986.experiments.family_trees import ARCHITECTURE

    def train() -> list[float]:
        network = Network(ARCHITECTURE, 1.0, 1.0, random.Random(0))
        parameters = network.parameters()
        for parameter, weight in zip(parameters, problem.weights, strict=True):
            parameter.data = weight
        nn.train(
            network,
            list(zip(problem.inputs, problem.targets)),
            loss=lambda outputs, targets: nn.margin_error(outputs, targets, LOW, HIGH),
            optimizer=nn.Momentum(parameters, *WARM, DECAY),
            sweeps=problem.sweeps,
            schedule={WARM_UP: dict(zip(("rate", "momentum"), HOT))},
            progress=False,
        )
        return [parameter.data for parameter in parameters]

    return train


def difference(xs: list[float], ys: list[float]) -> float:
    """Return the largest difference of two lists."""
    return max(abs(x - y) for x, y in zip(xs, ys, strict=True))


def main() -> None:
    """Print how far the peers are apart, and their times."""
    from contest import medians, show

    short, full = problem(30), problem()
    expected = by_package(short)()
    for name, peer in PEERS.items():
        print(f"{name}: {difference(peer(short)(), expected):.1e} from the package, 30 sweeps")
    trainers = {name: peer(full) for name, peer in PEERS.items()}
    trained = {name: trainer() for name, trainer in trainers.items()}
    for name, weights in trained.items():
        apart = difference(weights, trained["numpy"])
        print(f"{name}: {apart:.1e} from numpy, {full.sweeps} sweeps")
    show(f"{full.sweeps} sweeps", medians(trainers, rounds=5), "numpy")


def cold(name: str, file: str | None) -> None:
    """Train once by one peer."""
    given = problem() if file is None else Problem(**json.loads(Path(file).read_text("utf-8")))
    trainer = by_package if name == "microgradient" else PEERS[name]
    print(f"{name}: {sum(trainer(given)()):.9f}")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    elif sys.argv[1] == "save":
        Path(sys.argv[2]).write_text(json.dumps(asdict(problem())), "utf-8")
    else:
        cold(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
