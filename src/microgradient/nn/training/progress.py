"""A progress bar for training, drawn by ``rich`` on a terminal or in a notebook."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, TextIO, cast

from microgradient.nn.training.history import History
from microgradient.streams import Stream

_PAUSE = 0.1  # seconds between two redraws and before the first: short runs show no bar


@contextmanager
def progress_bar(
    description: str, sweeps: int, patterns: int, wanted: bool | None
) -> Iterator[Callable[[History], None]]:
    """Yield a function to call with the history after each sweep; see ``bar``."""
    with bar(description, "sweep", sweeps, wanted) as show:

        def show_history(history: History) -> None:
            right = f"  right {history.right[-1]}/{patterns}" if history.right else ""
            show(history.sweeps, f"error {history.errors[-1]:.4f}{right}")

        yield show_history


@contextmanager
def bar(
    description: str, unit: str, total: int, wanted: bool | None
) -> Iterator[Callable[..., None]]:
    """Yield a function to call with how many of ``total`` units are done, and a text.

    ``wanted=None`` shows a bar on a terminal or in a notebook if ``rich`` is installed; True shows
    one anywhere and raises ImportError without ``rich``. Without a standard error, there is none.
    """
    stream = Stream("stderr")
    if wanted is None:
        wanted = find_spec("rich") is not None and (stream.isatty() or in_notebook())
    if not wanted:
        yield lambda done, state="": None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    except ImportError:
        raise ImportError(
            "a progress bar needs rich; install it with: pip install 'microgradient[cli]'"
        ) from None
    shown = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        TextColumn(unit + " {task.completed:,}/{task.total:,}  {task.fields[state]}"),
        TimeElapsedColumn(),
        console=Console(file=cast(TextIO, stream)),
        transient=True,
    )
    task = shown.add_task(description, total=total, state="")
    shown_at = time.monotonic()

    def show(done: int, state: str = "") -> None:
        nonlocal shown_at
        if (now := time.monotonic()) - shown_at >= _PAUSE:
            shown_at = now
            shown.start()
            shown.update(task, completed=done, state=state)

    try:
        yield show
    finally:
        shown.stop()


def in_notebook() -> bool:
    """Return whether this runs in a notebook: whether IPython has been imported, with its shell."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)
