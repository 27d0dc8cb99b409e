"""An operation is one row of data; an arithmetic is what a row is evaluated in.

A row holds the mathematics of one operation, its value and its local derivatives, as plain
functions over an explicit arithmetic ``m``. With ``m`` = floats the row gives numbers, with ``m`` =
graphs it gives Values that can be differentiated again; the tests put in mpmath, the docs text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, overload

from microgradient.engine import floats
from microgradient.engine.number import as_float

if TYPE_CHECKING:
    from microgradient.engine.value import Value


class Arithmetic:
    """The vocabulary in which a row is written: ``m.exp(x)``, ``m.where(condition, x, y)``, …

    ``native`` gives some functions directly. Every other row of the table is derived from its own
    formula, evaluated in this arithmetic. A row also uses ``+ - *`` and comparisons.
    """

    def __init__(self, native: Mapping[str, Callable[..., Any]]) -> None:
        vars(self).update(native)
        self.native = dict(native)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        op = OPS.get(name)
        if op is None or op.primitive:
            raise AttributeError(f"this arithmetic lacks {name!r}, which no row has a formula for")

        def derived(*arguments: Any, **keywords: Any) -> Any:
            return op.value(self, *op.operands(*arguments, **keywords))

        setattr(self, name, derived)
        return derived


OPS: dict[str, Op] = {}  # the table: filled by engine/ops.py, in the order of its rows
NAMED: dict[str, Op] = {}  # the table and what else can be pickled, by name
FLOATS = Arithmetic(
    {k: v for k, v in vars(floats).items() if callable(v) and k.islower() and k[0] != "_"}
)


class Operand:
    """Something other than a number that a row can be applied to: it records the application."""

    __slots__ = ()

    def record(self, op: Op, operands: Sequence[Any]) -> Any:
        """Return the result of ``op`` on ``operands``, of which this is the first non-number."""
        raise NotImplementedError


class Symbol(Operand):
    """An operand whose number is not known yet: what a function is compiled with.

    Values give way to it: an operation on both is recorded by the symbol, and a derivative of what
    depends on it is worked out by the sweeps below.
    """

    __slots__ = ()

    def detached(self) -> Any:
        """Return the same as a constant: no derivative passes through it."""
        raise NotImplementedError

    def equal(self, x: Any, y: Any) -> Any:
        """Return the condition that two operands, of which this is one, are equal."""
        raise NotImplementedError

    def adjoints(self, inputs: Sequence[Any], seeds: Sequence[tuple[Any, Any]]) -> list[Any]:
        """Return the adjoints of ``inputs``, given those of some results: the reverse sweep."""
        raise NotImplementedError

    def tangents(
        self, inputs: Sequence[Any], directions: Sequence[Any], results: Sequence[Any]
    ) -> list[Any]:
        """Return the tangents of ``results``, given those of ``inputs``: the forward sweep."""
        raise NotImplementedError


class Undecided:
    """A comparison of symbols: it can choose between two operands, and is no bool yet."""

    __slots__ = ()

    def choose(self, x: Any, y: Any) -> Any:
        """Return what is ``x`` where the condition holds, else ``y``."""
        raise NotImplementedError


class Formula(Protocol):
    def __call__(self, m: Arithmetic, /, *operands: Any) -> Any: ...


def _as_given(*operands: Any) -> tuple[Any, ...]:
    return operands


@dataclass(frozen=True, eq=False, repr=False)
class Op:
    """One operation: name, value, local derivatives, and the domain to test them on.

    ``partials(m, v, *x)`` returns one local derivative for each operand, given the result ``v``.
    ``value(m, *x)`` is the result; without it the operation is a primitive, which every arithmetic
    must supply as ``m.<name>``. ``domain`` holds an interval for each operand (the last one serves
    all further operands). ``kinks`` are the points where a one-operand operation has no
    derivative. ``operands`` turns a call's arguments into the flat operands.
    ``fast`` is the value over floats, where spelling it out is worth it (a test holds both equal).

    A row is called like the function it is: ``sin(0.5)`` is a float, ``sin(Value(0.5))`` a Value.
    Raises TypeError for anything that is neither, see ``as_float``.
    """

    name: str
    partials: Callable[..., Sequence[Any]]
    value: Formula = None  # type: ignore[assignment]  # filled in below for a primitive
    symbol: str = ""
    domain: tuple[tuple[float, float], ...] = ((-4.0, 4.0),)
    kinks: tuple[float, ...] = ()
    operands: Callable[..., tuple[Any, ...]] = _as_given
    primitive: bool = False
    fast: Callable[..., float] = None  # type: ignore[assignment]  # filled in below
    doc: str = ""

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"an operation's name must be an identifier, got {self.name!r}")
        if self.value is None:
            if self.name not in vars(FLOATS):
                raise ValueError(
                    f"operation {self.name!r} needs a formula: value=lambda m, x: …; only what "
                    "engine/floats.py defines can go without"
                )
            self._fill(primitive=True, value=_primitive(self.name), fast=vars(FLOATS)[self.name])
        if self.fast is None:
            self._fill(fast=partial(self.value, FLOATS))
        self._fill(symbol=self.symbol or self.name)
        self._fill(
            __doc__=self.doc or f"Return {self.name} of numbers or Values, see docs/operations.md."
        )

    def _fill(self, **fields: Any) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)  # the dataclass is frozen from here on

    @overload
    def __call__(self, first: Value, /, *rest: Any, **keywords: Any) -> Value: ...
    @overload
    def __call__(self, first: float, /, *rest: float, **keywords: Any) -> float: ...
    @overload
    def __call__(self, *arguments: Any, **keywords: Any) -> Any: ...
    def __call__(self, *arguments: Any, **keywords: Any) -> Any:  # type: ignore[misc]  # it does
        operands = self.operands(*arguments, **keywords)
        for operand in operands:
            if isinstance(operand, Operand):
                return operand.record(self, operands)
        return self.fast(*map(as_float, operands))

    def __repr__(self) -> str:
        return f"<operation {self.name}>"

    def __copy__(self) -> Op:
        return self

    def __deepcopy__(self, memo: object) -> Op:
        return self

    def __reduce__(self) -> tuple[Callable[[str], Op], tuple[str]]:
        if NAMED.get(self.name) is not self:
            raise TypeError(
                f"only the package's operations can be pickled, {self.name!r} is not one"
            )
        return _row, (self.name,)


def _primitive(name: str) -> Formula:
    def value(m: Arithmetic, *operands: Any) -> Any:
        return getattr(m, name)(*operands)

    return value


def _row(name: str) -> Op:
    return NAMED[name]
