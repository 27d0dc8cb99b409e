"""How wrong a result or a gradient can be: bounds from another reverse sweep.

The first published reverse sweep bounded accumulated rounding errors (Linnainmaa, The
representation of the cumulative rounding error of an algorithm, 1970): the error of each operation
times the derivative of the final result by the operation's result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite
from random import Random

from microgradient.check.numbers.running_error import TINY, UNIT, local_error, partial_errors
from microgradient.engine.arithmetic import FLOATS
from microgradient.engine.graph import topological_order
from microgradient.engine.number import shown
from microgradient.engine.sweeps import adjoints
from microgradient.engine.value import Value

_SAMPLES = 4
_MAGNIFIED = 1024.0  # times the error: moves as small as errors vanish in the next rounding
_SAFETY = 8.0  # times the largest of four samples; docs/numerics.md has the measurements


def error_bound(y: Value) -> float:
    """Return a first-order bound of the accumulated rounding error of ``y.data``.

    The bound is the sum over all nodes v of |dy/dv| times the error of computing v from its
    operands. Leaves count as exact. The result is inf or nan if a derivative is. Raises TypeError
    unless ``y`` is a Value. Source: Linnainmaa 1970 and 1976; Griewank and Walther, Evaluating
    Derivatives, section 3.4.
    """
    _check(y)
    if not isfinite(y.data):
        return abs(y.data)  # inf or nan: no bound exists
    order = topological_order(y)
    adjoint = adjoints(order, {y: 1.0}, set(order), as_graph=False)
    total = 0.0
    for node in order:
        if node.parents and (error := local_error(node)):
            total += abs(adjoint[node]) * error
    return total


def condition(y: Value, x: Value | Sequence[Value] | None = None) -> float:
    """Return the relative condition number of ``y``: the sum of |x dy/dx / y| over the inputs.

    A relative error e in the inputs causes one of up to about condition × e in the result. ``x`` is
    a node, a sequence of nodes, or None for all leaves except constants. The result is inf where
    ``y`` is 0 and depends on a nonzero input. Source: Higham, Accuracy and Stability of Numerical
    Algorithms, section 1.6.
    """
    _check(y)
    order = topological_order(y)
    if x is None:
        inputs = [node for node in order if not node.parents and node.op is None]
    else:
        inputs = [x] if type(x) is Value or not isinstance(x, Sequence) else [*dict.fromkeys(x)]
    for node in inputs:
        _check(node)
    adjoint = adjoints(order, {y: 1.0}, set(order), as_graph=False)
    total: float = sum(abs(node.data * adjoint.get(node, 0.0)) for node in inputs)
    if y.data == 0:
        return inf if total else 0.0
    return total / abs(y.data)


def gradient_error_bounds(
    order: Sequence[Value], output: Value, inputs: Sequence[Value]
) -> list[float]:
    """Return, for each of ``inputs``, a bound of the rounding error of d output / d input.

    The bound has two parts. The first is what the reverse sweep rounds: a second sweep over
    absolute values counts the errors of every local derivative, product and addition along every
    path. The second is the effect of inexact intermediate values on the local derivatives: the
    largest change of the gradient over four evaluations in which every intermediate value is moved
    at random, in proportion to its error.
    """
    swept = _sweep_errors(order, output)
    spread = _spread(order, output, inputs)
    return [swept.get(x, 0.0) + _SAFETY * spread[i] for i, x in enumerate(inputs)]


def _sweep_errors(order: Sequence[Value], output: Value) -> dict[Value, float]:
    size: dict[Value, float] = {output: 1.0}
    error: dict[Value, float] = {output: 0.0}
    for node in reversed(order):
        if node not in size or not node.parents:
            continue
        a, e = size[node], error[node]
        for parent, partial, wrong in zip(node.parents, node.partials, partial_errors(node)):
            if partial != partial:
                continue  # no derivative exists: by the order of polygamma
            w = abs(partial)
            term = a * w
            if parent in size:
                size[parent] += term
                error[parent] += UNIT * size[parent]  # the addition
            else:
                size[parent], error[parent] = term, 0.0
            rounding = 0.0 if w in (0.0, 1.0) else UNIT * term + TINY
            error[parent] += e * w + a * wrong + rounding
    return error


def _spread(order: Sequence[Value], output: Value, inputs: Sequence[Value]) -> list[float]:
    """Return how far the gradient moves, from evaluations that do not use the gradient to check."""
    errors = {node: local_error(node) for node in order if node.parents}
    here = _perturbed_adjoints(order, output, dict.fromkeys(errors, 0.0), Random(0))
    worst = [0.0] * len(inputs)
    for sample in range(_SAMPLES):
        adjoint = _perturbed_adjoints(order, output, errors, Random(sample))
        for i, x in enumerate(inputs):
            moved = abs(adjoint.get(x, 0.0) - here.get(x, 0.0))
            if isfinite(moved):
                worst[i] = max(worst[i], moved / _MAGNIFIED)
    return worst


def _perturbed_adjoints(
    order: Sequence[Value], output: Value, errors: Mapping[Value, float], rng: Random
) -> dict[Value, float]:
    """Return the adjoints with every intermediate value moved in proportion to its error."""
    values: dict[Value, float] = {}
    adjoint = {output: 1.0}
    partials: dict[Value, Sequence[float]] = {}
    for node in order:
        if node.parents and node.op is not None:
            xs = [values[parent] for parent in node.parents]
            v = node.op.fast(*xs) + errors[node] * rng.uniform(-_MAGNIFIED, _MAGNIFIED)
            values[node], partials[node] = v, node.op.partials(FLOATS, v, *xs)
        else:
            values[node] = node.data
    for node in reversed(order):
        if node in adjoint and node in partials:
            for parent, partial in zip(node.parents, partials[node]):
                adjoint[parent] = adjoint.get(parent, 0.0) + adjoint[node] * partial
    return adjoint


def _check(y: object) -> None:
    if type(y) is not Value:
        raise TypeError(f"expected a Value, got {shown(y)}")
