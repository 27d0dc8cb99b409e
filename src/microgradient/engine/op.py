"""An operation is one row of data: its value and its local derivatives, over any arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, overload

from microgradient.engine.arithmetic import FLOATS, Arithmetic
from microgradient.engine.number import as_float


class Operand:
    """Anything but a number that an operation can be applied to: it records the application."""

    __slots__ = ()

    def record(self, op: Op, operands: Sequence[Any]) -> Any:
        """Return the result of ``op`` on ``operands``, of which this is the first non-number."""
        raise NotImplementedError

    def conjugate(self) -> Any:
        """Return this operand, a real number: NumPy's ``var`` and ``std`` ask for it."""
        return self

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        """Map an operation of NumPy over arrays: ``array * v`` is the array of the products.

        NumPy calls this where an operand stands beside an array, or beside one of its scalars.
        """
        import numpy

        def boxed(x: Any) -> Any:  # an operand as it is would bring NumPy here again
            if getattr(x, "shape", ()) != ():
                return x
            return numpy.array(x if isinstance(x, Operand) else as_float(x), dtype=object)

        if ufunc.__name__ in _COMPARISONS:  # their results may be conditions, which are not bools
            keywords.setdefault("dtype", object)
        with numpy.errstate(all="ignore"):  # operations set flags that NumPy would warn of
            return getattr(ufunc, method)(*map(boxed, inputs), **keywords)


def is_mapped(x: object) -> bool:
    """Return whether ``x`` is an array, which maps an operator over its elements itself."""
    return hasattr(x, "__array_ufunc__") and bool(getattr(x, "shape", None))


_COMPARISONS = {"less", "less_equal", "greater", "greater_equal", "equal", "not_equal"}

T = TypeVar("T", bound=Operand)


def _as_given(*operands: Any) -> tuple[Any, ...]:
    return operands


@dataclass(frozen=True, eq=False, repr=False)
class Op:
    """One operation: name, value, local derivatives, and the domain to test them on.

    ``partials(m, v, *x)`` returns one local derivative for each operand, given the result ``v``.
    ``value(m, *x)`` is the result; without it the operation is a primitive, which every arithmetic
    must supply as ``m.<name>``. ``domain`` holds an interval for each operand (of an operation on
    sequences, for as many operands as it is tested with). ``kinks`` are the points where a
    one-operand operation has no derivative. ``operands`` turns a call's arguments into the flat
    operands; ``sequences`` says how many of the arguments are sequences, such as 2 for
    ``dot(ws, xs)``. ``fast`` is the value over floats, where a version by hand is worth it (a test
    compares it with the formula).

    A row can be called: ``sin(0.5)`` is a float, ``sin(Value(0.5))`` a Value. Raises TypeError for
    anything that is neither, see ``as_float``.
    """

    name: str
    partials: Callable[..., Sequence[Any]]
    value: Callable[..., Any] = None  # type: ignore[assignment]  # filled in below for a primitive
    symbol: str = ""
    domain: tuple[tuple[float, float], ...] = ((-4.0, 4.0),)
    kinks: tuple[float, ...] = ()
    operands: Callable[..., tuple[Any, ...]] = _as_given
    sequences: int = 0
    primitive: bool = False
    fast: Callable[..., float] = None  # type: ignore[assignment]  # filled in below
    doc: str = ""

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"an operation's name must be an identifier, got {self.name!r}")
        if self.value is None:
            if self.name not in vars(FLOATS):
                raise ValueError(
                    f"operation {self.name!r} needs a formula: value=lambda m, x: …; only the "
                    "functions of engine/floats.py need none"
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
    def __call__(self, x: T | Iterable[T], /, *rest: Any, **keywords: Any) -> T: ...
    @overload
    def __call__(
        self, x: float | Iterable[float], y: T | Iterable[T], /, *rest: Any, **keywords: Any
    ) -> T: ...
    @overload
    def __call__(
        self,
        x: float | Iterable[float],
        /,
        *rest: float | Iterable[float] | None,
        **keywords: float | None,
    ) -> float: ...
    @overload
    def __call__(self, *arguments: Any, **keywords: Any) -> Any: ...
    def __call__(self, *arguments: Any, **keywords: Any) -> Any:  # type: ignore[misc]  # Any accepts every overload
        operands = self.operands(*arguments, **keywords)
        for operand in operands:
            if isinstance(operand, Operand):
                return operand.record(self, operands)
        return self.fast(*map(as_float, operands))

    def formula(self, m: Arithmetic[Any], *arguments: Any, **keywords: Any) -> Any:
        """Return the value in the arithmetic ``m``, of arguments as a call takes them."""
        return self.value(m, *self.operands(*arguments, **keywords))

    def __repr__(self) -> str:
        return f"<operation {self.name}>"

    def __copy__(self) -> Op:
        return self

    def __deepcopy__(self, memo: object) -> Op:
        return self


def _primitive(name: str) -> Callable[..., Any]:
    def value(m: Arithmetic[Any], *operands: Any) -> Any:
        return getattr(m, name)(*operands)

    return value
