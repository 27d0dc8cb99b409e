"""live: the error curve, the weights and the hidden codes of a network while it learns."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO, cast

from microgradient.engine.number import shown
from microgradient.nn.module import Module
from microgradient.nn.training.history import History, Onlooker
from microgradient.nn.training.progress import in_notebook
from microgradient.streams import Stream
from microgradient.view.escaping import markup
from microgradient.view.training.frame import Frame, Matrix, css, curve, frame, headline
from microgradient.view.training.screen import Size, on_screen

_PAUSE = 0.1  # seconds: the shortest time for which a frame is shown
_GROWTH = 1.08  # of the sweep number from frame to frame: most happens in the early sweeps
_SHARE = 5  # a long run gets at least this multiple of the time that its frames take
_LEGEND = (
    "weights: blue positive, orange negative, the larger the darker, each matrix on its own scale; "
    "a row is a neuron, its bias first. Codes: white 0, black 1"
)


@contextmanager
def live(
    inputs: Mapping[str, Sequence[float]] | Sequence[Sequence[float]] = (),
) -> Iterator[Callable[[Module, History], object]]:
    """Show training as it runs, in a terminal or a notebook: error, weights, hidden codes.

    Yields a function for the ``on_sweep`` of ``train``::

        with live({"00": [0, 0], "01": [0, 1], "10": [1, 0], "11": [1, 1]}) as show:
            nn.train(model, patterns, ..., on_sweep=show)

    ``inputs``, by name or in a list, are those whose hidden codes are shown; without any, only
    error and weights are. Weights are blue if positive and orange if negative, each matrix on its
    own scale; a row is a neuron, its bias first. The frames are spaced by the logarithm of the
    sweep, and a run of a second is slowed down to a few, so that it can be watched. Raises
    TypeError for ``inputs`` of another kind, and ImportError outside a notebook if ``rich`` is not
    installed.
    """
    inputs = _named(inputs)
    screen = _Notebook() if in_notebook() else _Terminal()
    next_at, next_sweep, last = 0.0, 1.0, None

    def show(model: Module, history: History) -> None:
        nonlocal next_at, next_sweep, last
        if not isinstance(model, Module):
            raise TypeError(f"live expects a model that is a Module, got {shown(model)}")
        last = model, history
        if not screen.moves:
            return
        start = time.monotonic()
        if history.sweeps >= next_sweep or start >= next_at:
            screen.show(frame(model, history, inputs))
            took = time.monotonic() - start
            time.sleep(max(0.0, _PAUSE - took) if history.sweeps >= next_sweep else 0.0)
            next_sweep = max(history.sweeps + 1, history.sweeps * _GROWTH)
            next_at = time.monotonic() + max(_PAUSE, _SHARE * took)

    with screen:
        yield Onlooker(show)
        if last is not None:
            screen.show(frame(*last, inputs))


def _named(inputs: object) -> dict[str, Sequence[float]]:
    """Return the inputs by name, numbered from 1 if they have no names."""
    if not isinstance(inputs, (Mapping, Sequence)) or isinstance(inputs, str):
        raise TypeError(f"live expects inputs by name, or a list of them, got {shown(inputs)}")
    items = inputs.items() if isinstance(inputs, Mapping) else enumerate(inputs, 1)
    named = {str(name): one for name, one in items}
    for one in named.values():
        if not isinstance(one, Sequence) or isinstance(one, str):
            raise TypeError(f"live expects each input as a list of numbers, got {shown(one)}")
    return named


class _Terminal:
    """Draws each frame over the last one with ``rich``; to a file, only the last frame."""

    def __init__(self) -> None:
        try:
            from rich.console import Console
            from rich.live import Live
        except ImportError:
            raise ImportError(
                "live needs rich; install it with: pip install 'microgradient[cli]'"
            ) from None
        console = Console(file=cast(TextIO, Stream("stdout")), highlight=False)
        self.live = Live(console=console, auto_refresh=False, vertical_overflow="ellipsis")
        self.moves = console.is_terminal

    def __enter__(self) -> _Terminal:
        self.live.__enter__()
        return self

    def __exit__(self, *fault: Any) -> None:
        self.live.__exit__(*fault)
        if not self.moves:
            self.live.console.print()

    def show(self, moment: Frame) -> None:
        console = self.live.console
        colors = console.color_system is not None and not console.no_color
        size = Size(console.width, console.height if self.moves else None, colors)
        self.live.update(on_screen(moment, size), refresh=True)


class _Notebook:
    """Draws each frame over the last one, as HTML in the output of a cell."""

    moves = True

    def __init__(self) -> None:
        self.handle: Any = None

    def __enter__(self) -> _Notebook:
        return self

    def __exit__(self, *fault: object) -> None:
        return None

    def show(self, moment: Frame) -> None:
        from IPython.display import HTML, display

        if self.handle is None:
            self.handle = display(HTML(html(moment)), display_id=True)
        else:
            self.handle.update(HTML(html(moment)))


def html(moment: Frame) -> str:
    """Return a frame as HTML with inline styles only."""
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
        for matrix in (*moment.weights, *moment.codes)
    )
    line = f'<pre style="margin:0;line-height:1.1">{curve(moment.errors)}</pre>'
    return f"<div><b>{markup(headline(moment))}</b>{line}{blocks}<br><small>{_LEGEND}</small></div>"


def _cell(x: float, matrix: Matrix) -> str:
    style = f"width:14px;height:14px;padding:0;background:{css(x, matrix)}"
    return f'<td title="{x:.3g}" style="{style}"></td>'
