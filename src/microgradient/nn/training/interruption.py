"""Ctrl-C: the first one ends a training run, a second one soon after it the program."""

from __future__ import annotations

import time
from math import inf

SOON = 2.0  # seconds

_last = -inf
"""When Ctrl-C was last pressed in a training run."""


def is_second() -> bool:
    """Note a Ctrl-C; return whether another one came within ``SOON`` seconds before it."""
    global _last
    before, _last = _last, time.monotonic()
    return _last - before < SOON
