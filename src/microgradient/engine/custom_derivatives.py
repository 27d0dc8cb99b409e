"""Functions with a derivative of their own: ``custom_jvp`` and ``custom_vjp``, in JAX's form.

A call on Values is one node for each number of the result. Its row is made for the call: the value
is the function's, the partials are the rule's. So the rule serves forward and reverse mode, runs
on floats, Values and symbols, and is differentiated itself for higher orders.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import update_wrapper
from math import isclose, isfinite, nan
from operator import index
from types import MethodType
from typing import Any

from microgradient.engine.arithmetic import FLOATS
from microgradient.engine.choice import GRAPH, detach
from microgradient.engine.number import as_float, shown
from microgradient.engine.op import Op, Operand
from microgradient.engine.services.trees import Structure, Tree, flatten, matching_leaves
from microgradient.engine.symbol import Symbol
from microgradient.engine.value import Value, constant, new_node

_LARGE = -(2.0**60)  # a power of two scales exactly; a bound on a cotangent is hardly as large


class _Custom:
    """A function and the rule for its derivative, which ``_rows`` evaluates."""

    _wanted: str  # what to call to give the rule

    def __init__(self, f: Callable[..., Any], nondiff_argnums: int | Iterable[int] = ()) -> None:
        if not callable(f):
            raise TypeError(f"{type(self).__name__} expects a function, got {shown(f)}")
        update_wrapper(self, f)
        self.function = f
        self.nondiff_argnums = _positions(nondiff_argnums)
        self._is_linear = False  # as far as it has been tried

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        call = _Call(self, self._positional(args, kwargs))
        if not any(isinstance(x, Operand) for x in call.given):
            return self.function(*args, **kwargs)
        if not self._has_rule():
            raise TypeError(
                f"{self._name} has no derivative yet: give it one with {self._wanted}, "
                "before it is called on anything but bare numbers"
            )
        return call.result()

    def _positional(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        try:
            bound = inspect.signature(self.function).bind(*args, **kwargs)
        except ValueError:  # a built-in function without a signature
            return tuple(args)
        bound.apply_defaults()
        if bound.kwargs:
            raise TypeError(
                f"{self._name} has a derivative by position, so its arguments cannot be keywords "
                f"only, got {', '.join(bound.kwargs)}"
            )
        return bound.args

    @property
    def _name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    def _has_rule(self) -> bool:
        raise NotImplementedError

    def _rows(self, call: _Call, numbers: Sequence[Any], scale: float) -> list[list[Any]]:
        """Return ``scale`` times the derivatives of each output by each of ``numbers``."""
        raise NotImplementedError


class custom_jvp(_Custom):
    """Return ``f`` with a derivative of its own, which ``f.defjvp(rule)`` gives.

    ``rule(primals, tangents)`` takes two tuples with the structure of the arguments, and returns
    ``(f(*primals), tangent)``; the tangent must be linear in ``tangents``. ``nondiff_argnums`` are
    positions of arguments that are not differentiated: the rule takes them first. ``f`` must not
    use Values or variables of transforms except its arguments. Raises TypeError for a rule that
    breaks this, and for a call on Values before there is a rule. Source: JAX, ``jax.custom_jvp``.
    """

    _wanted = "defjvp"
    rule: Callable[..., Any] | None = None

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Set the rule, and return it: ``@f.defjvp`` can stand above its definition."""
        self.rule = rule
        return rule

    def defjvps(self, *rules: Callable[..., Any] | None) -> None:
        """Set a rule made of one function of ``(tangent, result, *primals)`` for each argument.

        None stands for a derivative of 0. The function must return one number.
        """

        def rule(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
            if len(rules) != len(primals):
                raise TypeError(
                    f"defjvps needs a rule for each of {len(primals)} arguments, got {len(rules)}"
                )
            result = self(*primals)
            terms = [r(t, result, *primals) for r, t in zip(rules, tangents) if r is not None]
            return result, sum(terms, 0.0)

        self.rule = rule

    def _has_rule(self) -> bool:
        return self.rule is not None

    def _rows(self, call: _Call, numbers: Sequence[Any], scale: float) -> list[list[Any]]:
        assert self.rule is not None
        columns = []
        for i in range(len(numbers)):
            seeds = [scale if i == k else 0.0 for k in range(len(numbers))]
            out = self.rule(*call.static, call.arguments(numbers), call.arguments(seeds))
            if not isinstance(out, (tuple, list)) or len(out) != 2:
                raise TypeError(
                    f"the rule of {self._name} must return (result, tangent), got {shown(out)}"
                )
            columns.append(matching_leaves(out[1], out[0], f"the tangent of {self._name}"))
        return [list(row) for row in zip(*columns)]


class custom_vjp(_Custom):
    """Return ``f`` with a derivative of its own, which ``f.defvjp(fwd, bwd)`` gives.

    ``fwd(*args)`` returns ``(f(*args), residuals)``; ``bwd(residuals, cotangent)`` takes a
    cotangent with the structure of the result and returns a tuple with one cotangent for each
    argument, None for 0; they must be linear in it. ``nondiff_argnums`` are positions of arguments
    that are not differentiated: ``bwd`` takes them first. Forward mode works too. ``f`` must not
    use Values or variables of transforms except its arguments. Raises TypeError for a rule that
    breaks this, and for a call on Values before there is a rule. Source: JAX, ``jax.custom_vjp``.
    """

    _wanted = "defvjp"
    fwd: Callable[..., Any] | None = None
    bwd: Callable[..., Any] | None = None

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """Set the two functions of the rule."""
        self.fwd, self.bwd = fwd, bwd

    def _has_rule(self) -> bool:
        return self.fwd is not None

    def _rows(self, call: _Call, numbers: Sequence[Any], scale: float) -> list[list[Any]]:
        assert self.fwd is not None
        assert self.bwd is not None
        out = self.fwd(*call.all_arguments(numbers))
        if not isinstance(out, (tuple, list)) or len(out) != 2:
            raise TypeError(
                f"fwd of {self._name} must return (result, residuals), got {shown(out)}"
            )
        outputs, structure = flatten(out[0])
        rows = []
        for j in range(len(outputs)):
            cotangent = structure.filled([scale if j == k else 0.0 for k in range(len(outputs))])
            rows.append(call.cotangents(self.bwd(*call.static, out[1], cotangent)))
        return rows


def _positions(argnums: int | Iterable[int]) -> tuple[int, ...]:
    """Return positions in order; they count from the first argument, never from the last."""
    positions = sorted(map(index, argnums if isinstance(argnums, Iterable) else (argnums,)))
    if any(i < 0 for i in positions):
        raise ValueError(f"nondiff_argnums must be positions 0, 1, …, got {argnums}")
    return tuple(positions)


class _Call:
    """One call: its arguments as flat numbers, and what is made of them."""

    def __init__(self, custom: _Custom, args: tuple[Any, ...]) -> None:
        self.custom, self._args = custom, args
        nondiff = custom.nondiff_argnums
        if nondiff and nondiff[-1] >= len(args):
            raise TypeError(
                f"{custom._name} has nondiff_argnums {nondiff}, but a call has {len(args)} "
                "positional arguments, numbered from 0"
            )
        self._places = [i for i in range(len(args)) if i not in nondiff]
        self.static = [args[i] for i in nondiff]
        self.given, self._structure = flatten(tuple(args[i] for i in self._places))

    def arguments(self, numbers: Sequence[Any]) -> tuple[Any, ...]:
        """Return the differentiated arguments with these numbers."""
        return self._structure.filled(numbers)  # type: ignore[no-any-return]

    def all_arguments(self, numbers: Sequence[Any]) -> list[Any]:
        """Return all arguments, in order, the differentiated ones with these numbers."""
        args = list(self._args)
        for place, argument in zip(self._places, self.arguments(numbers)):
            args[place] = argument
        return args

    def cotangents(self, tree: Any) -> list[Any]:
        """Return the flat cotangents of a tuple with one for each argument."""
        if not isinstance(tree, (tuple, list)) or len(tree) != len(self._places):
            raise TypeError(
                f"bwd of {self.custom._name} must return a tuple with one cotangent for each of "
                f"its {len(self._places)} arguments, got {shown(tree)}"
            )
        arguments = self.arguments(self.given)
        found: list[Any] = []
        for part, like in zip(tree, arguments):
            zeros = part is None and like is not None
            what = f"a cotangent of {self.custom._name}"
            found += [0.0] * len(flatten(like)[0]) if zeros else matching_leaves(part, like, what)
        return found

    def result(self) -> Tree:
        """Return the result of a call on Values or symbols."""
        symbol = next((x for x in self.given if isinstance(x, Symbol)), None)
        if symbol is not None:
            self._try_elsewhere()
            outputs, structure = flatten(self._outputs(self.given))
            nodes = [
                symbol.record(self._row_after(j), (detach(y), *self.given))
                for j, y in enumerate(outputs)
            ]
            return structure.filled(nodes)
        parents = tuple([x if type(x) is Value else constant(x) for x in self.given])
        numbers = [parent.data for parent in parents]
        outputs, structure = self._on_floats(numbers)
        rows = self._checked_rows(numbers)
        if len(rows) != len(outputs):
            raise TypeError(
                f"{self.custom._name} returns {len(outputs)} numbers, but its rule {len(rows)}"
            )
        made = []
        for j, (y, row) in enumerate(zip(outputs, rows)):
            partials = tuple(row) if y == y else (nan,) * len(parents)
            made.append(new_node(y, self._row(j), parents, partials))
        return structure.filled(made)

    def _outputs(self, numbers: Sequence[Any]) -> Tree:
        return self.custom.function(*self.all_arguments(numbers))

    def _on_floats(self, numbers: Sequence[float]) -> tuple[list[float], Structure]:
        outputs, structure = flatten(self._outputs(numbers))
        return [self._float(y) for y in outputs], structure

    def _float(self, x: Any) -> float:
        if isinstance(x, Operand):
            raise TypeError(
                f"{self.custom._name} or its rule uses a Value, or the variable of a transform, "
                "that is not among its arguments; pass it as an argument"
            )
        return as_float(x)

    def _checked_rows(self, numbers: Sequence[float]) -> list[list[float]]:
        """Return the derivatives at ``numbers``; TypeError if the rule is not linear."""
        custom = self.custom
        rows = [[self._float(p) for p in row] for row in custom._rows(self, numbers, 1.0)]
        if not custom._is_linear:
            for row, scaled in zip(rows, custom._rows(self, numbers, _LARGE)):
                for p, q in zip(row, map(self._float, scaled)):
                    if isfinite(p * _LARGE) and not isclose(p * _LARGE, q, rel_tol=1e-9):
                        raise TypeError(
                            f"the rule of {custom._name} must be linear: for {_LARGE:g} in place "
                            f"of 1 it gave {q!r} in place of {p * _LARGE!r}; to bound a gradient, "
                            "bound it after grad has returned it"
                        )
            custom._is_linear = True
        return rows

    def _try_elsewhere(self) -> None:
        """Try the rule on numbers, as symbols have none: it may use what is not an argument."""
        numbers = [0.7 + 0.1 * i for i in range(len(self.given))]
        try:
            self._on_floats(numbers)
            self._checked_rows(numbers)
        except (ArithmeticError, ValueError, LookupError):
            pass  # f may not be defined there

    def _row(self, j: int) -> Op:
        """Return the row of output ``j`` of this call."""

        def value(m: Any, *x: Any) -> Any:
            if m is not FLOATS and m is not GRAPH:
                raise AttributeError(f"{self.custom._name} has no formula, only a derivative")
            y = flatten(self._outputs(x))[0][j]
            return as_float(y) if m is FLOATS else y

        def partials(m: Any, v: Any, *x: Any) -> Sequence[Any]:
            return self.custom._rows(self, x, 1.0)[j]

        return Op(self._identifier, partials, value, domain=((-4.0, 4.0),) * len(self.given))

    def _row_after(self, j: int) -> Op:
        """Return the row of output ``j`` with the output itself, as symbols, as first operand."""

        def partials(m: Any, v: Any, y: Any, *x: Any) -> Sequence[Any]:
            return [0.0, *self.custom._rows(self, x, 1.0)[j]]

        domain = ((-4.0, 4.0),) * (len(self.given) + 1)
        return Op(self._identifier, partials, lambda m, y, *x: y, domain=domain)

    @property
    def _identifier(self) -> str:
        name = self.custom._name
        return name if name.isidentifier() else "custom"
