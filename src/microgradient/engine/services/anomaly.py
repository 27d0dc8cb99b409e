"""Find the first node that became nan or infinite: its operation, operands, label and line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import Any, Protocol, Self, TypeVar

from microgradient.engine import ops
from microgradient.engine.op import Op
from microgradient.engine.services import watching


class _Node(Protocol):
    """A Value, as far as this module needs it."""

    label: str | None
    op: Op | None

    @property
    def data(self) -> float: ...
    @property
    def parents(self) -> Sequence[Self]: ...
    @property
    def partials(self) -> Sequence[float]: ...


N = TypeVar("N", bound=_Node)


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Raise FloatingPointError at the first result or gradient that is nan or infinite.

    The message names the operation, its operands with their labels, and the line of user code that
    made the node (for a gradient, if that line ran in this block). Other threads are not watched.
    Operations take several times as long as usual: use it to find an error, not for training.
    """
    with watching.watched(watching.Watch(strict=True)):
        yield


def check_node(node: _Node) -> None:
    """Remember the line that made ``node``; raise if its number must be finite and is not."""
    watch = watching.current()
    if watch is not None:
        line = watch.lines[node] = watching.user_line()
        if watch.strict and not isfinite(node.data):
            raise FloatingPointError(f"{describe(node)} gave {node.data}, at {line}")


def check_adjoints(order: Sequence[N], adjoint: Mapping[N, Any]) -> None:
    """Raise if a finite adjoint became nan or infinite on its way from a node to its parents."""
    if not _strict():
        return
    for node in reversed(order):
        if node in adjoint and isfinite(_number(adjoint[node])):
            for parent, partial in zip(node.parents, node.partials):
                if parent in adjoint and parent.op is not ops.constant:
                    _check_term(node, "adjoint", _number(adjoint[node]), partial)
    _check_sums(adjoint)


def check_tangents(order: Sequence[N], tangent: Mapping[N, Any]) -> None:
    """Raise if a finite tangent became nan or infinite on its way from parents to a node."""
    if not _strict():
        return
    for node in order:
        for parent, partial in zip(node.parents, node.partials):
            if parent in tangent and isfinite(_number(tangent[parent])):
                _check_term(node, "tangent", _number(tangent[parent]), partial)
    _check_sums(tangent)


def _check_term(node: _Node, what: str, factor: float, partial: float) -> None:
    if not isfinite(factor * partial):
        watch = watching.current()
        lines = {} if watch is None else watch.lines
        raise FloatingPointError(
            f"the gradient went wrong in {describe(node)}: {what} {factor!r} times local "
            f"derivative {partial!r}, at "
            f"{lines.get(node, 'a line outside the detect_anomaly() block')}"
        )


def _check_sums(derivative: Mapping[N, Any]) -> None:
    for node, number in derivative.items():
        if not isfinite(_number(number)) and node.op is not ops.constant:
            raise FloatingPointError(
                f"the gradient at {describe(node)} is {_number(number)}: the sum of its "
                "contributions does not fit a float"
            )


def describe(node: _Node, limit: int = 6) -> str:
    """Return ``label = op(operands)``; of more than ``limit`` operands, those not finite first."""
    operands = list(node.parents)
    if len(operands) > limit:
        operands = sorted(operands, key=lambda p: isfinite(p.data))[:limit]
    shown = [f"{p.label} = {p.data!r}" if p.label else repr(p.data) for p in operands]
    if len(node.parents) > limit:
        shown.append(f"… {len(node.parents) - limit} more")
    label = f"{node.label} = " if node.label else ""
    made_by = node.op.name if node.op else "leaf"
    return f"{label}{made_by}({', '.join(shown) or repr(node.data)})"


def _number(x: Any) -> float:
    return x if type(x) is float else float(getattr(x, "data", x))


def _strict() -> bool:
    """Return whether this thread is now inside a detect_anomaly() block."""
    watch = watching.current()
    return watch is not None and watch.strict
