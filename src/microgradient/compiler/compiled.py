"""``compile``: a function of numbers, traced once on symbols, runs as a program."""

from __future__ import annotations

import copy
import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial, update_wrapper
from types import MethodType
from typing import Any, NamedTuple, overload

from microgradient.compiler.backends import Kernel, check_backend, kernel_of, source_of
from microgradient.compiler.calling.arguments import Argument, Arguments, Given
from microgradient.compiler.calling.results import Results
from microgradient.compiler.calling.structures import SymbolGiven
from microgradient.compiler.patience import compiling
from microgradient.compiler.program.errors import refused
from microgradient.compiler.program.passes import program_of
from microgradient.compiler.program.program import Program
from microgradient.compiler.program.tracing import Trace
from microgradient.engine.number import shown
from microgradient.engine.services.blocks import quiet
from microgradient.engine.services.origins import named, picklable
from microgradient.engine.services.watching import warn_user

_MOST = 64  # programs kept of one function
_MANY = 32  # traces of one function after which a warning says what makes them

Where = int | str | Iterable[int | str]
"""Arguments: positions of positional ones, names of keywords."""


@overload
def compile(
    f: Callable[..., Any],
    *,
    batch: Where = (),
    reduce: str | None = None,
    replicas: Where = (),
    static: Where = (),
    backend: str = "auto",
) -> Compiled: ...
@overload
def compile(
    f: None = None,
    *,
    batch: Where = (),
    reduce: str | None = None,
    replicas: Where = (),
    static: Where = (),
    backend: str = "auto",
) -> Callable[[Callable[..., Any]], Compiled]: ...
def compile(
    f: Callable[..., Any] | None = None,
    *,
    batch: Where = (),
    reduce: str | None = None,
    replicas: Where = (),
    static: Where = (),
    backend: str = "auto",
) -> Compiled | Callable[[Callable[..., Any]], Compiled]:
    """Return a function with the arguments and results of ``f`` that runs as compiled code.

    ``f`` may be a derivative: ``compile(grad(loss))``. Bare numbers go in and come out. A call with
    arguments of another structure, shape or static value compiles ``f`` once more; the last 64
    programs are kept (see ``Compiled.cache_info``). A method is compiled for its object.

    ``batch`` names arguments that hold many examples, along the first axis of a NumPy array or in a
    list: the result is one for each example (arrays, for arrays), or with ``reduce="sum"`` their
    sum. ``replicas`` names arguments that hold many sets of numbers, such as parameters: the result
    is a list, one for each set, summed over the batch if there is one. ``static`` names arguments
    that are not numbers to compute with, such as sizes: they are compiled in, by their contents.

    ``backend`` is "llvm" (machine code, needs the extra ``fast``), "python" (source), or "auto",
    the first of them that works here. Raises CompileError, with the line of ``f``, for what has no
    place in straight-line code. Results agree with those of ``f`` as docs/compile.md states.
    Without ``f`` it is a decorator with settings: ``@compile(batch=0)``.
    """
    if f is None:
        return partial(
            compile, batch=batch, reduce=reduce, replicas=replicas, static=static, backend=backend
        )
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


class CacheInfo(NamedTuple):
    """Calls that ran a program that was there, those that compiled one, and how many are kept."""

    hits: int
    misses: int
    maxsize: int
    currsize: int


class _Built(NamedTuple):
    """What a trace makes: how arguments go in, what runs, how results come out."""

    arguments: Sequence[Argument]
    program: Program
    kernel: Kernel
    results: Results


class Compiled:
    """A compiled function: call it like the function.

    It binds as a method does. It is copied and pickled by its function, and compiles anew.
    """

    def __init__(
        self, f: Callable[..., Any], arguments: Arguments, reduce: str | None, backend: str
    ) -> None:
        update_wrapper(self, f, updated=())
        self._function, self._arguments = f, arguments
        self._reduce, self._backend = reduce, backend
        self._lock = threading.RLock()
        self._building = False
        self._programs: OrderedDict[Hashable, _Built] = OrderedDict()
        self._latest: _Built | None = None
        self._hits = self._misses = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if not (kwargs or self._arguments.has_roles):  # nearly always: as fast as can be
                key, numbers = self._arguments.plain(args)
                built = self._programs.get(key)
                if built is not None:
                    self._used(key, built)
                    return built.results.one(built.kernel.run(numbers))
            given = self._arguments.given(args, kwargs)
        except SymbolGiven:  # within another compilation
            if self._arguments.batch or self._arguments.replicas:
                raise refused(
                    "a call of a function compiled for a batch or replicas",
                    "call the function itself, example by example",
                ) from None
            return self._function(*args, **kwargs)
        built = self._ready(given)
        kernel, results = built.kernel, built.results
        if given.replicas is not None:
            return results.each(self._replicated(built, given), given.replicas)
        if given.batch is None:
            return results.one(kernel.run(given.uniform))
        outputs = kernel.run_batch(given.uniform, given.batch.rows)
        return results.one(outputs) if self._reduce else results.each(outputs, given.batch)

    def program(self, *args: Any, **kwargs: Any) -> Program:
        """Return the program that a call with these arguments runs; without any, the last one.

        Raises RuntimeError without arguments before the first call, where ``f`` needs some.
        """
        if not (args or kwargs):
            if self._programs:
                return self._programs[next(reversed(self._programs))].program
            if self._arguments.parameters:
                raise RuntimeError(
                    "the first call fixes the shapes: call it, or program(…) with such arguments"
                )
        return self._ready(self._arguments.given(args, kwargs)).program

    def source(self, backend: str, *args: Any, **kwargs: Any) -> str:
        """Return the program of ``program(…)`` as source text: "python", or "llvm" for LLVM IR.

        Neither needs llvmlite. Raises RuntimeError before the first call.
        """
        return source_of(self.program(*args, **kwargs), backend)

    def cache_info(self) -> CacheInfo:
        """Return how many calls found their program, how many compiled one, and how many are kept.

        The names are those of ``functools.lru_cache``: ``misses`` counts the traces.
        """
        return CacheInfo(self._hits, self._misses, _MOST, len(self._programs))

    def cache_clear(self) -> None:
        """Forget all programs: the next call compiles anew, whatever ``f`` closes over by then."""
        with self._lock:
            self._programs.clear()
            self._latest = None
            self._hits = self._misses = 0

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __set_name__(self, owner: type, name: str) -> None:
        self._arguments.bind(owner)

    def __copy__(self) -> Compiled:
        return self._again()(self._function)

    def __deepcopy__(self, memo: dict[int, Any]) -> Compiled:
        return self._again()(copy.deepcopy(self._function, memo))

    def __reduce__(self) -> Any:
        if named(self._function) is self:  # it is decorated: its name is that of its compiled form
            return self._function.__qualname__
        return self._again(), (picklable(self._function),)

    def _again(self) -> Callable[[Callable[..., Any]], Compiled]:
        """Return ``compile`` with the settings of this one."""
        roles = self._arguments
        return partial(
            compile,
            batch=roles.batch,
            replicas=roles.replicas,
            static=roles.static,
            reduce=self._reduce,
            backend=self._backend,
        )

    def __repr__(self) -> str:
        name = getattr(self._function, "__name__", "a function")
        return f"<compiled {name}{f', {self.program()!r}' if self._programs else ''}>"

    def _ready(self, given: Given) -> _Built:
        """Return what is compiled for a call, compiled now unless it is there."""
        programs, key = self._programs, given.key
        built = programs.get(key)
        if built is not None:
            self._used(key, built)
            return built
        with self._lock:
            if self._building:
                raise refused("a function that calls its own compiled form", "call itself")
            if key in programs:  # another thread has just compiled it
                self._hits += 1
                return programs[key]
            self._building = True
            try:
                name = getattr(self._function, "__name__", "a function")
                built = compiling(name, self._build, given)
            finally:
                self._building = False
            self._keep(key, built)
        return built

    def _used(self, key: Hashable, built: _Built) -> None:
        """Count a hit; the program that was used longest ago is the first to go."""
        self._hits += 1
        if built is self._latest:  # nearly always
            return
        self._latest = built
        try:
            self._programs.move_to_end(key)
        except KeyError:  # another thread has just dropped it
            return

    def _keep(self, key: Hashable, built: _Built) -> None:
        self._misses += 1
        if self._misses == _MANY:
            differing = self._arguments.differing(key, next(reversed(self._programs)))
            warn_user(
                f"{self._function!r} has been compiled {_MANY} times, now for another structure, "
                f"shape or static value of {', '.join(differing)}; pass what changes as a number, "
                "or pad it to a few sizes (cache_info() counts)"
            )
        while len(self._programs) >= _MOST:
            self._programs.popitem(last=False)
        self._programs[key] = self._latest = built

    def _build(self, given: Given) -> _Built:
        roles = self._arguments
        arguments = roles.shapes(given)
        names = [name for argument in arguments for name in argument.names]
        trace = Trace(len(names))
        positional, keywords = roles.filled(arguments, iter(trace.inputs()))
        counted = bool(roles.batch or roles.replicas)
        with quiet():
            output = self._function(*positional, **keywords)
        results = Results(trace, output, counted, bool(self._reduce))
        varying = roles.inputs(arguments, "replicas" if roles.replicas else "batch")
        reduce = None if roles.replicas else self._reduce
        program = program_of(trace, results.slots, names, varying, reduce)
        return _Built(arguments, program, kernel_of(program, self._backend), results)

    def _replicated(self, built: _Built, given: Given) -> Any:
        """Return the outputs of each replica; of a batch, they are summed one example at a time."""
        assert given.replicas is not None
        kernel, replicas = built.kernel, given.replicas.rows
        if given.batch is None:
            return kernel.run_batch(given.uniform, replicas)
        if not given.batch.size:
            return [[0.0] * len(built.program.outputs)] * given.replicas.size
        uniform = [a for a in built.arguments if a.role != "replicas"]
        of_batch = [a.role == "batch" for a in uniform for _ in a.names]
        shared_numbers = array("d", bytes(given.uniform))
        total: list[list[float]] | None = None
        for example in given.batch.lists():
            own, shared = iter(example), iter(shared_numbers)
            inputs = array("d", [next(own if batched else shared) for batched in of_batch])
            outputs = kernel.run_batch(inputs, replicas)
            if total is None:
                total = [list(numbers) for numbers in outputs]
            else:
                total = [[a + b for a, b in zip(s, t)] for s, t in zip(total, outputs)]
        return total


def _places(where: Where) -> tuple[int | str, ...]:
    if not isinstance(where, (int, str, Iterable)):
        raise TypeError(f"expected positions or names of arguments, got {shown(where)}")
    places = (where,) if isinstance(where, (int, str)) else tuple(where)
    for place in places:
        if not (isinstance(place, str) or (type(place) is int and place >= 0)):
            raise TypeError(f"expected positions 0, 1, … or names of arguments, got {shown(place)}")
    return places
