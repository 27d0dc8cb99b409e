"""Rows with any number of operands: one node in place of a chain of binary operations.

A neuron is a ``dot`` and an activation: two nodes, not 2n + 1. Sums are rounded once (``m.fsum``),
so they do not depend on the order of their terms.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import accumulate
from numbers import Integral
from operator import add, mul
from typing import Any, Generic

from microgradient.engine.arithmetic import Arithmetic, X
from microgradient.engine.number import shown
from microgradient.engine.op import Op

fsum = Op(
    "fsum",
    lambda m, v, *xs: (1.0,) * len(xs),
    lambda m, *xs: m.fsum(xs),
    domain=((-4.0, 4.0),) * 3,
    operands=lambda xs: tuple(xs),
    sequences=1,
    primitive=True,
)


def _prod_partials(m: Arithmetic[X], v: X, *xs: X) -> tuple[X, ...]:
    """Return the product of the factors before each one times those after it: right for zeros."""
    before = accumulate(xs[:-1], mul, initial=1.0)
    behind = list(accumulate(xs[:0:-1], mul, initial=1.0))[::-1]
    return tuple(map(mul, before, behind))


prod = Op(
    "prod",
    _prod_partials,
    lambda m, *xs: reduce(mul, xs, 1.0),
    domain=((0.5, 2.0),) * 3,
    operands=lambda xs: tuple(xs),
    sequences=1,
)


# --- dot ----------------------------------------------------------------------------------------


def _dot_operands(ws: Iterable[Any], xs: Iterable[Any], bias: Any = None) -> tuple[Any, ...]:
    ws, xs = tuple(ws), tuple(xs)
    if len(ws) != len(xs):
        raise ValueError(f"dot expects sequences of equal length, got {len(ws)} and {len(xs)}")
    return ws + xs if bias is None else (*ws, *xs, bias)


def _halves(operands: Sequence[X]) -> tuple[Sequence[X], Sequence[X], Sequence[X]]:
    n = len(operands) // 2
    return operands[:n], operands[n : 2 * n], operands[2 * n :]


def _dot(m: Arithmetic[X], *operands: X) -> X:
    ws, xs, bias = _halves(operands)
    return m.fsum([*map(mul, ws, xs), *bias])


def _dot_partials(m: Arithmetic[X], v: X, *operands: X) -> tuple[X | float, ...]:
    n = len(operands) // 2
    by_operands = operands[n : 2 * n] + operands[:n]
    return by_operands if len(operands) == 2 * n else (*by_operands, 1.0)


dot = Op(
    "dot",
    _dot_partials,
    _dot,
    domain=((-4.0, 4.0),) * 5,
    operands=_dot_operands,
    sequences=2,
)


# --- softmax ------------------------------------------------------------------------------------


def _shifted(m: Arithmetic[X], xs: Sequence[X]) -> tuple[X, list[X]]:
    """Return the largest operand c (0 if that is infinite) and every exp(x - c)."""
    largest = reduce(m.maximum, map(m.detach, xs))
    c = m.where(m.equal(largest - largest, 0), largest, 0.0)
    return c, [m.exp(x - c) for x in xs]


def _log_of_sum(m: Arithmetic[X], exponentials: Sequence[X]) -> X:
    """Return the log of the sum; one term is 1, and without it a small sum keeps its digits."""
    return m.log1p(m.fsum([-1.0, *exponentials]))


def _logsumexp(m: Arithmetic[X], *xs: X) -> X:
    c, exponentials = _shifted(m, xs)
    return c + _log_of_sum(m, exponentials)


class _Shares(Generic[X]):
    """Each term's share p of the sum, and 1 - p.

    The share of a dominant term is 1 - q, with the share q of the others: then neither 1 - p nor
    the derivatives, such as p (1 - p), cancel. (At most one term is above 0.6 of the sum, however
    that is rounded.)
    """

    def __init__(self, m: Arithmetic[X], terms: Sequence[X]) -> None:
        total = m.fsum(terms)
        self.dominant = [e > 0.6 * total for e in terms]
        self.others = m.fsum([m.where(d, 0.0, e) for d, e in zip(self.dominant, terms)])
        q = m.div(self.others, total)
        small = [m.div(e, total) for e in terms]
        self.shares = [m.where(d, 1 - q, p) for d, p in zip(self.dominant, small)]
        self.rests = [m.where(d, q, 1 - p) for d, p in zip(self.dominant, small)]


def _logsumexp_partials(m: Arithmetic[X], v: X, *xs: X) -> tuple[X, ...]:
    _, exponentials = _shifted(m, xs)
    return tuple(_Shares(m, exponentials).shares)


def _logsumexp_operands(xs: Iterable[Any]) -> tuple[Any, ...]:
    operands = tuple(xs)
    if not operands:
        raise ValueError("logsumexp expects at least one operand, got an empty sequence")
    return operands


logsumexp = Op(
    "logsumexp",
    _logsumexp_partials,
    _logsumexp,
    domain=((-4.0, 4.0),) * 3,
    operands=_logsumexp_operands,
    sequences=1,
)


def _cross_entropy_operands(logits: Iterable[Any], target: Any) -> tuple[Any, ...]:
    logits = tuple(logits)
    what = "softmax_cross_entropy expects a class, a whole number, or a probability for each logit"
    if isinstance(target, Integral) and not isinstance(target, bool):
        target = int(target)
        if not 0 <= target < len(logits):
            raise ValueError(
                f"softmax_cross_entropy expects a class from 0 to {len(logits) - 1}, got {target}"
            )
        return logits + tuple(1.0 if i == target else 0.0 for i in range(len(logits)))
    try:
        targets = tuple(target)
    except TypeError:
        raise TypeError(f"{what}, got {shown(target)}") from None
    if len(targets) != len(logits) or not logits or isinstance(target, str):
        hint = "; write the class itself, as an int" if len(targets) == 1 else ""
        raise ValueError(f"{what}, got {shown(target)} for {len(logits)} logits{hint}")
    return (*logits, *targets)


def _cross_entropy(m: Arithmetic[X], *operands: X) -> X:
    logits, target, _ = _halves(operands)
    c, exponentials = _shifted(m, logits)
    log_total = _log_of_sum(m, exponentials)
    return m.fsum(
        [m.where(m.equal(t, 0), 0.0, t * (log_total - (z - c))) for z, t in zip(logits, target)]
    )


def _cross_entropy_partials(m: Arithmetic[X], v: X, *operands: X) -> tuple[X, ...]:
    logits, target, _ = _halves(operands)
    c, exponentials = _shifted(m, logits)
    softmax, log_total = _Shares(m, exponentials), _log_of_sum(m, exponentials)
    before = accumulate(target[:-1], add, initial=0.0)
    behind = list(accumulate(target[:0:-1], add, initial=0.0))[::-1]
    by_logit = [  # sum(target) * softmax - target; for the right class, minus the rest of softmax
        (b + a) * p - t * q
        for b, a, t, p, q in zip(before, behind, target, softmax.shares, softmax.rests)
    ]
    by_target = [  # -log of the share; of a dominant one, so that its slopes do not cancel
        m.where(d, m.log1p(m.div(softmax.others, e)), log_total - (z - c))
        for d, e, z in zip(softmax.dominant, exponentials, logits)
    ]
    return (*by_logit, *by_target)


softmax_cross_entropy = Op(
    "softmax_cross_entropy",
    _cross_entropy_partials,
    _cross_entropy,
    domain=((0.1, 2.0),) * 4,
    operands=_cross_entropy_operands,
    sequences=2,
    doc="Return the cross-entropy of softmax(logits) with a class index or a distribution.",
)
