"""Record, while a block runs, the line of user code that made each node, and variable names."""

from __future__ import annotations

import linecache
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

open_blocks = 0  # in all threads: every new node reads this first, since it is cheap
switches: list[Callable[[int], object]] = []  # they get that number whenever it changes
_PACKAGE = str(Path(__file__).parents[2]) + os.sep


class Line(NamedTuple):
    """A line of source: the file as Python names it, the number from 1, the text."""

    file: str
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.number}" + (f": {self.text}" if self.text else "")


class Watch(dict[str, object]):
    """The record of a block: a mapping from variable names to objects, and ``lines`` by node.

    Every view takes it as its parameter ``names``. ``strict`` makes a node whose number is not
    finite an error.
    """

    def __init__(self, strict: bool = False) -> None:
        super().__init__()
        self.strict = strict
        self.lines: dict[Any, Line] = {}
        self.outer: Watch | None = None
        self.ended = False

    def copied(self) -> Watch:
        """Return a record that can be extended while this one stays as it is."""
        twin = Watch(self.strict)
        twin.update(self)
        twin.lines = dict(self.lines)
        return twin


_current: ContextVar[Watch | None] = ContextVar("current", default=None)


@contextmanager
def watch() -> Iterator[Watch]:
    """Record the source line of every node made in this block, and the names of variables.

    Every view takes the result as its parameter ``names``::

        with watch() as seen:
            s = w * x + b
            y = tanh(s)
        page(y, seen)

    The names are those of the local variables when the block ends. Other threads are not watched.
    In the block, making a node takes several times as long as usual, and the nodes live as long as
    the result does. An inner block shares the lines of the outer one.
    """
    frame: FrameType = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__") == "contextlib":
        frame = frame.f_back
    seen = Watch()
    try:
        with watched(seen):
            yield seen
    finally:
        seen.update(frame.f_locals)


def current() -> Watch | None:
    """Return the watch of the innermost open block in this thread, or None.

    Blocks in generators may end in any order, and in a context other than the one they began in.
    """
    watch = _current.get()
    while watch is not None and watch.ended:
        watch = watch.outer
    return watch


@contextmanager
def watched(seen: Watch) -> Iterator[None]:
    """Record in ``seen`` the lines of the nodes made in this block.

    Ctrl-C may come as Python enters or leaves a function: whatever has been done then is undone.
    """
    global open_blocks
    if (outer := current()) is not None:
        seen.outer, seen.lines, seen.strict = outer, outer.lines, seen.strict or outer.strict
    counted = 0
    try:
        _current.set(seen)
        open_blocks += 1
        counted = 1
        _tell()
        yield
    finally:
        seen.ended = True
        open_blocks -= counted
        _tell()
        if _current.get() is seen:  # else it ends out of order, or in another context
            _current.set(seen.outer)


def _tell() -> None:
    for switch in switches:
        switch(open_blocks)


@contextmanager
def paused() -> Iterator[None]:
    """Stop watching, as for the nodes of a derivative: it may compute branches it does not take."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def warn_user(message: str) -> None:
    """Warn at the running line of the nearest frame outside this package."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def user_line() -> Line:
    """Return the running line of the nearest frame outside this package."""
    frame: FrameType = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    file, number = frame.f_code.co_filename, frame.f_lineno
    return Line(file, number, linecache.getline(file, number).strip())
