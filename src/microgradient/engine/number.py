"""What counts as a number: every number passes this check before it enters a graph."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from math import inf, nan
from numbers import Real
from struct import pack
from typing import Any, SupportsFloat, cast

from microgradient.engine import native

_HINTS = {
    "Value": "use it as it is (a new Value of its number would be cut off from its gradient)",
    "bool": "write float(b) for 0 or 1, or where(condition, a, b) to choose",
    "bool_": "write float(b) for 0 or 1, or where(condition, a, b) to choose",
    "Condition": "write where(condition, 1.0, 0.0) for its number",
    "complex": "write z.real and z.imag as two Values",
    "str": "write float(text)",
    "NoneType": "a function without a return statement, for example, gives None",
    "ndarray": "map over it: [f(x) for x in array.flat] for what you called as f(array)",
    "list": "map over it: [f(x) for x in items] for what you called as f(items)",
    "tuple": "map over it: [f(x) for x in items] for what you called as f(items)",
}


_FLOAT = {float}


def as_float(x: object) -> float:
    """Return ``x`` as a Python float.

    Accepts int, float, Fraction, Decimal, every other ``numbers.Real`` (including NumPy scalars)
    and 0-d arrays. Raises TypeError for anything else (bool, complex, str, None, containers, …)
    and OverflowError for a number that does not fit a float; both say what to write instead.
    """
    if type(x) is float:
        return x
    if type(x) is int or (isinstance(x, (Real, Decimal)) and not isinstance(x, bool)):
        try:
            number = float(cast(SupportsFloat, x))
        except OverflowError:
            number = inf
        except ValueError:  # a signalling nan
            return nan
        if number - number == 0 or x != x or x == number:
            return number
        raise OverflowError(
            f"a number must fit a float (at most about 1.8e308), got a larger {_kind(x)}; "
            "scale it, or write math.inf"
        )
    if getattr(x, "shape", None) == () and getattr(getattr(x, "dtype", None), "kind", "") in "iuf":
        return float(cast(Any, x).item())  # a 0-d array of any library
    raise TypeError(f"expected a real number, got {shown(x)}{_hint(x)}")


def as_floats(xs: Iterable[object]) -> tuple[float, ...]:
    """Return ``xs`` as Python floats, each converted as by ``as_float``."""
    numbers = tuple(xs)
    if set(map(type, numbers)) <= _FLOAT:  # nearly always, and twice as fast
        return cast("tuple[float, ...]", numbers)
    return tuple(map(as_float, numbers))


def packed(xs: object) -> bytes | None:
    """Return the doubles of a list or tuple of floats as bytes; None if it is anything else."""
    if not isinstance(xs, (list, tuple)) or not set(map(type, xs)) <= _FLOAT:
        return None
    return pack(f"{len(xs)}d", *xs)


if native.node is not None:
    packed = native.node.packed


def positive(n: object, what: str) -> int:
    """Return ``n``; raise ValueError unless it is a whole number of at least 1."""
    if type(n) is not int or n < 1:
        raise ValueError(f"{what} must be a whole number of at least 1, got {shown(n)}")
    return n


def shown(x: object, limit: int = 60) -> str:
    """Return the type and a shortened repr of ``x``, for an error message."""
    try:
        text = repr(x)
    except Exception:  # a repr may fail, but the error message must not
        text = "(not printable)"
    return f"{_kind(x)} {text if len(text) <= limit else text[: limit - 1] + '…'}"


def _kind(x: object) -> str:
    return type(x).__name__


def _hint(x: object) -> str:
    hint = _HINTS.get(_kind(x))
    return f"; {hint}" if hint else ""
