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
from microgradient.view.grouping import places
from microgradient.view.numbering import Numbering

_PAUSE = 0.15  # seconds between two frames, at least
_SHARE = 5  # and so many times what a frame takes: training has the rest of the time
_CURVE = 64  # columns of the error curve
_BARS = "▁▂▃▄▅▆▇█"
# Colours that a terminal of 256 has, from small to large.
_BLUES = (38, 38, 38), (0, 0, 95), (0, 0, 175), (0, 95, 215), (0, 135, 255), (135, 215, 255)
_ORANGES = (38, 38, 38), (95, 0, 0), (175, 95, 0), (215, 95, 0), (255, 135, 0), (255, 215, 135)
_MOST = 40  # rows or columns of a matrix that are shown


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
    own scale; a row is a neuron, its bias last. Raises ImportError outside of a notebook where
    ``rich`` is not installed.
    """
    if not isinstance(inputs, Mapping):
        inputs = {str(i + 1): one for i, one in enumerate(inputs)}
    screen = _Notebook() if "ipykernel" in sys.modules else _Terminal()
    next_at, last = 0.0, None

    def show(model: Module, history: History) -> None:
        nonlocal next_at, last
        if not isinstance(model, Module):
            raise TypeError(f"live expects a model that is a Module, got {shown(model)}")
        last = model, history
        if (start := time.monotonic()) >= next_at:
            screen.show(frame(model, history, inputs))
            now = time.monotonic()
            next_at = now + max(_PAUSE, _SHARE * (now - start))

    with screen:
        try:
            yield show
        finally:
            if last is not None:
                screen.show(frame(*last, inputs))


def frame(model: Module, history: History, inputs: Mapping[str, Sequence[float]]) -> Frame:
    """Return what is to be seen of ``model`` now."""
    right = history.right[-1] if history.right else None
    errors = tuple(history.errors)
    return Frame(
        history.sweeps, errors, right, tuple(_weights(model)), tuple(_codes(model, inputs))
    )


def _weights(model: Module) -> Iterator[Matrix]:
    """Yield a matrix for each module with neurons: one row for each, its bias at the end."""
    rows: dict[str, list[tuple[float, ...]]] = {}
    modules = model.named_modules()
    for path, module in modules.items():
        values = list(_own(module))
        if values:
            layer = path.rpartition(".neurons.")[0] if ".neurons." in path else path
            rows.setdefault(layer, []).append(tuple(v.data for v in values)[:_MOST])
    for layer, matrix in rows.items():
        names = tuple(str(i + 1) for i in range(len(matrix)))
        yield Matrix(f"weights of {_called(layer)}", names[:_MOST], tuple(matrix[:_MOST]), True)


def _called(path: str) -> str:
    """Return ``layer 0`` for ``layers.0``, ``person code`` for ``layers.person code``."""
    name = path.removeprefix("layers.")
    return f"layer {name}" if name.isdigit() else plain(name) or "the neuron"


def _own(module: Module) -> Iterator[Value]:
    """Yield the parameters that are attributes of this very module, or stand in its lists."""
    for thing in vars(module).values():
        for value in thing if isinstance(thing, (list, tuple)) else (thing,):
            if type(value) is Value and not value.parents:
                yield value


def _codes(model: Any, inputs: Mapping[str, Sequence[float]]) -> Iterator[Matrix]:
    """Yield a matrix for each hidden layer: one row for each input, one column for each neuron."""
    layers: dict[str, dict[str, list[float]]] = {}
    last = ""
    for name, one in list(inputs.items())[:_MOST]:
        outputs = model([Value(x) for x in one])
        total = fsum(outputs if isinstance(outputs, (list, tuple)) else [outputs])
        graph = Numbering(total, {"": model}, "live")
        place = places(graph)
        inside = {p for n in graph.nodes for p in n.parents if place.get(p) == place.get(n)}
        for node in graph.nodes:
            if node in place and node.parents and node not in inside:
                last = place[node].layer
                layers.setdefault(last, {}).setdefault(name, []).append(node.data)
    layers.pop(last, None)
    for layer, codes in layers.items():
        title = f"codes in {_called(layer)}"
        rows = tuple(tuple(code[:_MOST]) for code in codes.values())
        yield Matrix(title, tuple(map(plain, codes)), rows, False)


def curve(errors: Sequence[float], width: int = _CURVE) -> str:
    """Return the errors as one line of bars, on a logarithmic scale."""
    if not errors:
        return ""
    step = max(1, -(-len(errors) // width))
    logs = [log10(max(1e-300, abs(e))) if e - e == 0 else 0.0 for e in errors[::step]]
    low, high = min(logs), max(logs)
    span = (high - low) or 1.0
    return "".join(_BARS[min(7, int(8 * (x - low) / span))] for x in logs)


def shade(x: float, matrix: Matrix) -> tuple[int, int, int]:
    """Return the colour of a number: blue and orange for signs, black to white for codes."""
    part = min(1.0, abs(x) / matrix.largest) if x - x == 0 else 1.0
    if not matrix.signed:
        level = round(35 + 215 * max(0.0, min(1.0, x if matrix.largest <= 1 else part)))
        return level, level, level
    return (_BLUES if x > 0 else _ORANGES)[min(5, int(6 * part))]


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
    return Group(Text(headline(it)), Text(curve(it.errors)), Columns(blocks, padding=(0, 3)))


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
    return f"<div><b>{markup(headline(it))}</b>{line}{blocks}</div>"


def _cell(x: float, matrix: Matrix) -> str:
    style = f"width:14px;height:14px;padding:0;background:{css(x, matrix)}"
    return f'<td title="{x:.3g}" style="{style}"></td>'
