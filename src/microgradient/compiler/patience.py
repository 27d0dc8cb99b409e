"""Compiling that takes long: it says so, and Ctrl-C ends it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from microgradient.engine.services.collector import without_collector

T = TypeVar("T")
_SECONDS = 2.0


def compiling(what: str, work: Callable[..., T], /, *args: Any) -> T:
    """Return ``work(*args)``, called with the garbage collector off.

    If that takes longer than two seconds, standard error says that ``what`` is being compiled.
    """
    notice = threading.Timer(_SECONDS, _say, (what,))
    notice.daemon = True
    with suppress(RuntimeError):  # as the interpreter ends, no thread can be started
        notice.start()
    try:
        return without_collector(work, *args)
    finally:
        notice.cancel()


def _say(what: str) -> None:
    with suppress(AttributeError, OSError, ValueError):  # there may be no stream, or a closed one
        sys.stderr.write(f"microgradient: compiling {what} takes a while (Ctrl-C ends it)\n")
        sys.stderr.flush()


def interruptible(work: Callable[[], T]) -> T:
    """Return ``work()``, called in another thread, so that Ctrl-C need not wait for its end.

    For calls into libraries, which no signal interrupts: after Ctrl-C they go on until they end,
    and nobody takes their result. Python does not end before, nor fork: the library would be found
    in the middle of its work, with its locks held.
    """
    outcome: list[T] = []
    faults: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as fault:
            faults.append(fault)
        finally:
            ended.set()

    ended = threading.Event()  # a join that is interrupted takes the thread for ended (3.11)
    thread = threading.Thread(target=run)  # no daemon: Python waits for it at its end
    try:
        try:
            thread.start()
        except RuntimeError:  # as the interpreter ends
            return work()
        while not ended.wait(0.1):  # a signal just before a wait begins would not end it
            pass
    except BaseException:  # Ctrl-C may come before ``start`` has returned
        _left_behind.append(thread)
        raise
    if faults:
        raise faults[0]
    return outcome[0]


_left_behind: list[threading.Thread] = []


def _wait() -> None:
    """Wait for what Ctrl-C left behind."""
    while _left_behind:
        with suppress(RuntimeError):  # it did not start
            _left_behind.pop().join()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_wait)
