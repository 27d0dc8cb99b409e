"""live: watch a network learn, its error curve, weights and hidden codes, as they change."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import log10
from typing import Any

from microgradient.engine.number import shown
from microgradient.engine.ops import fsum
from microgradient.engine.value import Value
from microgradient.nn.history import History
from microgradient.nn.module import Module
from microgradient.view.escaping import markup, plain
from microgradient.view.grouping import owners, uses
from microgradient.view.numbering import Numbering

_PAUSE = 0.1  # seconds that a frame is seen, at least
_GROWTH = (
    1.08  # from one frame to the next, in sweeps: the early ones, where much happens, go slowly
)
_SHARE = 5  # a long run has so many times the time that its frames take
_CURVE = 64  # columns of the error curve
_BARS = "▁▂▃▄▅▆▇█"
_MOST = 40  # rows or columns of a matrix that are shown
# From small to large, in colours that a terminal of 256 has, too.
_BLUES = (238, 238, 238), (175, 215, 255), (95, 175, 255), (0, 135, 255), (0, 95, 215), (0, 0, 175)
_ORANGES = (
    (238, 238, 238),
    (255, 215, 175),
    (255, 175, 95),
    (255, 135, 0),
    (215, 95, 0),
    (175, 0, 0),
)
_LEGEND = (
    "weights: blue positive, orange negative, strong large, each to its own scale; "
    "a row is a neuron, its bias first; codes: white small, black large"
)


@dataclass(frozen=True)
class Matrix:
    """Numbers to be shown as shades: rows with names, all scaled by ``largest``."""

    title: str
    names: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]
    signed: bool

    @property
    def largest(self) -> float:
        return max((abs(x) for row in self.rows for x in row), default=0.0) or 1.0


@dataclass(frozen=True)
class Frame:
    """What is seen at one moment: the sweep, the errors so far, weights and codes."""

    sweep: int
    errors: tuple[float, ...]
    right: int | None
    weights: tuple[Matrix, ...]
    codes: tuple[Matrix, ...]


@contextmanager
def live(
    inputs: Mapping[str, Sequence[float]] | Sequence[Sequence[float]] = (),
) -> Iterator[Any]:
    """Show training as it goes, in a terminal or a notebook: error, weights, hidden codes.

    Yields what ``train`` takes as ``on_sweep``::

        with live({"00": [0, 0], "01": [0, 1], "10": [1, 0], "11": [1, 1]}) as show:
            nn.train(model, patterns, ..., on_sweep=show)

    ``inputs`` are those whose hidden codes are shown, by name or in a list; without any, weights
    and error alone. Weights are blue where positive and orange where negative, each matrix to its
    own scale; a row is a neuron, its bias first. Frames follow the logarithm of the sweeps, so that
    a run of a second can be watched: it is held back to take some seconds. Raises TypeError for
    inputs that are none, ImportError outside of a notebook where ``rich`` is not installed.
    """
    inputs = _named(inputs)
    screen = _Notebook() if "ipykernel" in sys.modules else _Terminal()
    next_at, next_sweep, last = 0.0, 1.0, None

    def show(model: Module, history: History) -> None:
        nonlocal next_at, next_sweep, last
        if not isinstance(model, Module):
            raise TypeError(f"live expects a model that is a Module, got {shown(model)}")
        last = model, history
        start = time.monotonic()
        if history.sweeps >= next_sweep or start >= next_at:
            screen.show(frame(model, history, inputs))
            took = time.monotonic() - start
            time.sleep(max(0.0, _PAUSE - took) if history.sweeps >= next_sweep else 0.0)
            next_sweep = max(history.sweeps + 1, history.sweeps * _GROWTH)
            next_at = time.monotonic() + max(_PAUSE, _SHARE * took)

    with screen:
        yield show
        if last is not None:
            screen.show(frame(*last, inputs))


def frame(model: Module, history: History, inputs: Mapping[str, Sequence[float]]) -> Frame:
    """Return what is to be seen of ``model`` now."""
    right = history.right[-1] if history.right else None
    errors = tuple(history.errors)
    return Frame(
        history.sweeps, errors, right, tuple(_weights(model)), tuple(_codes(model, inputs))
    )


def _named(inputs: object) -> dict[str, Sequence[float]]:
    """Return the inputs by name, numbered from 1 if they have none."""
    if not isinstance(inputs, (Mapping, Sequence)) or isinstance(inputs, str):
        raise TypeError(f"live expects inputs by name, or a list of them, got {shown(inputs)}")
    items = inputs.items() if isinstance(inputs, Mapping) else enumerate(inputs, 1)
    named = {str(name): one for name, one in items}
    for one in named.values():
        if not isinstance(one, Sequence) or isinstance(one, str):
            raise TypeError(f"live expects each input as a list of numbers, got {shown(one)}")
    return named


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
        use = uses(Numbering(fsum([*last]), None, "live"), owner)
        for part in dict.fromkeys(use.values()):
            hidden = [node.data for node in part.outputs if node not in last]
            if hidden:
                layers.setdefault(part.place.layer, {}).setdefault(name, []).extend(hidden)
    for layer, codes in layers.items():
        rows = tuple(tuple(code[:_MOST]) for code in codes.values())
        yield Matrix(f"codes in {_called(layer)}", tuple(map(plain, codes)), rows, False)


def curve(errors: Sequence[float], width: int = _CURVE) -> str:
    """Return the errors as one line of bars, logarithmic; the last bar is the last error."""
    if not errors:
        return ""
    step = -(-len(errors) // width)
    ends = [errors[min(i + step, len(errors)) - 1] for i in range(0, len(errors), step)]
    logs = [log10(max(1e-300, abs(e))) if e - e == 0 else 300.0 for e in ends]
    low, high = min(logs), max(logs)
    span = (high - low) or 1.0
    return "".join(_BARS[min(7, int(8 * (x - low) / span))] for x in logs)


def shade(x: float, matrix: Matrix) -> tuple[int, int, int]:
    """Return the colour of a number: blue and orange for signs, white to black for codes.

    Codes are shaded from 0 to 1, or from the smallest to the largest if they lie outside.
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
    """Return the colour of a number as rgb(r,g,b)."""
    return "rgb({},{},{})".format(*shade(x, matrix))


def headline(it: Frame) -> str:
    """Return the sweep and the error in words."""
    right = "" if it.right is None else f", {it.right} right"
    return f"sweep {it.sweep:,}: error {it.errors[-1]:.4g}{right}" if it.errors else "no sweep yet"


class _Terminal:
    """Draws frames with ``rich``, each over the last one."""

    def __init__(self) -> None:
        try:
            from rich.live import Live
        except ImportError:
            raise ImportError(
                "live needs rich; install it with: pip install 'microgradient[cli]'"
            ) from None
        self.live = Live(auto_refresh=False, vertical_overflow="ellipsis")

    def __enter__(self) -> _Terminal:
        self.live.__enter__()
        return self

    def __exit__(self, *fault: Any) -> None:
        self.live.__exit__(*fault)

    def show(self, it: Frame) -> None:
        self.live.update(_rich(it), refresh=True)


def _rich(it: Frame) -> Any:
    from rich.columns import Columns
    from rich.console import Group
    from rich.text import Text

    def block(matrix: Matrix, wide: int) -> Text:
        text = Text(f"{matrix.title}\n", no_wrap=True)
        names = matrix.names if not matrix.signed else ("",) * len(matrix.names)
        margin = max(map(len, names), default=0)
        for name, row in zip(names, matrix.rows):
            text.append(f"{name.rjust(margin)} " if margin else "")
            for x in row:
                text.append("█" * wide, css(x, matrix))
            text.append("\n")
        return text

    matrices = (*it.weights, *it.codes)
    wide = 2 if sum(len(m.rows[0]) for m in matrices if m.rows) <= 24 else 1
    blocks = [block(matrix, wide) for matrix in matrices if matrix.rows]
    legend = Text(_LEGEND, "dim")
    return Group(
        Text(headline(it)), Text(curve(it.errors)), Columns(blocks, padding=(0, 3)), legend
    )


class _Notebook:
    """Draws frames as HTML into one output of a cell."""

    def __init__(self) -> None:
        self.handle: Any = None

    def __enter__(self) -> _Notebook:
        return self

    def __exit__(self, *fault: Any) -> None:
        return None

    def show(self, it: Frame) -> None:
        from IPython.display import HTML, display

        if self.handle is None:
            self.handle = display(HTML(html(it)), display_id=True)
        else:
            self.handle.update(HTML(html(it)))


def html(it: Frame) -> str:
    """Return a frame as HTML with inline styles."""
    blocks = "".join(
        f'<table style="display:inline-table;margin:4px 14px 4px 0;border-collapse:collapse">'
        f'<caption style="text-align:left;white-space:nowrap">{markup(matrix.title)}</caption>'
        + "".join(
            "<tr>"
            + ("" if matrix.signed else f"<td>{markup(name)}</td>")
            + "".join(_cell(x, matrix) for x in row)
            + "</tr>"
            for name, row in zip(matrix.names, matrix.rows)
        )
        + "</table>"
        for matrix in (*it.weights, *it.codes)
    )
    line = f'<pre style="margin:0;line-height:1.1">{curve(it.errors)}</pre>'
    return f"<div><b>{markup(headline(it))}</b>{line}{blocks}<br><small>{_LEGEND}</small></div>"


def _cell(x: float, matrix: Matrix) -> str:
    style = f"width:14px;height:14px;padding:0;background:{css(x, matrix)}"
    return f'<td title="{x:.3g}" style="{style}"></td>'
