"""The words of training: back-propagation, momentum, dropout and others, and their older names.

Each function computes the same numbers twice: in the network's terms, and in those of an older
field, with other code. Where the arithmetic is exact they are equal to the last bit; where
exponentials or a root finder come in, within a stated number of units in the last place (ulps).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import optimize, special

import microgradient as mg
from microgradient import Value, nn
from microgradient.gallery.names.agreement import same
from microgradient.gallery.piece import Finding, Picture, Shown, show

SMALL: dict[str, Any] = {}


def back_propagation() -> Finding:
    """The gradient of a chain of layers is the product of their Jacobians, from the last one on.

    In optimal control, the row vector in between is the adjoint, or costate.
    """
    layers, x = [np.array([[2.0, -1], [0, 3]]), np.array([[1.0, -2], [3, 1]])], np.array([1.0, -2])

    def total(x: Any) -> Any:
        for layer in layers:
            x = [mg.dot(row, x) ** 2 for row in layer.tolist()]
        return mg.fsum(x)

    gradient, jacobians, adjoint = mg.grad(total)(x), [], np.ones(2)
    for layer in layers:
        jacobians.append(np.diag(2 * (layer @ x)) @ layer)
        x = (layer @ x) ** 2
    for jacobian in reversed(jacobians):
        adjoint = adjoint @ jacobian
    older = "the chain rule in reverse order, the adjoint method of optimal control"
    source = "Kelley 1960, Bryson 1961, Linnainmaa 1970"
    return same("back-propagation", older, source, gradient, adjoint)


def back_propagation_through_time() -> Finding:
    """The gradient of a weight used at every step is the sum over a copy for each step."""
    xs = [0.5, -1.0, 2.0, 0.25]

    def unfolded(copies: Sequence[Any]) -> Any:
        state: Any = 0.0
        for w, x in zip(copies, xs):
            state = w * state + x
        return state**2

    shared = mg.grad(lambda w: unfolded([w] * 4))(1.5)
    copies = mg.grad(unfolded)([1.5] * 4)
    older = "back-propagation in the unfolded net, summed over the copies of a weight"
    word, source = "back-propagation through time", "PDP vol. 1, chapter 8"
    return same(word, older, source, [shared], [sum(copies)])


def cross_entropy() -> Finding:
    """Cross-entropy is a log-likelihood; its gradient is the expected less the observed counts."""
    scores, observed = [0.5, -1.0, 2.0], [2, 0, 2, 1, 2]
    loss, slopes = mg.value_and_grad(
        lambda scores: mg.fsum([nn.cross_entropy(scores, choice) for choice in observed])
    )(scores)
    chances = special.softmax(scores)
    gradient = len(observed) * chances - np.bincount(observed)
    theirs = [-math.log(np.prod(chances[observed])), *gradient]
    older = "the negative log-likelihood of the multinomial logit model"
    return same("cross-entropy", older, "McFadden 1974", [loss, *slopes], theirs, ulps=32)


CASES, TARGETS, PENALTY = np.array([[5.0, 3], [3, 5], [1, -1]]), np.array([9.0, 5, 1]), 12.0


def ridge(penalty: float) -> Any:
    """Return the weights with the least error plus ``penalty`` times half their squares."""
    return np.linalg.solve(CASES.T @ CASES + penalty * np.eye(2), CASES.T @ TARGETS)


def error(w: Any) -> Any:
    """Return half the squared error of a linear unit."""
    return nn.half_squared_error([mg.dot(w, case) for case in CASES.tolist()], TARGETS.tolist())


def bounded(radius: float) -> Any:
    """Return the weights with the least error where |w| = radius, and the Lagrange multiplier."""

    def lagrangian(p: Any) -> Any:
        u, v, multiplier = p
        return error([u, v]) + multiplier * (u**2 + v**2 - radius**2) / 2

    slope, start = mg.grad(lagrangian), np.array([1.0, 0.5, 1.0])
    return optimize.root(slope, start, jac=mg.hessian(lagrangian), tol=1e-15).x


def regularisation() -> Finding:
    """A penalty bounds the weights; it is the Lagrange multiplier of that bound."""
    w = ridge(PENALTY)
    ours, theirs = [*w, PENALTY], bounded(math.hypot(*w))
    older = "least squares under a bound on |w|, the penalty being its Lagrange multiplier"
    source = "Tikhonov 1963, Hoerl and Kennard 1970"
    return same("regularisation", older, source, ours, theirs, ulps=64)


def descended(optimizer: nn.Optimizer, loss: Callable[[Value], Value], steps: int) -> list[float]:
    """Return a weight after each step."""
    (w,), path = optimizer.parameters, []
    for _ in range(steps):
        optimizer.zero_grad()
        loss(w).backward()
        optimizer.step()
        path.append(w.data)
    return path


def weight_decay() -> Finding:
    """Descent on a penalised error shrinks a weight by a factor, then descends on the error."""
    rate, penalty, theirs = 0.25, 0.5, [4.0]
    descent = nn.GradientDescent([Value(4.0)], rate)
    ours = descended(descent, lambda w: (w - 1) ** 2 / 2 + penalty * w**2 / 2, 10)
    for _ in ours:
        w = theirs[-1]
        theirs.append((1 - rate * penalty) * w - rate * (w - 1))
    older = "ridge regression by gradient descent: each step keeps 1 - rate * penalty of a weight"
    return same("weight decay", older, "Krogh and Hertz 1991", ours, theirs[1:])


def dropout() -> Finding:
    """For a linear unit, the mean error over all masks is the error plus a ridge penalty.

    Inputs are kept with probability 1/2 and then doubled; the penalty is the sum of w² x².
    """
    xs, target, w = [1.0, -2, 3, 1], 5.0, [2.0, 1, -1, 4]

    def dropped(w: Any) -> Any:
        masks = [*product((0.0, 2.0), repeat=4)]
        outputs = [mg.dot(w, [m * x for m, x in zip(mask, xs)]) for mask in masks]
        return mg.fsum([(y - target) ** 2 for y in outputs]) / len(masks)

    gap, scale = np.dot(w, xs) - target, np.square(xs)
    theirs = [gap**2 + scale @ np.square(w), *(2 * gap * np.array(xs) + 2 * scale * w)]
    older = "ridge regression with weighted inputs, on average, for a linear unit"
    ours = [dropped(w), *mg.grad(dropped)(w)]
    return same("dropout", older, "Srivastava et al. 2014, section 9.1", ours, theirs)


def momentum() -> Finding:
    """Momentum is the heavy ball x(t+1) = x(t) - rate * slope + momentum * (x(t) - x(t-1))."""
    ball = [1.0, 1.0]
    optimizer = nn.Momentum([Value(1.0)], rate=0.125, momentum=0.5)
    ours = descended(optimizer, lambda w: w * w, 20)
    for _ in ours:
        ball.append(ball[-1] - 0.125 * 2 * ball[-1] + 0.5 * (ball[-1] - ball[-2]))
    return same("momentum", "the heavy-ball method", "Polyak 1964", ours, ball[2:])


def run() -> Iterator[Shown]:
    errors = (back_propagation, back_propagation_through_time, cross_entropy)
    for word in (*errors, momentum, regularisation, weight_decay, dropout):
        yield word()
    caption = "The optimum with a penalty is the optimum under a bound: there a contour touches it"
    yield Picture("names-regularisation", drawn(), caption)


def drawn() -> Figure:
    figure = Figure(figsize=(10, 4.3), layout="constrained")
    axes = figure.subplots()
    w, turn = ridge(PENALTY), np.linspace(0, math.tau, 200)
    grid = np.meshgrid(np.linspace(-1.4, 5.2, 401), np.linspace(-1.4, 1.5, 301))
    errors = ((np.stack(grid, axis=-1) @ CASES.T - TARGETS) ** 2).sum(axis=-1)
    touching = np.sum((CASES @ w - TARGETS) ** 2)
    axes.contour(*grid, errors, touching * np.array([0.6, 2, 5, 10, 20]), colors="#94a3b8")
    axes.contour(*grid, errors, [touching], colors="#1d4ed8")
    path = [ridge(penalty) for penalty in [0, *np.geomspace(0.1, 1e5, 200)]]
    axes.plot(*np.transpose(path), color="#1e293b", label="optimum as the penalty grows from 0")
    circle = np.hypot(*w) * np.array([np.cos(turn), np.sin(turn)])
    axes.plot(*circle, color="#c2410c", label="bound on |w|")
    axes.plot([], color="#1d4ed8", label="contour of the error that touches it")
    axes.plot(*w, "o", color="#1d4ed8", label=f"penalty {PENALTY:g} = multiplier")
    axes.plot(*ridge(0), "o", color="#94a3b8", label="least error")
    axes.set(xlabel="first weight", ylabel="second weight", aspect="equal")
    axes.legend(framealpha=1, fontsize=10, loc="upper right")
    return figure


if __name__ == "__main__":
    show(run)
