"""Tracing: a function runs once on symbols, and what it does to them becomes instructions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import add, ge, gt, le, lt, mul, sub
from typing import Any, Final, NoReturn

from microgradient.compiler.program import adjoint, primitives
from microgradient.compiler.program.errors import refused
from microgradient.compiler.program.recorder import Recorder
from microgradient.engine import choice, ops
from microgradient.engine.arithmetic import FLOATS
from microgradient.engine.graph import topological_order
from microgradient.engine.number import as_float
from microgradient.engine.op import Op, Operand, is_mapped
from microgradient.engine.ops import NAMED, OPS
from microgradient.engine.symbol import Symbol, Undecided
from microgradient.engine.value import Value


class Trace(Recorder):
    """A recorder whose operands are symbols, and the Values that the traced function brings.

    ``parameters`` maps leaves to inputs: Values that the function closes over and that shall not be
    frozen. Every other Value becomes a constant, and stands in ``captured``.
    """

    def __init__(
        self,
        inputs: int,
        parameters: Mapping[Value, int] | None = None,
        *,
        final: bool = False,
    ) -> None:
        super().__init__(inputs, final=final)
        self.captured: dict[Value, float] = {}
        self._slots: dict[Value, int] = dict(parameters or {})
        self._dependent = set(self._slots)
        self._learned = set(self._slots)

    def inputs(self) -> list[Traced]:
        """Return the symbols of the inputs."""
        return [
            Traced(self, i) for i, x in enumerate(self.instructions) if x.op is primitives.INPUT
        ]

    def slot(self, x: Any) -> int:
        if type(x) is Traced:
            return x.slot if x.trace is self else self.own(x)
        if type(x) is float:
            return self.constant(x)
        if isinstance(x, Condition):
            raise refused(
                "a condition in the place of a number",
                "write where(condition, 1.0, 0.0) for its number; where(c, p, q) of conditions "
                "p, q is (c & p) | ((c == False) & q)",
            )
        if type(x) is Value:
            return self._slots[x] if x in self._slots else self._lifted(x)
        return self.constant(as_float(x))

    def own(self, x: Traced | Condition) -> int:
        """Return the slot of a symbol; CompileError if another trace made it."""
        if x.trace is not self:
            raise refused("a symbol of another compilation", "pass it in as an argument")
        return x.slot

    def symbol(self, slot: int) -> Traced:
        return Traced(self, slot)

    def condition(self, slot: int) -> Condition:
        return Condition(self, slot)

    def apply(self, op: Op, operands: Sequence[Any]) -> Traced:
        """Return the result of ``op``, which is a number."""
        return Traced(self, self.emit(op, tuple([self.slot(x) for x in operands])))

    def compare(self, op: Op, x: Any, y: Any) -> Any:
        """Return a Condition, or a bool where both operands are constants."""
        a, b = self.slot(x), self.slot(y)
        first, second = self.instructions[a], self.instructions[b]
        if first.op is primitives.CONSTANT and second.op is primitives.CONSTANT:
            return op.value(FLOATS, first.number, second.number)
        return Condition(self, self.put(op, (a, b)))

    def variables(self, inputs: Sequence[Any]) -> list[int]:
        """Return the slots of what a derivative is by; a Value is a variable at a known number.

        If no symbol met it, it is not recorded yet, and its number may be that of other constants.
        """
        for x in inputs:
            if type(x) is Value and x not in self._slots:
                operand = self.slot(x.parents[0]) if x.parents else self.constant(x.data)
                self._slots[x] = self.put(primitives.ARGUMENT, (operand,))
                self._dependent.add(x)
        return [self.slot(x) for x in inputs]

    def _lifted(self, value: Value) -> int:
        """Record the graph of a Value, once: its leaves are parameters, variables or constants."""
        for node in topological_order(value):
            if node in self._slots:
                continue
            varies = any(parent in self._dependent for parent in node.parents)
            if any(parent in self._learned for parent in node.parents):
                self._learned.add(node)
            if node.op is ops.argument or (varies and node.op is ops.passed):
                operand = self._slots[node.parents[0]] if node.parents else self.constant(node.data)
                self._slots[node] = self.put(primitives.ARGUMENT, (operand,))
                self._dependent.add(node)
            elif varies and node.op is ops.taken:
                if node in self._learned:
                    raise refused(
                        "where() between Values that shall be learned",
                        "compare something that depends on the inputs",
                    )
                self._slots[node] = self.same(self._slots[node.parents[0]])
                self._dependent.add(node)
            elif varies:
                assert node.op is not None
                parents = tuple([self._slots[parent] for parent in node.parents])
                self._slots[node] = self.emit(node.op, parents)
                self._dependent.add(node)
            else:
                if not node.parents and node.op is None:
                    self.captured[node] = node.data
                self._slots[node] = self.constant(node.data)
        return self._slots[value]


def _binary(op: Op) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    def method(self: Traced, other: Any) -> Any:
        trace = self.trace
        if type(other) is Traced and other.trace is trace:  # nearly always
            return Traced(trace, trace.emit(op, (self.slot, other.slot)))
        return NotImplemented if is_mapped(other) else trace.apply(op, (self, _number(other)))

    return method, lambda self, other: self.trace.apply(op, (_number(other), self))


def _number(x: Any) -> Any:
    """Return ``x``, a condition or a bool as 1 or 0: so operators of Python take a bool."""
    if isinstance(x, Condition):
        return x.choose(1.0, 0.0)
    return float(x) if _is_bool(x) else x


def _arithmetic(
    operator: Callable[[Any, Any], Any],
) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    return (
        lambda self, other: operator(_number(self), _number(other)),
        lambda self, other: operator(_number(other), _number(self)),
    )


def _is_bool(x: object) -> bool:
    return type(x).__name__ in ("bool", "bool_")  # NumPy's too


def _opposite(condition: Any) -> Any:
    return (
        ~condition
        if isinstance(condition, Condition)
        else (condition if condition is NotImplemented else not condition)
    )


def _unknown(what: str, instead: str) -> Callable[..., NoReturn]:
    def refuse(self: Any, *arguments: Any) -> NoReturn:
        raise refused(what, instead)

    return refuse


_NUMBER = (
    "write microgradient.sin(x) for math.sin(x); a number that is known when compiling, "
    "such as a size, goes in as a static argument: compile(f, static=...)"
)


class Traced(Symbol):
    """The result of an instruction that is being recorded."""

    __slots__ = ("slot", "trace")

    def __init__(self, trace: Trace, slot: int) -> None:
        self.trace, self.slot = trace, slot

    def record(self, op: Op, operands: Sequence[Any]) -> Any:
        if op is ops.argument:
            return Traced(self.trace, self.trace.emit(primitives.ARGUMENT, (self.slot,)))
        if op is ops.taken:
            return Traced(self.trace, self.trace.same(self.slot))
        if NAMED.get(op.name) is not op:
            _check_formula(op, operands)
        return self.trace.apply(op, operands)

    def detached(self) -> Traced:
        return Traced(self.trace, self.trace.emit(primitives.DETACH, (self.slot,)))

    def equal(self, x: Any, y: Any) -> Any:
        return self.trace.compare(primitives.EQUAL, x, y)

    def adjoints(self, inputs: Sequence[Any], seeds: Sequence[tuple[Any, Any]]) -> list[Any]:
        return adjoint.reverse(self.trace, inputs, seeds)

    def tangents(
        self, inputs: Sequence[Any], directions: Sequence[Any], results: Sequence[Any]
    ) -> list[Any]:
        return adjoint.forward(self.trace, inputs, directions, results)

    def sparse_tangents(
        self, inputs: Sequence[Any], results: Sequence[Any]
    ) -> list[dict[int, Any]]:
        return adjoint.sparse_forward(self.trace, inputs, results)

    __add__, __radd__ = _binary(ops.add)
    __sub__, __rsub__ = _binary(ops.sub)
    __mul__, __rmul__ = _binary(ops.mul)
    __truediv__, __rtruediv__ = _binary(ops.div)
    __pow__, __rpow__ = _binary(ops.pow)
    __mod__, __rmod__ = _binary(ops.mod)

    def __neg__(self) -> Any:
        return self.trace.apply(ops.neg, (self,))

    def __abs__(self) -> Any:
        return self.trace.apply(ops.abs, (self,))

    def __pos__(self) -> Traced:
        return self

    def __lt__(self, other: Any) -> Any:
        if is_mapped(other):
            return NotImplemented
        return self.trace.compare(primitives.LESS, self, _number(other))

    def __le__(self, other: Any) -> Any:
        if is_mapped(other):
            return NotImplemented
        return self.trace.compare(primitives.LESS_EQUAL, self, _number(other))

    def __gt__(self, other: Any) -> Any:
        if is_mapped(other):
            return NotImplemented
        return self.trace.compare(primitives.LESS, _number(other), self)

    def __ge__(self, other: Any) -> Any:
        if is_mapped(other):
            return NotImplemented
        return self.trace.compare(primitives.LESS_EQUAL, _number(other), self)

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, (Operand, Condition)):
            if getattr(other, "shape", ()) != ():
                return NotImplemented  # NumPy maps over it
            try:
                other = as_float(_number(other))
            except (TypeError, OverflowError):
                return NotImplemented  # no number, or one beyond all floats, is equal to none
        return self.trace.compare(primitives.EQUAL, self, _number(other))

    def __ne__(self, other: object) -> Any:
        return _opposite(self.__eq__(other))

    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> Any:
        """Return an operation as a method: ``x.tanh()``."""
        op = OPS.get(name)
        if op is None or not hasattr(Value, name):
            raise AttributeError(f"a Value has no attribute {name!r}")
        return lambda *operands, **keywords: op(self, *operands, **keywords)

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __repr__(self) -> str:
        return f"<a number not known while compiling, v{self.slot}>"

    __index__ = _unknown(
        "an index, or a size, that is a traced value",
        "write take(rows, index), or give it as a static argument, compile(f, static=…), which "
        "compiles each value in",
    )
    __float__ = __int__ = _unknown("the number of a traced value", _NUMBER)
    __complex__ = __round__ = __trunc__ = __floor__ = __ceil__ = __float__
    __bool__ = _unknown(
        "the truth of a traced value", "write where(condition, x, y) to choose between results"
    )
    __floordiv__ = __rfloordiv__ = __divmod__ = __rdivmod__ = _unknown(
        "a quotient of whole numbers", "write microgradient.floor(x / y) for x // y"
    )
    data = property(
        _unknown(
            "the number .data of a traced value",
            "use the value itself, or detach(x) for a constant; a softmax that cannot overflow is "
            "[exp(x - logsumexp(xs)) for x in xs]",
        )
    )
    grad = property(_unknown(".grad of a traced value", "write grad(f) for derivatives within"))
    backward = _unknown("backward()", "compile(grad(f)) or compile(value_and_grad(f)) instead")


class Condition(Undecided):
    """A comparison that is being recorded: ``where`` takes it, ``if`` cannot.

    ``& | ^ ~ == !=`` join conditions; in arithmetic a condition is 1 or 0, as a bool is.
    """

    __slots__ = ("slot", "trace")
    __array_ufunc__: Final = None

    def __init__(self, trace: Trace, slot: int) -> None:
        self.trace, self.slot = trace, slot

    def choose(self, x: Any, y: Any) -> Any:
        a, b = self.trace.slot(x), self.trace.slot(y)
        return Traced(self.trace, self.trace.emit(primitives.SELECT, (self.slot, a, b)))

    def __and__(self, other: Any) -> Any:
        return self._joined(primitives.AND, other, absorbing=False)

    def __or__(self, other: Any) -> Any:
        return self._joined(primitives.OR, other, absorbing=True)

    def __xor__(self, other: Any) -> Any:
        if _is_bool(other):
            return ~self if other else self
        return (self | other) & ~(self & other) if isinstance(other, Condition) else NotImplemented

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> Condition:
        op, operands, _ = self.trace.instructions[self.slot]
        if op is primitives.NOT:
            return Condition(self.trace, operands[0])
        return Condition(self.trace, self.trace.emit(primitives.NOT, (self.slot,)))

    def __eq__(self, other: object) -> Any:
        if _is_bool(other) or isinstance(other, Condition):
            return _opposite(self ^ other)
        return _number(self) == other

    def __ne__(self, other: object) -> Any:
        return _opposite(self.__eq__(other))

    __hash__ = object.__hash__

    def _joined(self, op: Op, other: Any, absorbing: bool) -> Any:
        if _is_bool(other):
            return absorbing if bool(other) is absorbing else self
        if not isinstance(other, Condition):
            return NotImplemented
        slots = self.slot, self.trace.own(other)
        if slots[0] == slots[1]:
            return self
        return Condition(self.trace, self.trace.emit(op, slots))

    __add__, __radd__ = _arithmetic(add)
    __sub__, __rsub__ = _arithmetic(sub)
    __mul__, __rmul__ = _arithmetic(mul)
    __lt__, __le__, __gt__, __ge__ = (_arithmetic(compare)[0] for compare in (lt, le, gt, ge))

    __float__ = __int__ = __index__ = _unknown(
        "the number of a condition", "write where(condition, 1.0, 0.0)"
    )
    __bool__ = _unknown(
        "a branch on traced values (if, while, and, or, not, in, min, max, all, any, sorted, "
        "x < y < z, == of lists)",
        "write where(condition, x, y), maximum(x, y) or minimum(x, y), & for and, | for or, "
        "(x > y) == False for not; "
        "a softmax that cannot overflow is [exp(x - logsumexp(xs)) for x in xs]",
    )

    def __repr__(self) -> str:
        return f"<a condition not known while compiling, v{self.slot}>"


def _check_formula(op: Op, operands: Sequence[Any]) -> None:
    """Raise CompileError now if a row of the user's needs what no program has."""
    try:
        op.value(choice.GRAPH, *operands)
    except AttributeError as fault:
        raise refused(
            f"the operation {op.name!r}",
            f"its formula must be made of what a program has: {fault}",
        ) from None
