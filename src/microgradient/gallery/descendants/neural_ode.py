"""The neural ODE: a network is the slope of a curve, and its gradient is an ODE run backward.

A network says how fast z changes: dz/dt = f(z, w). A solver follows this in small steps, z += h f,
so that each step is like a layer. The gradient comes by back-propagation through the steps; or by
the adjoint a(t) = dE/dz(t), which says how much a nudge of z at the time t changes the error, and
obeys an equation of its own, da/dt = -a df/dz, to be solved backward in time together with z and
dE/dw (Chen et al. 2018). That keeps no record of the steps, but its gradient is not quite theirs,
and it is wrong where z cannot be run backward.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import fmin_l_bfgs_b

import microgradient as mg
from microgradient.gallery.memory import peak
from microgradient.gallery.piece import Finding, Picture, Shown, show
from microgradient.gallery.solver import runge_kutta

Array = Any  # a NumPy array of floats, or of Values under a transform
Function = Callable[..., Array]
HIDDEN, NOISE = 24, 0.02
START, SPIRAL = np.array([2.0, 0.0]), np.array([[-0.1, 2.0], [-2.0, -0.1]])  # as Chen et al.
SMALL = {"points": 30, "updates": 20, "doublings": 2}


def ahead(step: Function, z: Array, w: Array, h: float, seen: Array) -> tuple[Any, Array]:
    """Return the squared distance from what is seen, and the last z; each row has its steps."""
    distance: Any = 0.0
    for target, steps in seen:
        for _ in range(steps):
            z = step(z, w, h)
        distance = distance + ((z - target) ** 2).sum()
    return distance, z


through_steps = mg.grad(ahead, argnums=2, has_aux=True)  # dE/dw by back-propagation, and the last z


def adjoint(slope: Function, z_a_g: Array, w: Array) -> Array:
    """Return the slope of z, a = dE/dz and g = dE/dw in one array."""
    z, a, _ = np.split(z_a_g, [size := (len(z_a_g) - len(w)) // 2, 2 * size])
    dz, pull = mg.vjp(slope, z, w)
    return np.concatenate([dz, *(-by_z_or_w for by_z_or_w in pull(a))])


def by_adjoint(step: Function, back: Function, z: Array, w: Array, h: float, seen: Array) -> Any:
    """Return the distance, dE/dw and the start, all from the last z alone, run backward."""
    distance, z = ahead(step, z, w, h, seen)
    size = z.shape[-1]
    z_a_g = np.concatenate([z, np.zeros((*z.shape[:-1], size + len(w)))], axis=-1)
    for target, steps in reversed(seen):
        z_a_g[..., size : 2 * size] += 2 * (z_a_g[..., :size] - target)  # at what is seen, a jumps
        for _ in range(steps):
            z_a_g = back(z_a_g, w, -h)
    return distance, z_a_g[..., 2 * size :].reshape(-1, len(w)).sum(axis=0), z_a_g[..., :size]


def steps_of(slope: Function) -> tuple[Function, Function]:
    """Return a step of z along the slope, and one of z, a and g together."""
    return partial(runge_kutta, slope), partial(runge_kutta, partial(adjoint, slope))


def network(z: Array, w: Array) -> Array:
    """Return the slope at z: tanh units, which see z cubed, and a linear layer."""
    first, bias, last, offset = np.split(w, [2 * HIDDEN, 3 * HIDDEN, 5 * HIDDEN])
    return last.reshape(2, HIDDEN) @ np.tanh(first.reshape(HIDDEN, 2) @ z**3 + bias) + offset


def trained(noisy: Array, w: Array, updates: int) -> Array:
    """Return weights fitted by the adjoint to the five points after each, all side by side."""
    step, back = (mg.compile(step, batch=0) for step in steps_of(network))
    (start, _), *seen = [(noisy[i : len(noisy) - 5 + i], 1) for i in range(6)]
    both = partial(by_adjoint, step, back, start, h=0.025, seen=seen)
    return fmin_l_bfgs_b(lambda w: both(w)[:2], w, maxiter=updates)[0]


def curve(slope: Function, w: Array, points: int) -> Array:
    """Return points of the curve from the start, every 0.025 units of time."""
    z = START
    path = [z := runge_kutta(slope, z, w, 0.0125) for _ in range(2 * points)]
    return np.array([START, *path[1::2]])


def run(*, points: int = 120, updates: int = 500, doublings: int = 6) -> Iterator[Shown]:
    rng = np.random.default_rng(0)
    w, targets = rng.normal(0, 0.5, 5 * HIDDEN + 2), rng.normal(size=(4, 2))
    counts = [8 * 2**n for n in range(doublings)]
    given = [(START, w, 1 / n, [(target, n // 4) for target in targets]) for n in counts]
    step, back = steps_of(network)
    pairs = [(through_steps(step, *a)[0], by_adjoint(step, back, *a)[1]) for a in given]
    apart = np.ptp(pairs, axis=1).max(axis=1) / np.abs(pairs[-1]).max()
    order = -np.polyfit(np.log(counts[-4:]), np.log(apart[-4:]), 1)[0]
    yield Finding(
        "adjoint and back-propagation differ by the solver's error: order 4, in the end below 1e-6",
        "Chen et al. 2018",
        f"{apart[0]:.1g} at {counts[0]} steps, {apart[-1]:.1g} at {counts[-1]}; order {order:.2f}",
        bool(apart[-1] < 1e-6 and abs(order - 4) < 0.2),
    )
    memory = [(peak(through_steps, step, *a), peak(by_adjoint, step, back, *a)) for a in given]
    (few, first), (many, last) = memory[0], memory[-1]
    yield Finding(
        "back-propagation's memory grows with the steps; the adjoint's is constant",
        "Chen et al. 2018",
        f"from {counts[0]} to {counts[-1]} steps: {few / 1e6:.1f} to {many / 1e6:.1f} MB; adjoint "
        f"{first / 1e3:.0f} and {last / 1e3:.0f} kB",
        many / few > 0.5 * counts[-1] / counts[0] and last < 1.1 * first,
    )
    step, back = steps_of(lambda z, w: w[0] * (z - w[1]))
    lossy = np.array([3.0]), np.array([-10.0, 1.0]), 0.01, [(0.5, 100)] * 4
    (right, _), (_, wrong, start) = through_steps(step, *lossy), by_adjoint(step, back, *lossy)
    yield Finding(
        "the adjoint fails where the curve forgets its start: z cannot be run backward",
        "Gholami, Keutzer and Biros 2019",
        f"z' = -10 (z - 1) from 3, over 4 units of time and back: {start[0]:.3g}; dE/dw1 "
        f"{wrong[0]:.2g}, not {right[0]:.2g}",
        bool(abs(start[0] - 3) > 0.1),
    )
    real = curve(lambda z, _: z**3 @ SPIRAL, w, points)
    noisy = real + rng.normal(0, NOISE, real.shape)
    path = curve(network, trained(noisy, w, updates), points)
    off = float(np.sqrt(((path - real) ** 2).mean()))
    yield Finding(
        "a network learns the slope of a spiral from noisy points, and draws it from its start",
        "Chen et al. 2018",
        f"{points + 1} points with noise {NOISE}: the curve is off by {off:.3f} (root mean square)",
        off < NOISE,
    )
    yield Picture("neural-ode", drawn(noisy, path, counts, memory), "A spiral, and memory spent")


def drawn(noisy: Array, path: Array, counts: list[int], memory: Array) -> Figure:
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(*noisy.T, ".", color="#c2410c")
    left.plot(*path.T, color="#1d4ed8", linewidth=2)
    left.set(title="noisy points, and the network's curve", aspect="equal", xticks=[], yticks=[])
    right.set_prop_cycle(color=["#1d4ed8", "#c2410c"])
    right.loglog(counts, memory, "o-", label=["through the steps", "adjoint"])
    right.set(title="memory for a gradient", xlabel="steps", ylabel="bytes at the peak")
    right.legend()
    return figure


if __name__ == "__main__":
    show(run)
