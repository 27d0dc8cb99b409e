"""XOR 2-2-1 from a thousand initial weights by NumPy and JAX, as an expert in each would write it.

The weights change after every presentation, with momentum. A replica stops after the first sweep
in which all four outputs were within the tolerance as presented and still are afterwards.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from microgradient.rumelhart1986 import Network
from microgradient.rumelhart1986.experiments.xor import TWO_HIDDEN

RATE, MOMENTUM, TOLERANCE = 0.25, 0.9, 0.1
CASES = ((0, 0, 0.1), (0, 1, 0.9), (1, 0, 0.9), (1, 1, 0.1))  # two inputs and a target
CHUNK, SMALLEST = 250, 32  # sweeps between checks of which have stopped; fewest to train at once

Weights = Sequence[Sequence[float]]
Trained = tuple[list[list[float]], list[int]]
Trainer = Callable[[], Trained]


def initial(replicas: int = 1000) -> list[list[float]]:
    """Return the weights that seeds 0, 1, 2, … start from, as the package draws them."""
    return [
        [
            parameter.data
            for parameter in Network(
                TWO_HIDDEN.architecture, 1.0, 1.0, random.Random(seed)
            ).parameters()
        ]
        for seed in range(replicas)
    ]


# --- NumPy --------------------------------------------------------------------------------------

# Rows: the biases of both hidden units, their weights from input b, from input a (so that what a
# presentation moves is next to each other), the two weights of the output, its bias.
_ROWS = [2, 5, 1, 4, 0, 3, 6, 7, 8]


def by_numpy(weights: Weights, sweeps: int = 30_000) -> Trainer:
    """Return a training of all replicas side by side; those that have stopped are taken out."""
    import numpy as np

    start = np.array(weights).T[_ROWS]

    def train() -> Trained:
        done, used = start.copy(), np.full(start.shape[1], sweeps)
        where, state = np.arange(start.shape[1]), _NumpyReplicas(start.copy())
        for sweep in range(1, sweeps + 1):
            met = state.sweep()
            if met is None:
                continue
            done[:, where[met]], used[where[met]] = state.weights[:, met], sweep
            where = where[~met]
            if not len(where):
                break
            state = _NumpyReplicas(state.weights[:, ~met], state.changes[:, ~met])
        done[:, where] = state.weights
        result = np.empty_like(done)
        result[_ROWS] = done
        return result.T.tolist(), used.tolist()

    return train


class _NumpyReplicas:
    """Weights and changes, a column for each replica that still learns, and buffers to match."""

    def __init__(self, weights: Any, changes: Any = None) -> None:
        import numpy as np

        n = weights.shape[1]
        self.weights, self.step = weights, np.empty((9, n))
        self.changes = np.zeros((9, n)) if changes is None else changes
        self.hidden, self.slopes, self.errors = np.empty((2, n)), np.empty((2, n)), np.empty((4, n))
        self.y, self.d, self.scaled = np.empty(n), np.empty(n), np.empty((3, n))
        self.minus_hidden = np.empty((2, n))

    def sweep(self) -> Any:
        """Present the four cases; return which replicas stop, or None if none does."""
        import numpy as np

        for case, error in zip(CASES, self.errors):
            self.present(np, case, error)
        near = (np.abs(self.errors) < TOLERANCE).all(0)
        if not near.any():
            return None
        for a, b, target in CASES:
            self.respond(np, a, b)
            near &= np.abs(self.y - target) < TOLERANCE
        return near if near.any() else None

    def respond(self, np: Any, a: int, b: int) -> None:
        """Set the units; inputs are 0 or 1, so that nothing is multiplied by them."""
        weights, hidden, y = self.weights, self.hidden, self.y
        if a:
            np.add(weights[0:2], weights[4:6], out=hidden)
        if b:
            np.add(hidden if a else weights[0:2], weights[2:4], out=hidden)
        np.negative(hidden if a or b else weights[0:2], out=hidden)
        np.exp(hidden, out=hidden)
        np.add(hidden, 1.0, out=hidden)
        np.reciprocal(hidden, out=hidden)
        np.multiply(weights[6:8], hidden, out=self.slopes)
        np.add(self.slopes[0], self.slopes[1], out=y)
        np.add(y, weights[8], out=y)
        np.negative(y, out=y)
        np.exp(y, out=y)
        np.add(y, 1.0, out=y)
        np.reciprocal(y, out=y)

    def present(self, np: Any, case: tuple[int, int, float], error: Any) -> None:
        """Respond to a case, propagate its error back and change the weights."""
        a, b, target = case
        self.respond(np, a, b)
        hidden, y, d, slopes = self.hidden, self.y, self.d, self.slopes
        changes, weights = self.changes, self.weights
        np.subtract(y, target, out=error)
        np.subtract(1.0, y, out=d)
        np.multiply(d, y, out=d)
        np.multiply(d, error, out=d)
        np.multiply(d, RATE, out=d)  # the output's delta, with the rate for all that follows
        np.subtract(1.0, hidden, out=slopes)
        np.multiply(slopes, hidden, out=slopes)
        np.multiply(slopes, weights[6:8], out=slopes)
        np.multiply(slopes, d, out=slopes)
        np.multiply(hidden, d, out=hidden)
        np.multiply(changes, MOMENTUM, out=changes)
        np.subtract(changes[6:8], hidden, out=changes[6:8])
        np.subtract(changes[8], d, out=changes[8])
        for rows, given in ((slice(0, 2), 1), (slice(2, 4), b), (slice(4, 6), a)):
            if given:
                np.subtract(changes[rows], slopes, out=changes[rows])
        np.add(weights, changes, out=weights)


# --- JAX ----------------------------------------------------------------------------------------


def _output(w: Any, a: int, b: int) -> Any:
    """Return the output for one case from the nine weights in the package's order."""
    from jax.nn import sigmoid

    h = sigmoid(w[0] * a + w[1] * b + w[2])
    k = sigmoid(w[3] * a + w[4] * b + w[5])
    return sigmoid(w[6] * h + w[7] * k + w[8])


def _error(w: Any, a: int, b: int, target: float) -> tuple[Any, Any]:
    y = _output(w, a, b)
    return 0.5 * (y - target) ** 2, y


def _near(y: Any, target: float) -> Any:
    import jax.numpy as jnp

    return jnp.abs(y - target) < TOLERANCE


def _sweep(w: Any, change: Any) -> tuple[Any, Any, Any]:
    """Present four cases to one replica; return its weights, changes and whether it stops."""
    import jax

    gradient = jax.grad(_error, has_aux=True)
    met: Any = True
    for a, b, target in CASES:
        g, y = gradient(w, a, b, target)
        change = tuple(MOMENTUM * c - RATE * d for c, d in zip(change, g))
        w = tuple(x + c for x, c in zip(w, change))
        met = met & _near(y, target)
    for a, b, target in CASES:
        met = met & _near(_output(w, a, b), target)
    return w, change, met


def _guarded(state: Any) -> Any:
    """Do one sweep unless the replica has stopped."""
    import jax.numpy as jnp

    w, change, met, used = state
    after, changed, stops = _sweep(w, change)
    w = tuple(jnp.where(met, x, y) for x, y in zip(w, after))
    return w, changed, met | stops, jnp.where(met, used, used + 1)


def _start(weights: Weights) -> Any:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    columns = tuple(jnp.array(column) for column in zip(*weights))
    zeros = tuple(jnp.zeros_like(column) for column in columns)
    return columns, zeros, jnp.zeros(len(weights), bool), jnp.zeros(len(weights), int)


def _compiled(loop: Callable[[Any], Any], weights: Weights) -> Trainer:
    """Return the training of all replicas by ``loop``, compiled."""
    import jax
    import numpy as np

    start = _start(weights)
    program = jax.jit(loop).lower(start).compile()

    def train() -> Trained:
        w, _, _, used = jax.block_until_ready(program(start))
        return np.stack(w, 1).tolist(), np.asarray(used).tolist()

    return train


def by_jax_fori(weights: Weights, sweeps: int = 30_000) -> Trainer:
    """Return a training in which every replica goes through all sweeps, changed or not."""
    import jax

    def one(state: Any) -> Any:
        return jax.lax.fori_loop(0, sweeps, lambda _, state: _guarded(state), state)

    return _compiled(jax.vmap(one), weights)


def by_jax_while(weights: Weights, sweeps: int = 30_000) -> Trainer:
    """Return a training that ends when all replicas have stopped."""
    return _compiled(_until_all_stop(sweeps), weights)


def by_jax_vmapped_while(weights: Weights, sweeps: int = 30_000) -> Trainer:
    """Return one replica's ``while_loop`` mapped over all: JAX turns it into the loop above."""
    import jax

    def body(state: Any) -> Any:
        w, change, _, used = state
        return *_sweep(w, change), used + 1

    def one(state: Any) -> Any:
        return jax.lax.while_loop(lambda s: ~s[2] & (s[3] < sweeps), body, state)

    return _compiled(jax.vmap(one), weights)


def _until_all_stop(sweeps: int) -> Callable[[Any], Any]:
    """Return a loop of at most ``sweeps`` mapped sweeps."""
    import jax

    each = jax.vmap(_guarded)

    def loop(state: Any) -> Any:
        return jax.lax.while_loop(
            lambda s: (~s[0][2]).any() & (s[1] < sweeps),
            lambda s: (each(s[0]), s[1] + 1),
            (state, 0),
        )[0]

    return loop


def by_jax(weights: Weights, sweeps: int = 30_000) -> Trainer:
    """Return the fastest: the loop in chunks, after each of which stopped replicas are taken out.

    Programs have fixed sizes: there is one for each power of two, compiled beforehand.
    """
    import jax
    import numpy as np

    start = jax.tree.map(np.asarray, _start(weights))
    programs = _programs(len(weights), sweeps)

    def train() -> Trained:
        w, change, met, used = jax.tree.map(np.array, start)
        columns, left = [*w, *change, met, used], np.arange(len(weights))
        for first in range(0, sweeps, CHUNK):
            program = programs[_size(len(left)), min(CHUNK, sweeps - first)]
            padded = np.resize(left, _size(len(left)))
            state = program(jax.tree.map(lambda x, rows=padded: x[rows], (w, change, met, used)))
            for column, part in zip(columns, jax.tree.leaves(state)):
                column[left] = np.asarray(part)[: len(left)]
            left = left[~met[left]]
            if not len(left):
                break
        return np.stack(w, 1).tolist(), used.tolist()

    return train


def _size(replicas: int) -> int:
    """Return the least power of two, from ``SMALLEST`` on, that holds so many replicas."""
    return max(SMALLEST, 1 << (replicas - 1).bit_length())


def _programs(replicas: int, sweeps: int) -> dict[tuple[int, int], Any]:
    """Return the compiled loop for each size, and for a last chunk that is shorter."""
    import jax

    sizes = [SMALLEST << i for i in range((_size(replicas) // SMALLEST).bit_length())]
    lengths = {min(CHUNK, sweeps), sweeps % CHUNK or CHUNK}
    return {
        (size, length): jax.jit(_until_all_stop(length)).lower(_start([[0.0] * 9] * size)).compile()
        for size in sizes
        for length in lengths
    }


def by_package(weights: Weights, sweeps: int = 30_000) -> Trainer:
    """Return the same training by the package itself, node by node, one after the other."""
    from microgradient import nn

    cases = [((float(a), float(b)), [target]) for a, b, target in CASES]

    def train() -> Trained:
        trained, used = [], []
        for row in weights:
            network = Network(TWO_HIDDEN.architecture, 1.0, 1.0, random.Random(0))
            parameters = network.parameters()
            for parameter, weight in zip(parameters, row, strict=True):
                parameter.data = weight
            history = nn.train(
                network,
                cases,
                loss=nn.half_squared_error,
                optimizer=nn.Momentum(parameters, RATE, MOMENTUM),
                sweeps=sweeps,
                update="presentation",
                criterion=nn.within(TOLERANCE),
                progress=False,
            )
            trained.append([parameter.data for parameter in parameters])
            used.append(history.sweeps)
        return trained, used

    return train


def check(trained: Trained, expected: Trained, name: str) -> None:
    """Raise unless every replica stopped after as many sweeps with the same weights."""
    if trained[1] != expected[1]:
        raise AssertionError(f"{name}: the replicas stop after other numbers of sweeps")
    pairs = [(x, y) for xs, ys in zip(trained[0], expected[0]) for x, y in zip(xs, ys)]
    apart = max(abs(x - y) for x, y in pairs)
    print(f"{name}: the same sweeps, weights within {apart:.1e}")
    if apart > 1e-6:
        raise AssertionError(f"{name}: other weights")


def main() -> None:
    """Print how far the peers are apart, and their times."""
    from contest import medians, show

    few = initial(20)
    check(by_numpy(few, 500)(), by_package(few, 500)(), "numpy and the package, 20 for 500 sweeps")
    weights = initial()
    peers = {
        "numpy": by_numpy,
        "jax, fori_loop": by_jax_fori,
        "jax, while_loop": by_jax_while,
        "jax, vmapped while_loop": by_jax_vmapped_while,
        "jax, while_loop in chunks": by_jax,
    }
    trainers = {name: peer(weights) for name, peer in peers.items()}
    expected = trainers["numpy"]()
    print(f"{sum(expected[1])} sweeps in all, {expected[1].count(30_000)} replicas never stop")
    for name, trainer in trainers.items():
        check(trainer(), expected, name)
    show("1,000 replicas, at most 30,000 sweeps", medians(trainers, rounds=3), "numpy")


if __name__ == "__main__":
    main()
