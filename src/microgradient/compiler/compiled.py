"""``compile``: a function of numbers, traced once on symbols, runs as a program."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import update_wrapper
from typing import Any, NamedTuple

from microgradient.compiler.backends import Kernel, check_backend, kernel_of, source_of
from microgradient.compiler.calling.arguments import Argument, Arguments, Given, SymbolGiven
from microgradient.compiler.calling.results import Results
from microgradient.compiler.program.errors import refused
from microgradient.compiler.program.passes import program_of
from microgradient.compiler.program.program import Program
from microgradient.compiler.program.tracing import Trace
from microgradient.engine.number import shown

Where = int | str | Iterable[int | str]
"""Arguments: positions of positional ones, names of keywords."""


def compile(
    f: Callable[..., Any],
    *,
    batch: Where = (),
    reduce: str | None = None,
    replicas: Where = (),
    static: Where = (),
    backend: str = "auto",
) -> Compiled:
    """Return a function with the arguments and results of ``f`` that runs as compiled code.

    ``f`` may be a derivative: ``compile(grad(loss))``. Its first call fixes the shapes of the
    arguments; bare numbers go in and come out.

    ``batch`` names arguments that hold many examples, along the first axis of a NumPy array or in a
    list: the result is one for each example (arrays, for arrays), or with ``reduce="sum"`` their
    sum. ``replicas`` names arguments that hold many sets of numbers, such as parameters: the result
    is a list, one for each set, summed over the batch if there is one. ``static`` names arguments
    that are not numbers to compute with, such as sizes: they are compiled in.

    ``backend`` is "llvm" (machine code, needs the extra ``fast``), "python" (source), or "auto",
    the first of them that works here. Raises CompileError, with the line of ``f``, for what has no
    place in straight-line code. Results agree with those of ``f`` as docs/compile.md states.
    """
    if not callable(f):
        raise TypeError(f"compile expects a function, got {shown(f)}")
    check_backend(backend)
    if reduce is not None and (not isinstance(reduce, str) or reduce != "sum"):
        raise ValueError(f'reduce must be "sum" or None, got {shown(reduce)}')
    batched, replicated = _places(batch), _places(replicas)
    if reduce and not batched:
        raise ValueError("reduce sums over a batch: name its arguments, batch=…")
    if batched and replicated and not reduce:
        raise ValueError(
            'replicas have one result for a whole batch: write reduce="sum" with batch and replicas'
        )
    return Compiled(f, Arguments(f, batched, replicated, _places(static)), reduce, backend)


class _Built(NamedTuple):
    """What the first call makes: how arguments go in, what runs, how results come out."""

    arguments: Sequence[Argument]
    program: Program
    kernel: Kernel
    results: Results


class Compiled:
    """A compiled function: call it like the function."""

    def __init__(
        self, f: Callable[..., Any], arguments: Arguments, reduce: str | None, backend: str
    ) -> None:
        update_wrapper(self, f, updated=())
        self._function, self._arguments = f, arguments
        self._reduce, self._backend = reduce, backend
        self._lock = threading.RLock()
        self._building = False
        self._built: _Built | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            arguments, _, kernel, results = self._ready(args, kwargs)
            given = self._arguments.numbers(arguments, args, kwargs)
        except SymbolGiven:  # within another compilation
            if self._arguments.batch or self._arguments.replicas:
                raise refused(
                    "a call of a function compiled for a batch or replicas",
                    "call the function itself, example by example",
                ) from None
            return self._function(*args, **kwargs)
        if given.replicas is not None:
            return results.each(self._replicated(arguments, kernel, given), given.replicas)
        if given.batch is None:
            return results.one(list(kernel.run(given.uniform)))
        outputs = kernel.run_batch(given.uniform, given.batch.numbers)
        return results.one(list(outputs)) if self._reduce else results.each(outputs, given.batch)

    def program(self, *args: Any, **kwargs: Any) -> Program:
        """Return the program that calls run; arguments fix its shapes as a first call would.

        Raises RuntimeError without arguments before the first call, where ``f`` needs some, and
        CompileError for arguments of other shapes than the first call's.
        """
        if self._built is None and not (args or kwargs) and self._arguments.parameters:
            raise RuntimeError(
                "the first call fixes the shapes: call it, or program(…) with such arguments"
            )
        built = self._ready(args, kwargs)
        if args or kwargs:
            self._arguments.numbers(built.arguments, args, kwargs)  # or it says what differs
        return built.program

    def source(self, backend: str) -> str:
        """Return the program of ``program()`` as source text: "python", or "llvm" for LLVM IR.

        Neither needs llvmlite. Raises RuntimeError before the first call.
        """
        return source_of(self.program(), backend)

    def __repr__(self) -> str:
        name = getattr(self._function, "__name__", "a function")
        return f"<compiled {name}{f', {self._built.program!r}' if self._built else ''}>"

    def _ready(self, args: Any, kwargs: Any) -> _Built:
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

    def _build(self, args: Any, kwargs: Any) -> _Built:
        roles = self._arguments
        arguments = roles.shapes(args, kwargs)
        names = [name for argument in arguments for name in argument.names]
        trace = Trace(len(names))
        positional, keywords = roles.filled(arguments, iter(trace.inputs()))
        counted = bool(roles.batch or roles.replicas)
        output = self._function(*positional, **keywords)
        results = Results(trace, output, counted, bool(self._reduce))
        varying = roles.inputs(arguments, "replicas" if roles.replicas else "batch")
        reduce = None if roles.replicas else self._reduce
        program = program_of(trace, results.slots, names, varying, reduce)
        return _Built(arguments, program, kernel_of(program, self._backend), results)

    def _replicated(self, arguments: Sequence[Argument], kernel: Kernel, given: Given) -> Any:
        """Return the outputs of each replica; of a batch, they are summed one example at a time."""
        assert given.replicas is not None
        replicas = given.replicas.numbers
        if given.batch is None:
            return kernel.run_batch(given.uniform, replicas)
        if not given.batch.size:
            return [[0.0] * len(self.program().outputs)] * given.replicas.size
        uniform = [a for a in arguments if a.role != "replicas"]
        of_batch = [a.role == "batch" for a in uniform for _ in a.names]
        total: list[list[float]] | None = None
        for example in given.batch.lists():
            own, shared = iter(example), iter(given.uniform)
            inputs = [next(own if batched else shared) for batched in of_batch]
            outputs = kernel.run_batch(inputs, replicas)
            if total is None:
                total = [list(numbers) for numbers in outputs]
            else:
                total = [[a + b for a, b in zip(s, t)] for s, t in zip(total, outputs)]
        return total


@contextmanager
def _without_collector() -> Iterator[None]:
    """Pause the garbage collector, which takes a quarter: tracing keeps everything alive."""
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
        if not (isinstance(place, str) or (type(place) is int and place >= 0)):
            raise TypeError(f"expected positions 0, 1, … or names of arguments, got {shown(place)}")
    return places
