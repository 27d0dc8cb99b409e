"""Value: a number that remembers how it was computed, and ``backward``, the chain rule over it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from copy import deepcopy
from math import inf, nan
from numbers import Number
from operator import ge, gt, le, lt
from typing import Any, SupportsFloat, cast, final

from microgradient.engine import floats, native, ops
from microgradient.engine.arithmetic import FLOATS
from microgradient.engine.graph import MANY, computed_nodes, topological_order
from microgradient.engine.number import as_float, as_floats, shown
from microgradient.engine.op import Op, Operand, is_mapped
from microgradient.engine.services import anomaly, watching
from microgradient.engine.symbol import Symbol

_add, _sub, _mul, _div, _pow, _constant = ops.add, ops.sub, ops.mul, ops.div, ops.pow, ops.constant
_UNREACHED = -0.0  # the gradient before a sweep: told from a computed one by its identity alone
_blank = object.__new__


def _method(op: Op) -> Callable[[Value], Value]:
    function, partials_of = op.fast, op.partials

    def method(self: Value) -> Value:
        if type(self) is not Value:  # a Symbol, where the method was passed as a function
            return self.record(op, (self,))
        x = self._data
        node = _blank(Value)
        node._data = data = function(x)
        node._grad = _UNREACHED
        node._attributes = node._right = None
        node.op = op
        node._left = self
        if data == data:
            (node._by_left,) = partials_of(FLOATS, data, x)
        else:
            node._by_left = nan
        if watching.open_blocks:
            anomaly.check_node(node)
        return node

    if native.node is not None and native.node.has_kernel(op.name):
        apply = native.node.apply

        def method(self: Value) -> Value:  # in C
            return apply(op, self)  # type: ignore[no-any-return]

    elif native.node is not None:

        def method(self: Value) -> Value:  # record() in C would take twice as long
            if type(self) is not Value:
                return self.record(op, (self,))
            x = self._data
            data = function(x)
            slopes = tuple(partials_of(FLOATS, data, x)) if data == data else (nan,)
            return new_node(data, op, (self,), slopes)

    method.__name__ = op.name
    method.__qualname__ = f"Value.{op.name}"  # by which pickle finds it in a module's activation
    method.__doc__ = f"Return {op.name}(self); see the row in engine/ops.py."
    return method


def _comparison(
    compare: Callable[[float, float], bool], reflected: str
) -> Callable[[Value, SupportsFloat], bool]:
    def method(self: Value, other: SupportsFloat) -> bool:
        if type(other) is not Value and (other := operand(other, reflected)) is NotImplemented:
            return NotImplemented  # type: ignore[no-any-return]
        return compare(self._data, other._data)

    return method


@final
class Value(Operand):
    """A node of a computation graph: one number, and where it came from.

    ``data``     the number, always a float; an assigned number is converted to one
    ``grad``     d(result)/d(this node), always a float: 0.0 until a reverse sweep reaches the node
    ``reached``  whether one has
    ``op``       the row of the table that made it; None for a leaf that the user made
    ``parents``  the nodes it was computed from, in order; a node used twice appears twice
    ``partials`` d(this node)/d(parent) for each parent, computed when the node was made
    ``label``    a name for drawings and messages; "" for none, as in the lecture

    Operators and methods make new nodes; ``backward`` fills in ``grad``. A graph has no reference
    cycles, so it is freed as soon as its result is dropped. ``==``, ``<`` and the like compare the
    numbers, and give a bool; the hash is that of the identity, so each node is a key of its own.
    The constructor makes leaves; ``_children`` and ``_op`` stand where micrograd has them, and must
    be empty. Raises TypeError unless ``data`` is a real number, OverflowError if it does not fit a
    float.
    """

    # A node of one or two parents has them, and the partials by them, in slots: two tuples instead
    # would double its memory and triple what the garbage collector visits. A node of more parents
    # has tuples in _left and _by_left, and MANY for _right.
    __slots__ = ("_attributes", "_by_left", "_by_right", "_data", "_grad", "_left", "_right", "op")
    _left: Any
    _right: Any
    _by_left: Any
    _by_right: float

    def __init__(
        self,
        data: SupportsFloat,
        _children: Iterable[Value] = (),
        _op: str = "",
        label: str | None = None,
    ) -> None:
        if _children != () and tuple(_children):
            raise TypeError(
                f"a Value made by hand has no parents, got {shown(_children)}; write label='w' for "
                "a name, and Op(name, partials, value) for an operation of your own"
            )
        self._data = data if type(data) is float else as_float(data)
        self._grad = _UNREACHED
        self._attributes: dict[str, Any] | None = None
        if label is not None:
            self.label = label
        self.op: Op | None = None
        self._left = self._right = None

    @property
    def data(self) -> float:
        return self._data

    @data.setter
    def data(self, number: SupportsFloat) -> None:
        self._data = as_float(number)

    @property
    def parents(self) -> tuple[Value, ...]:
        if self._right is None:
            return () if self._left is None else (self._left,)
        return self._left if self._right is MANY else (self._left, self._right)

    @property
    def partials(self) -> tuple[float, ...]:
        if self._right is None:
            return () if self._left is None else (self._by_left,)
        return self._by_left if self._right is MANY else (self._by_left, self._by_right)

    @property
    def grad(self) -> float:
        return self._grad + 0.0  # so that -0.0 does not show

    @grad.setter
    def grad(self, number: SupportsFloat | None) -> None:
        self._grad = _UNREACHED if number is None else as_float(number) + 0.0

    @property
    def reached(self) -> bool:
        return self._grad is not _UNREACHED

    @property
    def label(self) -> str:
        return self._attributes.get("label", "") if self._attributes else ""

    @label.setter
    def label(self, label: str | None) -> None:
        if label is not None and not isinstance(label, str):
            raise TypeError(f"a label must be a string or None, got {shown(label)}")
        if label or self._attributes:
            self._attributes = {**(self._attributes or {}), "label": label or ""}

    def backward(self) -> None:
        """Add d(self)/d(leaf) to the ``grad`` of every leaf that ``self`` depends on.

        The ``grad`` of the other nodes is computed anew, so calling this twice doubles the
        gradients of the leaves and nothing else. The chain rule sums over paths: in topological
        order, a node used twice has received both contributions before it passes anything on.
        """
        order = computed_nodes(self)  # without leaves, each after its parents
        for node in order:
            node._grad = 0.0
        self._grad += 1.0  # added, since this node may itself be a leaf
        # For each parent and the partial by it: parent.grad += node.grad * partial. What follows is
        # that for one parent, many and two.
        for node in reversed(order):
            adjoint, right = node._grad, node._right
            if right is None:
                node._left._grad += adjoint * node._by_left
            elif right is MANY:
                for parent, partial in zip(node._left, node._by_left):
                    parent._grad += adjoint * partial
            else:
                node._left._grad += adjoint * node._by_left
                right._grad += adjoint * node._by_right
        if watching.open_blocks:
            _check_sweep(self)

    # --- operators: each makes its node itself, since a call would take 1.4 times as long; a test
    #     compares them with their rows -----------------------------------------------------------

    def __add__(self, other: SupportsFloat) -> Value:
        if type(other) is not Value and (other := operand(other, "__radd__")) is NotImplemented:
            return NotImplemented
        node = _blank(Value)
        node._data = data = self._data + other._data
        node._grad, node._attributes = _UNREACHED, None
        node.op, node._left, node._right = _add, self, other
        node._by_left = node._by_right = 1.0 if data == data else nan
        if watching.open_blocks:
            anomaly.check_node(node)
        return node

    def __sub__(self, other: SupportsFloat) -> Value:
        if type(other) is not Value and (other := operand(other, "__rsub__")) is NotImplemented:
            return NotImplemented
        node = _blank(Value)
        node._data = data = self._data - other._data
        node._grad, node._attributes = _UNREACHED, None
        node.op, node._left, node._right = _sub, self, other
        if data == data:
            node._by_left, node._by_right = 1.0, -1.0
        else:
            node._by_left = node._by_right = nan
        if watching.open_blocks:
            anomaly.check_node(node)
        return node

    def __mul__(self, other: SupportsFloat) -> Value:
        if type(other) is not Value and (other := operand(other, "__rmul__")) is NotImplemented:
            return NotImplemented
        x, y = self._data, other._data
        node = _blank(Value)
        node._data = data = x * y
        node._grad, node._attributes = _UNREACHED, None
        node.op, node._left, node._right = _mul, self, other
        if data == data:
            node._by_left, node._by_right = y, x
        else:
            node._by_left = node._by_right = nan
        if watching.open_blocks:
            anomaly.check_node(node)
        return node

    def __truediv__(self, other: SupportsFloat) -> Value:
        if type(other) is not Value and (other := operand(other, "__rtruediv__")) is NotImplemented:
            return NotImplemented
        x, y = self._data, other._data
        if y == 0:
            return self.record(_div, (self, other))
        node = _blank(Value)
        node._data = data = x / y
        node._grad, node._attributes = _UNREACHED, None
        node.op, node._left, node._right = _div, self, other
        if data == data:
            node._by_left, node._by_right = 1 / y, -(data / y)
        else:
            node._by_left = node._by_right = nan
        if watching.open_blocks:
            anomaly.check_node(node)
        return node

    def __pow__(self, other: SupportsFloat) -> Value:
        if type(other) is Value:
            return self.record(_pow, (self, other))
        exponent = operand(other, "__rpow__")  # a constant: its derivative is not computed
        if exponent is NotImplemented:
            return NotImplemented
        x, p = self._data, exponent._data
        data = floats.pow(x, p)
        if data != data:
            return new_node(data, _pow, (self, exponent), (nan, nan))
        slope = p * floats.pow(x, p - 1) if p != 0 else 0.0
        return new_node(data, _pow, (self, exponent), (slope, 0.0))

    __neg__ = _method(ops.neg)
    __abs__ = _method(ops.abs)

    def __pos__(self) -> Value:
        return self

    def __radd__(self, other: SupportsFloat) -> Value:
        return constant(other) + self

    def __rsub__(self, other: SupportsFloat) -> Value:
        return constant(other) - self

    def __rmul__(self, other: SupportsFloat) -> Value:
        return constant(other) * self

    def __rtruediv__(self, other: SupportsFloat) -> Value:
        return constant(other) / self

    def __rpow__(self, other: SupportsFloat) -> Value:
        return constant(other) ** self

    def record(self, op: Op, operands: Sequence[Any]) -> Value:
        """Return the node of ``op`` on ``operands``; numbers among them become constants."""
        try:
            parents = tuple([x if type(x) is Value else constant(x) for x in operands])
        except TypeError:
            symbol = next((x for x in operands if isinstance(x, Symbol)), None)
            if symbol is not None:
                return symbol.record(op, operands)  # type: ignore[no-any-return]
            raise
        numbers = [parent._data for parent in parents]
        data = as_float(op.fast(*numbers))
        if data != data:
            return new_node(data, op, parents, (nan,) * len(parents))
        partials = as_floats(op.partials(FLOATS, data, *numbers))
        if len(partials) != len(parents):
            raise ValueError(
                f"operation {op.name!r} must give one partial for each of its {len(parents)} "
                f"operands, got {len(partials)}"
            )
        return new_node(data, op, parents, partials)

    __lt__ = _comparison(lt, "__gt__")
    __le__ = _comparison(le, "__ge__")
    __gt__ = _comparison(gt, "__lt__")
    __ge__ = _comparison(ge, "__le__")
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        if type(other) is Value:
            return self._data == other._data
        if isinstance(other, Number):  # exactly, as Python compares, also an int beyond all floats
            return bool(self._data == cast(float, other))
        if getattr(other, "shape", None) == ():  # an array with one number and no dimension
            return self._data == as_float(other)
        return NotImplemented

    def __init_subclass__(cls) -> None:
        raise TypeError(
            f"Value cannot be the base of {cls.__name__}: operators would still return Values; "
            "write a class that has a Value as an attribute, or declare attributes of Values: "
            "microgradient.attributes('m', 'v')"
        )

    def __bool__(self) -> bool:
        raise TypeError("a Value is not a bool; write `v.data != 0`, or compare: `v > 0`")

    def __float__(self) -> float:
        raise TypeError(
            "float(v) and the functions of math would lose the gradient; write "
            "`microgradient.sin(v)` for `math.sin(v)`, or `v.data` for the bare number (an array "
            "that holds Values is one of objects: numpy.zeros(n, dtype=object))"
        )

    __int__ = __float__

    # --- printing and copying, without recursion (pickling: engine/services/pickling.py) ---------

    def __repr__(self) -> str:
        grad = f", grad={self.grad}" if self.reached else ""
        label = f", label={self.label!r}" if self.label else ""
        return f"Value(data={self._data}{grad}{label})"

    def __format__(self, spec: str) -> str:
        return format(self._data, spec) if spec else repr(self)

    def __copy__(self) -> Value:
        return _twin(self, self.parents)

    def __deepcopy__(self, memo: dict[int, Any]) -> Value:
        for node in topological_order(self):
            if id(node) not in memo:
                memo[id(node)] = twin = _twin(node, tuple([memo[id(p)] for p in node.parents]))
                if twin._attributes:
                    twin._attributes = deepcopy(twin._attributes, memo)
        return memo[id(self)]  # type: ignore[no-any-return]

    # --- operations as methods: `x.tanh()` is `tanh(x)` ------------------------------------------

    exp, expm1, exp2 = map(_method, (ops.exp, ops.expm1, ops.exp2))
    log, log1p, log2, log10 = map(_method, (ops.log, ops.log1p, ops.log2, ops.log10))
    sqrt, cbrt = map(_method, (ops.sqrt, ops.cbrt))
    square, reciprocal = map(_method, (ops.square, ops.reciprocal))
    sin, cos, tan = map(_method, (ops.sin, ops.cos, ops.tan))
    asin, acos, atan = map(_method, (ops.asin, ops.acos, ops.atan))
    sinh, cosh, tanh = map(_method, (ops.sinh, ops.cosh, ops.tanh))
    asinh, acosh, atanh = map(_method, (ops.asinh, ops.acosh, ops.atanh))
    degrees, radians, sinc = map(_method, (ops.degrees, ops.radians, ops.sinc))
    erf, erfc, erfinv = map(_method, (ops.erf, ops.erfc, ops.erfinv))
    gamma, lgamma = map(_method, (ops.gamma, ops.lgamma))
    sigmoid, logsigmoid = map(_method, (ops.sigmoid, ops.logsigmoid))
    softplus, relu, gelu = map(_method, (ops.softplus, ops.relu, ops.gelu))
    silu, softsign = map(_method, (ops.silu, ops.softsign))
    sign, floor, ceil, step = map(_method, (ops.sign, ops.floor, ops.ceil, ops.step))

    def __mod__(self, other: SupportsFloat) -> Value:
        if type(other) is not Value and (other := operand(other, "__rmod__")) is NotImplemented:
            return NotImplemented
        return self.record(ops.mod, (self, other))

    def __rmod__(self, other: SupportsFloat) -> Value:
        return constant(other) % self

    def leaky_relu(self, slope: SupportsFloat = 0.01) -> Value:
        return self.record(ops.leaky_relu, (self, slope))

    def elu(self, alpha: SupportsFloat = 1.0) -> Value:
        return self.record(ops.elu, (self, alpha))

    def clip(self, low: SupportsFloat = -inf, high: SupportsFloat = inf) -> Value:
        return ops.clip(self, low, high)

    def maximum(self, other: SupportsFloat) -> Value:
        return self.record(ops.maximum, (self, other))

    def minimum(self, other: SupportsFloat) -> Value:
        return self.record(ops.minimum, (self, other))

    # --- micrograd's and microgpt's names, which their lessons and drawings read -----------------

    @property
    def _prev(self) -> set[Value]:
        if self.op is ops.pow and self.parents[1].op is ops.constant:
            return {self.parents[0]}  # the exponent stands in `_op`
        return set(self.parents)

    @property
    def _children(self) -> tuple[Value, ...]:
        return self.parents

    @property
    def _local_grads(self) -> tuple[float, ...]:
        return self.partials

    @property
    def _op(self) -> str:
        if self.op is ops.pow:
            return f"**{self.parents[1]._data:g}"
        if self.op is ops.relu:
            return "ReLU"
        return self.op.symbol if self.op is not None and self.parents else ""

    def _backward(self) -> None:
        """Add to the ``grad`` of the parents what this node contributes: a step of ``backward``."""
        for parent, partial in zip(self.parents, self.partials):
            parent.grad += self.grad * partial


def new_node(
    data: float, op: Op | None, parents: tuple[Value, ...], partials: tuple[float, ...]
) -> Value:
    node = _blank(Value)
    node._data = data
    node._grad, node._attributes = _UNREACHED, None
    node.op = op
    _link(node, parents, partials)
    if watching.open_blocks and parents:
        anomaly.check_node(node)
    return node


def _link(node: Value, parents: tuple[Value, ...], partials: tuple[float, ...]) -> None:
    if len(parents) == 2:
        node._left, node._right = parents
        node._by_left, node._by_right = partials
    elif len(parents) > 2:
        node._left, node._right, node._by_left = parents, MANY, partials
    elif parents:
        (node._left,), node._right = parents, None
        (node._by_left,) = partials
    else:
        node._left = node._right = None


def constant(x: object) -> Value:
    """Return the number ``x`` as a leaf marked as a constant, as operators do."""
    node = _blank(Value)
    node._data = x if type(x) is float else as_float(x)
    node._grad = _UNREACHED
    node._attributes = node._left = node._right = None
    node.op = _constant
    return node


def operand(x: object, reflected: str) -> Value:
    """Return ``x`` as a constant; NotImplemented if its class has the ``reflected`` operator.

    So has an array, for NumPy maps over it (``Operand.__array_ufunc__``). Built-in types have it
    too (``[0] * 3``), but for other purposes: they raise the TypeError that says what to write.
    """
    if isinstance(x, Symbol) or is_mapped(x):
        return NotImplemented  # type: ignore[no-any-return]
    try:
        return constant(x)
    except TypeError:
        foreign = type(x).__module__ not in ("builtins", "numpy")
        if foreign and hasattr(type(x), reflected):
            return NotImplemented  # type: ignore[no-any-return]
        raise


def gradient_of(node: Value) -> float | None:
    """Return the gradient of ``node``; None if no reverse sweep has reached it."""
    return node.grad if node.reached else None


def _twin(node: Value, parents: tuple[Value, ...]) -> Value:
    if node.op is ops.argument:  # a copy would not be the transform's variable
        return node
    grad = gradient_of(node)
    return rebuilt(node._data, grad, node._attributes, node.op, parents, node.partials)


def rebuilt(
    data: float,
    grad: float | None,
    attributes: dict[str, Any] | None,
    op: Op | None,
    parents: tuple[Value, ...],
    partials: tuple[float, ...],
) -> Value:
    """Return a node with these contents, as a copy needs it: nothing is watched."""
    with watching.paused() if watching.open_blocks else nullcontext():
        node = new_node(as_float(data), op, parents, partials)
    if grad is not None:
        node.grad = grad
    node._attributes = attributes.copy() if attributes else None
    return node


# --- the same in C, where it was built (engine/_node.c) -------------------------------------------


def _check_sweep(root: Value) -> None:
    nodes = topological_order(root)
    anomaly.check_adjoints(nodes, {node: node.grad for node in nodes})


def _in_c(written: type[Value]) -> type[Value]:
    """Return the type that C makes, with every member of ``written`` that is not in C."""
    python = {
        "as_float": as_float,
        "operand": operand,
        "unreached": _UNREACHED,
        "check_node": anomaly.check_node,
        "check_sweep": _check_sweep,
        "init": written.__init__,
        "equal": written.__eq__,
        "call": Op.__call__,
        "record": written.record,
    }
    documents = {
        "backward": f"backward($self, /)\n--\n\n{written.backward.__doc__}",
        "record": f"record($self, op, operands, /)\n--\n\n{written.record.__doc__}",
    }
    made: type[Value] = native.node.value_type(Operand, python, ops.NAMED, documents)
    made.__name__ = "Value"  # in messages: a type made in C has the name with its module there
    for name, member in vars(written).items():
        if name not in vars(made) and not hasattr(member, "__objclass__"):  # a slot of its own
            setattr(made, name, member)
    made.__doc__ = written.__doc__
    Op.__call__ = native.node.row_caller(Op)  # type: ignore[method-assign]
    watching.switches.append(native.node.watch)
    return made


if native.node is not None:
    Value = _in_c(Value)  # type: ignore[misc]
    new_node, constant = native.node.new_node, native.node.constant
