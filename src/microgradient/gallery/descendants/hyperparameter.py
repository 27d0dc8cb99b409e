"""The hyperparameter: a penalty is learned by the derivative of the minimum that it leads to.

A fit finds the weights v that minimise an error plus a penalty p times |v|^2. Move p a little, and
v moves. By how much? At the minimum the slope g(v, p) is 0, and it must stay 0: H dv + dg/dp dp = 0
with H the matrix of second derivatives, so dv/dp = -H^-1 dg/dp (the implicit function theorem).
So the error on held-out cases has a gradient by the penalty, through a fit that somebody else wrote
(Larsen et al. 1996; Bengio 2000): here scikit-learn's ridge regression.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import minimize
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

import microgradient as mg
from microgradient.gallery.piece import Finding, Picture, Shown, show

Array = Any  # a NumPy array of floats, or of Values under a transform
SMALL = {"penalties": 101}


def objective(v: Array, log_penalty: Any, x: Array, y: Array) -> Any:
    """Return what ridge regression minimises: it fits y = x v."""
    return ((x @ v - y) ** 2).sum() + mg.exp(log_penalty) * (v @ v)


def solution(log_penalty: Any, x: Array, y: Array) -> Array:
    """Return the minimum as scikit-learn finds it: to microgradient, a black box."""
    return Ridge(math.exp(log_penalty), fit_intercept=False).fit(x, y).coef_


def solved(log_penalty: Any, x: Array, y: Array) -> tuple[Array, Any]:
    """Return the minimum, and what its derivative needs."""
    v = solution(log_penalty, x, y)
    return v, (v, log_penalty, x, y)


def solution_back(saved: Any, by_v: Array) -> tuple[Any, None, None]:
    """Return the cotangent of log_penalty: the slope by v, 0 at the minimum, must stay 0."""
    v, log_penalty, x, y = saved
    a = np.linalg.solve(mg.hessian(objective)(*saved), by_v)
    _, pull = mg.vjp(lambda p: mg.grad(objective)(v, p, x, y), log_penalty)
    return -pull(a)[0], None, None


ridge = mg.custom_vjp(solution)
ridge.defvjp(solved, solution_back)


def run(*, penalties: int = 1101) -> Iterator[Shown]:
    cases = load_diabetes()
    x, y = cases.data / cases.data.std(axis=0), cases.target - cases.target.mean()
    (x, held_x), (y, held_y) = np.split(x, [40]), np.split(y, [40])
    left, singular, vectors = np.linalg.svd(x, full_matrices=False)

    def held_out(p: Any) -> Any:
        return ((held_x @ ridge(p, x, y) - held_y) ** 2).mean()

    def closed(p: Any) -> Any:
        v = vectors.T @ (singular / (singular**2 + mg.exp(p)) * (left.T @ y))
        return ((held_x @ v - held_y) ** 2).mean()

    off = max(abs(mg.grad(held_out)(p) / mg.grad(closed)(p) - 1) for p in np.arange(-3.0, 8, 2))
    yield Finding(
        "ridge regression's solution is differentiated by its penalty as in closed form",
        "implicit function theorem",
        f"from the formula by singular values the gradient differs by {off:.0e}, relative",
        bool(off < 1e-6),
    )
    tried = []

    def error(p: Array) -> Any:
        tried.append((p[0], held_out(p[0])))
        return mg.value_and_grad(held_out)(p[0])

    best = minimize(error, [0.0], jac=True)
    logs = np.linspace(-3, 8, penalties)
    grid = logs[np.argmin(errors := [closed(p) for p in logs])]
    yield Finding(
        "gradients find the penalty with the least error on held-out cases",
        "Bengio 2000",
        f"{math.exp(best.x[0]):.2f} after {best.nfev} fits; of {penalties:,} penalties "
        f"{math.exp(grid):.2f} is best",
        bool(abs(best.x[0] - grid) < 0.01),
    )
    picture = drawn(np.exp(logs), errors, [solution(p, x, y) for p in logs], np.array(tried))
    yield Picture("hyperparameter", picture, "Held-out error and weights of ridge regression")


def drawn(penalties: Array, errors: Array, weights: Array, steps: Array) -> Figure:
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.semilogx(penalties, errors, color="#94a3b8", linewidth=2)
    left.plot(np.exp(steps[:, 0]), steps[:, 1], "o-", color="#1d4ed8")
    left.set(title="held-out error, and the penalties tried", xlabel="penalty")
    right.semilogx(penalties, weights, color="#1e293b", linewidth=1)
    right.axvline(np.exp(steps[-1, 0]), color="#1d4ed8")
    right.set(title="the ten weights, and the penalty found", xlabel="penalty")
    return figure


if __name__ == "__main__":
    show(run)
