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
_PACKAGE = str(Path(__file__).parents[1]) + os.sep


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


current: ContextVar[Watch | None] = ContextVar("current", default=None)


@contextmanager
def watch() -> Iterator[Watch]:
    """Remember the source line of every node made in this block, and the names of variables.

    The result serves as ``names`` of every view::

        with watch() as seen:
            s = w * x + b
            y = tanh(s)
        page(y, seen)

    Names are those of the variables around the block when it ends. Other threads are not watched.
    Making a node costs several times its normal time meanwhile.
    """
    frame = sys._getframe(2)  # past contextlib's
    seen = Watch()
    try:
        with watched(seen):
            yield seen
    finally:
        seen.update(frame.f_locals)


@contextmanager
def watched(seen: Watch) -> Iterator[None]:
    """Let ``seen`` have the lines of the nodes made in this block."""
    global open_blocks
    if (outer := current.get()) is not None:
        seen.lines, seen.strict = outer.lines, seen.strict or outer.strict
    token = current.set(seen)
    open_blocks += 1
    try:
        yield
    finally:
        open_blocks -= 1
        current.reset(token)


@contextmanager
def paused() -> Iterator[None]:
    """Do not watch the nodes of a derivative: its formula may compute a branch it does not take."""
    token = current.set(None)
    try:
        yield
    finally:
        current.reset(token)


def user_line() -> Line:
    """Return the line that is running in the nearest frame outside this package."""
    frame: FrameType = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    file, number = frame.f_code.co_filename, frame.f_lineno
    return Line(file, number, linecache.getline(file, number).strip())
