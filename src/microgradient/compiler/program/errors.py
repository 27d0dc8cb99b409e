"""The one error of compiling: what cannot be compiled, where, and what to write instead."""

from __future__ import annotations

from microgradient.engine.services.watching import user_line


class CompileError(TypeError):
    """Raised for what a function does that has no place in straight-line code."""

    __module__ = "microgradient"


def refused(what: str, instead: str) -> CompileError:
    """Return the error with the line of the user's code that is running now."""
    return CompileError(f"{what} cannot be compiled: {instead}\n  at {user_line()}")
