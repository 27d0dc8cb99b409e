"""Remember, while a block runs, which line of user code made each node, and what it is called."""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

open_blocks = 0  # how many blocks are open, in all threads: the cheap first question of a new node
_PACKAGE = str(Path(__file__).parents[2]) + os.sep


class Line(NamedTuple):
    """A line of source: the file as Python names it, the number from 1, the text."""

    file: str
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.number}" + (f": {self.text}" if self.text else "")


class Watch(dict[str, object]):
    """What a block was seen doing: names of the user's variables, and ``lines`` by node.

    A mapping from names to objects, for the parameter ``names`` of every view. ``strict`` means
    that a node whose number is not finite is an error.
    """

    def __init__(self, strict: bool = False) -> None:
        super().__init__()
        self.strict = strict
        self.lines: dict[Any, Line] = {}
        self.outer: Watch | None = None
        self.ended = False


_current: ContextVar[Watch | None] = ContextVar("current", default=None)


@contextmanager
def watch() -> Iterator[Watch]:
    """Remember the source line of every node made in this block, and the names of variables.

    The result serves as ``names`` of every view::

        with watch() as seen:
            s = w * x + b
            y = tanh(s)
        page(y, seen)

    Names are those of the variables around the block when it ends. Other threads are not watched.
    Making a node costs several times its normal time meanwhile, and what was made is kept as long
    as the result is. Of blocks within one another, the inner one shares the outer one's lines.
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
    """Return what watches this thread now: of the blocks around, the inner one that has not ended.

    Blocks of generators may end in any order, and in another context than they began in.
    """
    watch = _current.get()
    while watch is not None and watch.ended:
        watch = watch.outer
    return watch


@contextmanager
def watched(seen: Watch) -> Iterator[None]:
    """Let ``seen`` have the lines of the nodes made in this block."""
    global open_blocks
    if (outer := current()) is not None:
        seen.outer, seen.lines, seen.strict = outer, outer.lines, seen.strict or outer.strict
    _current.set(seen)
    open_blocks += 1
    try:
        yield
    finally:
        open_blocks -= 1
        seen.ended = True
        if _current.get() is seen:  # else it ends out of turn, or in another context
            _current.set(seen.outer)


@contextmanager
def paused() -> Iterator[None]:
    """Do not watch the nodes of a derivative: its formula may compute a branch it does not take."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def user_line() -> Line:
    """Return the line that is running in the nearest frame outside this package."""
    frame: FrameType = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    file, number = frame.f_code.co_filename, frame.f_lineno
    return Line(file, number, linecache.getline(file, number).strip())
