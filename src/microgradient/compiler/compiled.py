"""``compile``: a function of numbers, run once on symbols, becomes a program that runs fast."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import update_wrapper
from typing import Any

from microgradient.compiler.backends import LOWERINGS, Kernel, kernel_of
from microgradient.compiler.calling.arguments import Argument, Arguments, SymbolGiven
from microgradient.compiler.calling.results import Results
from microgradient.compiler.program.errors import refused
from microgradient.compiler.program.passes import recorded
from microgradient.compiler.program.program import Program
from microgradient.compiler.program.tracing import Trace
from microgradient.engine.number import shown

Where = int | str | Iterable[int | str]
"""Arguments: positions of positional ones, names of keywords."""


def compile(
    f: Callable[..., Any],
    *,
    rows: Where = (),
    replicas: Where = (),
    each: bool = False,
    static: Where = (),
    lowering: str = "auto",
) -> Compiled:
    """Return a function with the arguments and results of ``f`` that runs as compiled code.

    ``f`` may be a derivative: ``compile(grad(loss))``. Its first call fixes the shapes of the
    arguments; bare numbers go in and come out. ``rows`` names arguments that hold one example for
    each row of a NumPy array or a list: the result is summed over the rows, or with ``each`` a list
    of the results (arrays, for arrays). ``replicas`` names arguments that hold many sets of
    numbers, such as parameters: the result is a list, one for each set. ``static`` names arguments
    that are no numbers to compute with, such as sizes: they are compiled in.

    ``lowering`` is "llvm" (machine code, needs the extra ``fast``), "python" (source), or "auto",
    the first of them that works here. Raises CompileError, with the line of ``f``, for what has no
    place in straight-line code. Results agree with those of ``f`` as docs/compile.md states.
    """
    if not callable(f):
        raise TypeError(f"compile expects a function, got {shown(f)}")
    if lowering not in LOWERINGS:
        raise ValueError(f"lowering must be one of {', '.join(LOWERINGS)}, got {shown(lowering)}")
    if each and (not _places(rows) or _places(replicas)):
        raise ValueError("each asks for a result for each row: it goes with rows, without replicas")
    return Compiled(
        f, Arguments(f, _places(rows), _places(replicas), _places(static)), each, lowering
    )


class Compiled:
    """A compiled function: call it like the function. ``program`` is what it runs."""

    def __init__(
        self, f: Callable[..., Any], arguments: Arguments, each: bool, lowering: str
    ) -> None:
        update_wrapper(self, f, updated=())
        self._function, self._arguments, self._each, self._lowering = f, arguments, each, lowering
        self._lock = threading.RLock()
        self._building = False
        self._built: tuple[Sequence[Argument], Program, Kernel, Results] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            arguments, _, kernel, results = self._ready(args, kwargs)
            given = self._arguments.numbers(arguments, args, kwargs)
        except SymbolGiven:
            return self._function(*args, **kwargs)  # within another compilation
        if given.replicas is not None:
            return results.each(self._replicated(kernel, given), given.replicas)
        if given.rows is None:
            return results.one(list(kernel.run(given.shared)))
        outputs = kernel.run_rows(given.shared, given.rows.table)
        return results.each(outputs, given.rows) if self._each else results.one(list(outputs))

    def trace(self, *args: Any, **kwargs: Any) -> Program:
        """Return the program for arguments of these shapes, as a call would fix it."""
        return self._ready(args, kwargs)[1]

    @property
    def program(self) -> Program:
        """The program that calls run; RuntimeError before the first."""
        if self._built is None:
            raise RuntimeError("the first call fixes the shapes; call trace(…) with arguments")
        return self._built[1]

    def __repr__(self) -> str:
        name = getattr(self._function, "__name__", "a function")
        return f"<compiled {name}{f', {self._built[1]!r}' if self._built else ''}>"

    def _ready(self, args: Any, kwargs: Any) -> tuple[Sequence[Argument], Program, Kernel, Results]:
        built = self._built
        if built is None:
            with self._lock, _without_collector():
                if self._building:
                    raise refused("a function that calls its own compiled form", "call itself")
                self._building = True
                try:
                    built = self._built = self._built or self._build(args, kwargs)
                finally:
                    self._building = False
        return built

    def _build(self, args: Any, kwargs: Any) -> tuple[Sequence[Argument], Program, Kernel, Results]:
        arguments = self._arguments.shapes(args, kwargs)
        inputs = [name for argument in arguments for name in argument.names]
        trace = Trace(len(inputs))
        positional, keywords = self._arguments.filled(arguments, iter(trace.inputs()))
        over = self._arguments
        rows = "each" if over.replicas or over.rows else ""
        if over.rows and not self._each:
            rows = "summed"
        results = Results(trace, self._function(*positional, **keywords), rows)
        varying = "replicas" if self._arguments.replicas else "rows"
        program = recorded(trace, results.slots, inputs)
        program = program.over(self._arguments.inputs(arguments, varying), self._keeps_each())
        return arguments, program, kernel_of(program, self._lowering), results

    def _keeps_each(self) -> bool:
        return self._each or bool(self._arguments.replicas)

    def _replicated(self, kernel: Kernel, given: Any) -> Any:
        """Return the outputs of each replica; with rows too, summed over these one by one."""
        assert given.replicas is not None
        if given.rows is None:
            return kernel.run_rows(given.shared, given.replicas.table)
        total: list[list[float]] | None = None
        if not given.rows.count:
            return [[0.0] * len(self.program.outputs)] * given.replicas.count
        rows = given.rows.table
        for row in rows.tolist() if given.rows.is_array else rows:
            outputs = kernel.run_rows(given.with_row(row), given.replicas.table)
            if total is None:
                total = [list(numbers) for numbers in outputs]
            else:
                total = [[a + b for a, b in zip(s, t)] for s, t in zip(total, outputs)]
        return total


@contextmanager
def _without_collector() -> Iterator[None]:
    """Pause Python's garbage collector: a program is no garbage, and walking it takes a quarter."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _places(where: Where) -> tuple[int | str, ...]:
    if not isinstance(where, (int, str, Iterable)):
        raise TypeError(f"expected positions or names of arguments, got {shown(where)}")
    places = (where,) if isinstance(where, (int, str)) else tuple(where)
    for place in places:
        if isinstance(place, bool) or not isinstance(place, (int, str)) or place == -1:
            raise TypeError(f"expected positions 0, 1, … or names of arguments, got {shown(place)}")
    return places
