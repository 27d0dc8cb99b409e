"""How fast training is, beside NumPy, JAX and PyTorch: python benchmarks/training.py [SECTION ...]

Sections: nets, shuffle, family, cold (on one core), replicas, cores, restarts (on two). A process
each, alternating rounds, medians; each target is printed with what was seen. Peers that are not
installed are left out. The nets have tanh units and the cross-entropy of ten classes; the patterns
are random, as many as the digits that come with scikit-learn: what they show does not matter.
"""

from __future__ import annotations

import os
import platform
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before the imports that read them: one core
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import numpy as np

import compiled
from contest import medians, show
from microgradient import nn
from microgradient.compiler.llvm.jit import vector_width
from microgradient.compiler.llvm.training_kernel import NetworkTrainer, Replicas, width_of
from microgradient.nn.training.objective import Objective
from microgradient.nn.training.programs import training_programs

RATE, CLASSES = 0.01, 10
Trainer = Callable[[], Any]


def judge(what: str, seen: float, wanted: float, *, most: bool = False) -> None:
    met = seen <= wanted if most else seen >= wanted
    sign = "at most" if most else "at least"
    print(f"  {what:<56} {seen:8.2f}   {sign} {wanted:g}: {'met' if met else 'MISSED'}")


@dataclass(frozen=True)
class Task:
    """A net of ``sizes`` and random patterns; the weights change after each ``batch`` patterns."""

    sizes: tuple[int, ...]
    batch: int
    patterns: int = 1797
    sweeps: int = 1

    @property
    def name(self) -> str:
        update = {1: "presentation", self.patterns: "sweep"}.get(self.batch, f"batch {self.batch}")
        return f"{'-'.join(map(str, self.sizes))}, {update}"

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(0)
        classes = rng.integers(0, CLASSES, self.patterns)
        return rng.normal(size=(self.patterns, self.sizes[0])), np.eye(CLASSES)[classes]

    def layers(self) -> list[np.ndarray]:
        """Return the weights of each layer, a row for each neuron, the bias last."""
        rng = np.random.default_rng(1)
        return [
            rng.uniform(-1, 1, (n_out, n_in + 1)) / n_in**0.5
            for n_in, n_out in pairwise(self.sizes)
        ]

    @property
    def rate(self) -> float:
        return RATE / self.batch

    @property
    def multiply_adds(self) -> int:
        """Return how many a run needs: forwards, for the weights' gradients, and backwards."""
        products = [n_in * n_out for n_in, n_out in pairwise(self.sizes)]
        return (3 * sum(products) - products[0]) * self.patterns * self.sweeps


# --- ours and the peers: each returns a run from the same weights, and its last weights -----------


def by_microgradient(task: Task, *, shuffled: bool = False, threads: int = 0) -> Trainer:
    model = nn.MLP(task.sizes[0], list(task.sizes[1:]), "tanh", rng=0)
    inputs, targets = task.data()
    optimizer = nn.GradientDescent(model.parameters(), task.rate)
    objective = Objective(model, nn.cross_entropy, None)
    programs = training_programs(objective, optimizer, list(zip(inputs.tolist(), targets.tolist())))
    parts = programs.gradient, programs.update, task.batch, task.patterns
    kernel = NetworkTrainer(*parts, shuffled=shuffled)
    kernel.present(programs.patterns)
    kernel.threads = threads or kernel.threads
    start = np.concatenate([layer.ravel() for layer in task.layers()]).tolist()
    rng = random.Random(0) if shuffled else None

    def train() -> Any:
        kernel.set_column(0, start)
        kernel.train(task.sweeps, [(task.rate,)], False, rng)
        return kernel.column(0)

    return train


def by_numpy(task: Task) -> Trainer:
    """Return back-propagation by hand, in place where that is faster."""
    inputs, targets = task.data()

    def train() -> Any:
        weights = [layer[:, :-1].copy() for layer in task.layers()]
        biases = [layer[:, -1].copy() for layer in task.layers()]
        slopes = [np.empty_like(w) for w in weights]
        step = _numpy_one if task.batch == 1 else _numpy_batch
        for _ in range(task.sweeps):
            for first in range(0, task.patterns, task.batch):
                part = first if task.batch == 1 else slice(first, first + task.batch)
                step(weights, biases, slopes, inputs[part], targets[part], task.rate)
        return [x for w, b in zip(weights, biases) for x in np.c_[w, b].ravel()]

    return train


def _numpy_one(
    weights: list[Any], biases: list[Any], slopes: list[Any], x: Any, target: Any, rate: float
) -> None:
    units = [x]
    for w, b in zip(weights[:-1], biases):
        units.append(np.tanh(w @ units[-1] + b))
    z = weights[-1] @ units[-1] + biases[-1]
    e = np.exp(z - z.max())
    delta = e / e.sum() - target
    for i in range(len(weights) - 1, -1, -1):
        delta *= rate
        step = np.multiply(delta[:, None], units[i], out=slopes[i])
        below: Any = (delta @ weights[i]) * (1 / rate) if i else 0.0
        weights[i] -= step
        biases[i] -= delta
        delta = below * (1 - units[i] * units[i]) if i else delta


def _numpy_batch(
    weights: list[Any], biases: list[Any], slopes: list[Any], xs: Any, targets: Any, rate: float
) -> None:
    units = [xs]
    for w, b in zip(weights[:-1], biases):
        z = units[-1] @ w.T
        z += b
        units.append(np.tanh(z, out=z))
    z = units[-1] @ weights[-1].T + biases[-1]
    e = np.exp(z - z.max(1, keepdims=True))
    delta = e / e.sum(1, keepdims=True) - targets
    for i in range(len(weights) - 1, -1, -1):
        below: Any = delta @ weights[i] if i else 0.0
        np.dot(delta.T, units[i], out=slopes[i])
        slopes[i] *= rate
        weights[i] -= slopes[i]
        biases[i] -= rate * delta.sum(0)
        if i:
            u = units[i]
            np.multiply(u, u, out=u)
            np.subtract(1, u, out=u)
            delta = np.multiply(below, u, out=below)


def by_jax(task: Task) -> Trainer:
    """Return sweeps as a ``fori_loop`` of a ``scan`` over batches, jitted as a whole."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    inputs, targets = map(jnp.asarray, task.data())

    def error(layers: Any, xs: Any, ts: Any) -> Any:
        y = xs
        for k, (w, b) in enumerate(layers):
            y = y @ w.T + b
            y = jnp.tanh(y) if k < len(layers) - 1 else y
        return (jax.nn.logsumexp(y, -1) - (y * ts).sum(-1)).sum()

    def update(layers: Any, batch: Any) -> Any:
        slopes = jax.grad(error)(layers, *batch)
        return jax.tree.map(lambda w, g: w - task.rate * g, layers, slopes), None

    whole = task.patterns // task.batch * task.batch

    def sweep(_: Any, layers: Any) -> Any:
        if task.batch == task.patterns:
            return update(layers, (inputs, targets))[0]
        shape = () if task.batch == 1 else (task.batch,)
        batches = [x[:whole].reshape(-1, *shape, x.shape[1]) for x in (inputs, targets)]
        layers, _ = jax.lax.scan(update, layers, tuple(batches))
        if whole < task.patterns:
            layers, _ = update(layers, (inputs[whole:], targets[whole:]))
        return layers

    start = [(jnp.array(m[:, :-1]), jnp.array(m[:, -1])) for m in task.layers()]
    loop = jax.jit(lambda layers: jax.lax.fori_loop(0, task.sweeps, sweep, layers))
    run = loop.lower(start).compile()

    def train() -> Any:
        layers = jax.block_until_ready(run(start))
        return [x for w, b in layers for x in np.c_[w, b].ravel()]

    return train


def by_torch(task: Task) -> Trainer:
    import torch

    torch.set_num_threads(1)
    inputs, targets = map(torch.tensor, task.data())

    def train() -> Any:
        layers = [(torch.tensor(m[:, :-1]), torch.tensor(m[:, -1])) for m in task.layers()]
        parameters = [x.contiguous().requires_grad_() for pair in layers for x in pair]
        for _ in range(task.sweeps):
            for first in range(0, task.patterns, task.batch):
                part = slice(first, first + task.batch)
                y = inputs[part]
                for k in range(0, len(parameters), 2):
                    y = torch.nn.functional.linear(y, parameters[k], parameters[k + 1])
                    y = torch.tanh(y) if k < len(parameters) - 2 else y
                error = torch.nn.functional.cross_entropy(y, targets[part], reduction="sum")
                slopes = torch.autograd.grad(error, parameters)
                with torch.no_grad():
                    for parameter, slope in zip(parameters, slopes):
                        parameter.sub_(slope, alpha=task.rate)
        pairs = zip(parameters[::2], parameters[1::2])
        return [x for w, b in pairs for x in np.c_[w.detach(), b.detach()].ravel()]

    return train


PEERS = {"numpy": by_numpy, "jax": by_jax, "torch": by_torch}


def agreeing(trainers: dict[str, Trainer]) -> None:
    """Raise unless all learn the same weights."""
    expected = np.array(next(iter(trainers.values()))())
    for name, trainer in trainers.items():
        apart = np.abs(np.array(trainer()) - expected).max()
        if not apart < 1e-9:
            raise AssertionError(f"{name} learns other weights: {apart}")


# --- sections -----------------------------------------------------------------------------------

NETS = {  # the share of the multiply-add limit, times NumPy, times JAX
    Task((64, 64, 10), 1797, sweeps=2): (0, 1, 0),
    Task((64, 128, 64, 10), 1797): (0, 1, 0),
    Task((784, 128, 10), 1797): (0, 1, 0),
    Task((64, 64, 10), 32): (0, 1, 1),
    Task((64, 128, 64, 10), 32): (0, 1, 1),
    Task((64, 64, 10), 1): (0.15, 1, 1),
    Task((64, 128, 64, 10), 1): (0, 1, 1),
}


def nets() -> None:
    for task, (share, *ratios) in NETS.items():
        trainers: dict[str, Trainer] = {"microgradient": by_microgradient(task)}
        for name, peer in PEERS.items():
            if find_spec(name) and (name != "torch" or task.batch == task.patterns):
                trainers[name] = peer(task)
        agreeing(trainers)
        limit = compiled.multiply_add_limit(task.multiply_adds)
        seconds = medians({**trainers, "limit": limit}, rounds=3)
        show(f"{task.name}, {task.sweeps} of {task.patterns} patterns", seconds, "microgradient")
        ours = seconds["microgradient"]
        for name, wanted in zip(("numpy", "jax"), ratios):
            if name in seconds and wanted:
                judge(f"{name} over ours", seconds[name] / ours, wanted)
        if share:
            judge("share of the multiply-add limit", seconds["limit"] / ours, share)


def shuffle() -> None:
    print("\nShuffled before each sweep, over the patterns' own order")
    for task in (
        Task((64, 64, 10), 1, sweeps=4),
        Task((64, 64, 10), 32, sweeps=8),
        Task((64, 64, 10), 1797, sweeps=8),
        Task((784, 128, 10), 1797, sweeps=2),
    ):
        runs = {"plain": by_microgradient(task), "shuffled": by_microgradient(task, shuffled=True)}
        seconds = medians(runs, rounds=7)
        judge(task.name, seconds["shuffled"] / seconds["plain"], 1.1, most=True)


REPLICAS, NOT_SLOWER = 16, 0.9  # which leaves room for noise where both run the same code


def replicas() -> None:
    """Print what replicas gain beside each other, and by a second worker."""
    title = f"{REPLICAS} replicas, each 64 patterns, with one worker: one after the other over ours"
    print(f"\n{title}")
    for task in (
        Task((8, 3, 8), 1, 64, 1000),
        Task((8, 3, 8), 64, 64, 1000),
        Task((10, 20, 4), 1, 64, 300),
        Task((24, 30, 6), 1, 64, 100),
        Task((24, 30, 6), 64, 64, 200),
        Task((64, 64, 10), 1, 64, 20),
        Task((64, 64, 10), 64, 64, 40),
    ):
        alone, together = _replicas(task, None), _replicas(task, 1)
        seconds = medians({"alone": alone, "together": together}, rounds=7)
        judge(task.name, seconds["alone"] / seconds["together"], NOT_SLOWER)
    print("\nOne worker over two, and the same of threads that do nothing but multiply-adds")
    limit = compiled.multiply_add_limit(400_000_000)
    for task in (Task((8, 3, 8), 1, 64, 2000), Task((64, 64, 10), 1, 64, 100)):
        contestants: dict[str, Trainer] = {
            "limit, one": lambda: _in_threads(limit, 1),
            "limit, two": lambda: _in_threads(limit, 2),
            "one": _replicas(task, 1, 64),
            "two": _replicas(task, 2, 64),
        }
        seconds = medians(contestants, rounds=5)
        machine = 2 * seconds["limit, one"] / seconds["limit, two"]
        judge(f"{task.name} (machine: {machine:.2f})", seconds["one"] / seconds["two"], 1.8)


def _replicas(task: Task, workers: int | None, count: int = REPLICAS) -> Callable[[], None]:
    """Return the training of replicas by workers; None is one after the other, compiled once."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(task.patterns, task.sizes[0])).tolist()
    patterns = list(zip(inputs, rng.random((task.patterns, task.sizes[-1])).tolist()))
    model = nn.MLP(task.sizes[0], list(task.sizes[1:]), "tanh", rng=0)
    optimizer = nn.GradientDescent(model.parameters(), task.rate)
    objective = Objective(model, nn.half_squared_error, None)
    programs = training_programs(objective, optimizer, patterns)
    weights, settings = [p.data for p in optimizer.parameters], [(task.rate,)]
    if workers is None:
        kernel = NetworkTrainer(programs.gradient, programs.update, task.batch, task.patterns)
        kernel.present(programs.patterns)

        def one_by_one() -> None:
            for _ in range(count):
                kernel.set_column(0, weights)
                kernel.train(task.sweeps, settings, False)
                kernel.column(0)

        return one_by_one
    parts = programs.gradient, programs.update, task.batch, programs.patterns
    width = width_of(len(weights), task.batch, count, shuffled=False)
    together = Replicas(*parts, width=width, watch=False)

    def train() -> None:
        queue = iter(range(count))
        lock = threading.Lock()

        def take() -> tuple[int, list[list[float]]] | None:
            with lock:
                i = next(queue, None)
            return None if i is None else (i, [weights])

        def work() -> None:
            together.train(task.sweeps, take, lambda *_: None, lambda *_: settings, steady=True)

        _in_threads(work, workers)

    return train


def _in_threads(work: Callable[[], object], count: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def cores() -> None:
    print("\nWhole sweeps of one network: one thread over two; the results are the same")
    for task in (
        Task((64, 64, 10), 1797, sweeps=4),
        Task((64, 128, 64, 10), 1797, sweeps=2),
        Task((784, 128, 10), 1797, sweeps=1),
    ):
        trainers = {k: by_microgradient(task, threads=k) for k in (1, 2)}
        assert trainers[1]() == trainers[2]()
        seconds = medians({str(k): trainer for k, trainer in trainers.items()}, rounds=9)
        judge(task.name, seconds["1"] / seconds["2"], 1.3)


def restarts() -> None:
    seconds = medians(compiled.restart_trainers(fastest=True), rounds=5)
    ours = seconds["microgradient, two threads"]
    show("XOR 2-2-1, 1,000 restarts of up to 30,000 sweeps", seconds, "microgradient, two threads")
    judge("one thread over two", seconds["microgradient, one thread"] / ours, 1.8)
    if jax := seconds.get("jax, in chunks without the stopped"):
        judge("JAX that drops the stopped over ours", jax / ours, 2)


def family() -> None:
    warm = compiled.warm()
    ours = warm["microgradient"]
    for name, wanted in (("numpy", 5), ("jax", 3), ("torch", 20)):
        if name in warm:
            judge(f"warm: {name} over ours", warm[name] / ours, wanted)
    judge("warm: ours over the multiply-add limit", ours / warm["limit"], 3.5, most=True)


def cold() -> None:
    seconds = compiled.cold(["numpy"])
    over = seconds["microgradient"] / seconds["numpy"]
    judge("from process start to trained: ours over numpy", over, 2, most=True)


SECTIONS: dict[str, Callable[[], None]] = {
    "nets": nets,
    "shuffle": shuffle,
    "family": family,
    "cold": cold,
    "replicas": replicas,
    "cores": cores,
    "restarts": restarts,
}
ON_ONE_CORE = ("nets", "shuffle", "family", "cold")


def main() -> None:
    if len(sys.argv) == 2:
        name = sys.argv[1]
        if name in ON_ONE_CORE and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # peers' threads inherit it
        SECTIONS[name]()
        return
    machine = f"{platform.machine()}, {vector_width()} lanes"
    print(f"Python {platform.python_version()}, {machine}, medians", flush=True)
    for name in sys.argv[1:] or SECTIONS:  # each in a process: threads of one disturb no other
        subprocess.run([sys.executable, __file__, name], check=True)


if __name__ == "__main__":
    main()
