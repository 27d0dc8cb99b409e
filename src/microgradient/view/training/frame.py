"""A training run at one moment, as data: its errors, weights and hidden codes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import log10
from typing import Any

from microgradient.engine.number import shown
from microgradient.engine.ops import fsum
from microgradient.engine.value import Value
from microgradient.nn.module import Module
from microgradient.nn.training.history import History
from microgradient.view.escaping import plain
from microgradient.view.graph.grouping import owners, uses
from microgradient.view.graph.numbered_graph import NumberedGraph

_CURVE = 64  # columns of the error curve
_BARS = "▁▂▃▄▅▆▇█"
_MOST = 40  # rows or columns of a matrix that are shown
# From small to large, in colours that terminals with 256 colours have; signs are coloured as in
# the drawings.
_BLUES = (238, 238, 238), (175, 215, 255), (95, 175, 255), (0, 135, 255), (0, 95, 215), (0, 0, 175)
_ORANGES = (
    (238, 238, 238),
    (255, 215, 175),
    (255, 175, 95),
    (255, 135, 0),
    (215, 95, 0),
    (175, 0, 0),
)


@dataclass(frozen=True)
class Matrix:
    """Numbers to be shown as shades: named rows, all scaled by ``largest``.

    ``signed`` numbers are blue or orange, others grey.
    """

    title: str
    names: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...] = field(repr=False)
    signed: bool

    @property
    def largest(self) -> float:
        """The largest magnitude, or 1 if all are 0."""
        return max((abs(x) for row in self.rows for x in row), default=0.0) or 1.0


@dataclass(frozen=True)
class Frame:
    """One moment: the sweep, the errors so far, how many patterns are right, weights, codes."""

    sweep: int
    errors: tuple[float, ...] = field(repr=False)
    right: int | None
    weights: tuple[Matrix, ...]
    codes: tuple[Matrix, ...]


def frame(model: Module, history: History, inputs: Mapping[str, Sequence[float]]) -> Frame:
    """Return the state of ``model`` now, with its hidden codes for ``inputs``."""
    return Frame(
        sweep=history.sweeps,
        errors=tuple(history.errors),
        right=history.right[-1] if history.right else None,
        weights=tuple(_weights(model)),
        codes=tuple(_codes(model, inputs)),
    )


def _weights(model: Module) -> Iterator[Matrix]:
    """Yield a matrix for each layer: a row for each neuron, its bias first."""
    owner = owners({"": model})
    layers: dict[str, dict[str, list[float]]] = {}
    for path, parameter in model.named_parameters().items():
        where = owner[parameter]
        row = layers.setdefault(where.layer, {}).setdefault(where.neuron, [])
        row.insert(0 if path.rpartition(".")[2] == "bias" else len(row), parameter.data)
    for layer, neurons in layers.items():
        rows = tuple(tuple(row[:_MOST]) for row in neurons.values())[:_MOST]
        names = tuple(str(i) for i in range(1, len(rows) + 1))
        yield Matrix(f"weights of {_called(layer)}", names, rows, True)


def _called(path: str) -> str:
    """Return ``layer 0`` for ``layers.0``, ``person code`` for ``layers.person code``."""
    name = path.removeprefix("layers.")
    return f"layer {name}" if name.isdigit() else plain(name) or "the model"


def _codes(model: Any, inputs: Mapping[str, Sequence[float]]) -> Iterator[Matrix]:
    """Yield a matrix for each hidden layer: a row for each input, a column for each neuron."""
    owner = owners({"": model})
    layers: dict[str, dict[str, list[float]]] = {}
    for name, one in list(inputs.items())[:_MOST]:
        outputs = model([Value(x) for x in one])
        last = set(outputs if isinstance(outputs, (list, tuple)) else [outputs])
        if not all(type(output) is Value for output in last):
            raise TypeError(f"live expects a model that returns Values, got {shown(outputs)}")
        use = uses(NumberedGraph(fsum([*last]), None, "live"), owner)
        for part in dict.fromkeys(use.values()):
            hidden = [node.data for node in part.outputs if node not in last]
            if hidden:
                layers.setdefault(part.place.layer, {}).setdefault(name, []).extend(hidden)
    for layer, codes in layers.items():
        rows = tuple(tuple(code[:_MOST]) for code in codes.values())
        yield Matrix(f"codes in {_called(layer)}", tuple(map(plain, codes)), rows, False)


def curve(errors: Sequence[float], width: int = _CURVE) -> str:
    """Return the errors as a line of bars, on a logarithmic scale; the last bar is the last."""
    if not errors:
        return ""
    step = -(-len(errors) // width)
    ends = [errors[min(i + step, len(errors)) - 1] for i in range(0, len(errors), step)]
    logs = [log10(max(1e-300, abs(e))) if e - e == 0 else 300.0 for e in ends]
    low, high = min(logs), max(logs)
    span = (high - low) or 1.0
    return "".join(_BARS[min(7, int(8 * (x - low) / span))] for x in logs)


def shade(x: float, matrix: Matrix) -> tuple[int, int, int]:
    """Return the red, green and blue of a number: blue or orange by its sign, or grey for a code.

    Codes run from white at 0, or the smallest below it, to black at 1, or the largest above it.
    What is not finite is magenta.
    """
    if x - x != 0:
        return 255, 0, 255
    if matrix.signed:
        return (_BLUES if x > 0 else _ORANGES)[min(5, int(6 * abs(x) / matrix.largest))]
    numbers = [y for row in matrix.rows for y in row if y - y == 0]
    low, high = min(0.0, *numbers), max(1.0, *numbers)
    level = round(238 * (high - x) / (high - low))
    return level, level, level


def css(x: float, matrix: Matrix) -> str:
    """Return the colour of a number for CSS."""
    return "rgb({},{},{})".format(*shade(x, matrix))


def headline(moment: Frame) -> str:
    """Return the sweep, the error and how many patterns are right, as a sentence."""
    right = "" if moment.right is None else f", {moment.right} right"
    return (
        f"sweep {moment.sweep:,}: error {moment.errors[-1]:.4g}{right}"
        if moment.errors
        else "no sweep yet"
    )
