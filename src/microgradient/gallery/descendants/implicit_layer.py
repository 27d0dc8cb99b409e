"""The implicit layer: its output solves an equation, and its gradient needs only the solution.

A layer is applied to its own output until nothing changes, z = tanh(W z + U x + b): a net of any
depth, the deep equilibrium model (Bai, Kolter and Koltun 2019). For the gradient, a nudge of z
comes back through the layer again and again: a = dE/dz (1 + J + J^2 + ...), where J is the
derivative of the layer's output by z. That is a = dE/dz + a J, one equation to solve; then one
backward step of the layer, begun with a, gives dE/dW. No iteration needs to be remembered.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import fmin_l_bfgs_b
from sklearn.datasets import make_moons

import microgradient as mg
from microgradient.gallery.memory import peak
from microgradient.gallery.piece import Finding, Picture, Shown, show

Array = Any  # a NumPy array of floats, or of Values under a transform
UNITS, ITERATIONS, NORM = 5, 30, 0.9
WEIGHTS = UNITS * (UNITS + 3) + UNITS + 1  # W, U, b and those of a linear output, in this order
SMALL = {"updates": 5, "points": 20}


def layer(z: Array, w: Array, x: Array) -> Array:
    """Return the layer's output for its own output z and the input x.

    W is scaled to a norm below ``NORM``: as tanh' <= 1, the iteration contracts, to one z.
    """
    own, inputs, bias, _ = np.split(w, [UNITS * UNITS, UNITS * (UNITS + 2), UNITS * (UNITS + 3)])
    scaled = own.reshape(UNITS, UNITS) * (NORM / (1 + own @ own) ** 0.5)
    return np.tanh(scaled @ z + inputs.reshape(UNITS, 2) @ x + bias)


def score(z: Array, w: Array) -> Any:
    """Return the net's output, a linear one: above 0 for the one class, below for the other."""
    return z @ w[-UNITS - 1 : -1] + w[-1]


def settled(w: Array, x: Array, iterations: int) -> tuple[Any, Any]:
    """Return the score, and what the implicit gradient needs: the last z, and none before."""
    z = np.zeros(UNITS)
    for _ in range(iterations):
        z = layer(z, w, x)
    return score(z, w), (z, w, x)


def unrolled(w: Array, x: Array, iterations: int) -> Any:
    """Return the score; back-propagation goes through all iterations."""
    return settled(w, x, iterations)[0]


def pulled_back(iterations: int, saved: Any, by_score: Any) -> tuple[Array, Array]:
    """Return the cotangents of w and x by way of a = dE/dz + a J, a fixed point too."""
    z, w, x = saved
    _, pull_score = mg.vjp(score, z, w)
    _, pull_layer = mg.vjp(layer, z, w, x)
    by_z, by_w = pull_score(by_score)
    a = by_z
    for _ in range(iterations):
        a = by_z + pull_layer(a)[0]
    _, more_by_w, by_x = pull_layer(a)
    return by_w + more_by_w, by_x


# Of the score, not of z: custom_vjp runs its rule once for each number of the result.
implicit = mg.custom_vjp(unrolled, nondiff_argnums=2)
implicit.defvjp(settled, pulled_back)


def trained(points: Array, signs: Array, w: Array, updates: int) -> Array:
    """Return weights fitted to points with signs 1 and -1, by the implicit gradient."""
    loss = mg.value_and_grad(lambda w, x, sign: mg.softplus(-sign * implicit(w, x, ITERATIONS)))
    fast = mg.compile(loss, batch=(1, 2), reduce="sum")

    def penalised(w: Array) -> tuple[float, Array]:
        error, by_w = fast(w, points, signs)
        return error + 0.03 * w @ w, by_w + 0.06 * w

    return fmin_l_bfgs_b(penalised, w, maxiter=updates)[0]


def run(*, updates: int = 200, points: int = 100) -> Iterator[Shown]:
    moons, classes = make_moons(points, noise=0.15, random_state=0)
    w = np.random.default_rng(0).normal(0, 0.3, WEIGHTS)
    w = trained(moons, 2.0 * classes - 1, w, updates)
    jacobians = [mg.jacobian(layer)(settled(w, x, 500)[1][0], w, x) for x in moons]
    radii = np.abs(np.linalg.eigvals(jacobians)).max(axis=1)
    radius, x = float(radii.max()), moons[radii.argmax()]  # where it settles most slowly
    truth, counts, both = mg.grad(unrolled)(w, x, 500), range(81), (implicit, unrolled)
    errors = [[np.abs(mg.grad(f)(w, x, n) - truth).max() for n in counts] for f in both]
    apart = errors[0][-1] / np.abs(truth).max()
    yield Finding(
        "the implicit gradient is that of back-propagation through many iterations",
        "Bai, Kolter and Koltun 2019",
        f"from that through 500 it differs by {apart:.0e}, relative, after {counts[-1]}",
        bool(apart < 1e-6),
    )
    logs = np.log(np.maximum(errors[1], 1e-16))
    factor = math.exp(np.polyfit(counts[40:], logs[40:], 1)[0])
    yield Finding(
        "in the end an iteration multiplies the unrolled gradient's error by J's spectral radius",
        "known",
        f"by {factor:.3f} from 40 iterations to 80; the radius is {radius:.3f}",
        abs(factor / radius - 1) < 0.05,
    )
    first, last, before, after = (peak(mg.grad(f), w, x, n) for f in both for n in (10, 80))
    yield Finding(
        "through the iterations memory grows with them; the implicit gradient's is constant",
        "Bai, Kolter and Koltun 2019",
        f"{before / 1e3:,.0f} kB for 10 iterations, {after / 1e3:,.0f} for 80; "
        f"implicit {first / 1e3:,.0f} and {last / 1e3:,.0f}",
        after > 4 * before and last < 1.1 * first,
    )
    scores = mg.compile(lambda x: unrolled(w, x, ITERATIONS), batch=0)
    test, truly = make_moons(1000, noise=0.15, random_state=1)
    right = float(np.mean((scores(test) > 0) == truly))
    yield Finding(
        f"a net with an implicit layer of {UNITS} units learns two moons",
        "this gallery",
        f"{right:.1%} of {len(test):,} new points are right",
        right > 0.95,
    )
    x, y = np.meshgrid(np.linspace(-1.6, 2.6, 70), np.linspace(-1.2, 1.7, 50))
    shade = scores(np.stack([x.ravel(), y.ravel()], axis=1)).reshape(x.shape)
    picture = drawn(errors, radius, (x, y, shade), moons, classes)
    yield Picture("implicit-layer", picture, "An implicit layer: convergence, and two moons")


def drawn(errors: Array, radius: float, plane: Array, moons: Array, classes: Array) -> Figure:
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.semilogy(errors[1], color="#c2410c", label="unrolled")
    left.semilogy(errors[0], color="#1d4ed8", label="implicit")
    left.semilogy(radius ** np.arange(81), ":", color="#1e293b", label="radius ^ iterations")
    left.set(title="error of the gradient", xlabel="iterations")
    left.legend()
    right.contourf(*plane, levels=[-1e9, 0, 1e9], colors=["#fed7aa", "#bfdbfe"])
    right.scatter(*moons.T, c=np.where(classes, "#1d4ed8", "#c2410c"), s=16)
    right.set(title="two moons, and the dividing line", xticks=[], yticks=[])
    return figure


if __name__ == "__main__":
    show(run)
