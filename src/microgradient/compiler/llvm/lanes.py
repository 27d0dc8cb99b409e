"""Doubles side by side in a vector register, as numbers with ``+ - *`` and comparisons.

What is done with them becomes LLVM instructions, so a row of the table, or any formula in its
vocabulary, can be evaluated in them (see ``instructions.LLVM``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from microgradient.compiler.llvm.builder import Builder, Callee, number


class Lanes:
    """Vectors of ``count`` doubles (1: plain doubles) whose instructions go to ``builder``."""

    def __init__(self, builder: Builder, count: int) -> None:
        self.builder, self.count = builder, count
        self.type = _vector(count, "double")
        self.ints = _vector(count, "i64")
        self.bits = _vector(count, "i1")

    def constant(self, x: float) -> Vector:
        """Return ``x`` in all lanes."""
        return Vector(self, number(x) if self.count == 1 else f"splat (double {number(x)})")

    def splat(self, scalar: str) -> Vector:
        """Return the double named ``scalar`` in all lanes."""
        return Vector(self, self._splat("double", scalar))

    def _splat(self, kind: str, scalar: str) -> str:
        if self.count == 1:
            return scalar
        vector = _vector(self.count, kind)
        one = self.builder.put(f"insertelement {vector} poison, {kind} {scalar}, i64 0")
        zeros = f"<{self.count} x i32> zeroinitializer"
        return self.builder.put(f"shufflevector {vector} {one}, {vector} poison, {zeros}")

    def load(self, pointer: str) -> Vector:
        return Vector(self, self.builder.load(self.type, pointer))

    def load_all(self, pointer: str) -> Vector:
        """Return the double at ``pointer`` in all lanes."""
        return self.splat(self.builder.load("double", pointer))

    def store(self, x: Vector, pointer: str) -> None:
        self.builder.store(self.type, x.name, pointer)

    def allocate(self) -> str:
        """Return memory for one vector, which LLVM will keep in a register."""
        return self.builder.allocate(self.type)

    def vector(self, text: str) -> Vector:
        """Return the result of the instruction ``text``."""
        return Vector(self, self.builder.put(text))

    def mask(self, text: str) -> Mask:
        """Return the condition that the instruction ``text`` computes."""
        return Mask(self, self.builder.put(text))

    def first(self, n: str) -> Mask:
        """Return the mask of the first ``n`` lanes."""
        numbered = f"<{', '.join(f'i64 {i}' for i in range(self.count))}>"
        return self.mask(f"icmp slt {self.ints} {numbered}, {self._splat('i64', n)}")

    def call(self, callee: Callee, *xs: Vector) -> Vector:
        return Vector(self, self.builder.call(callee, *[x.name for x in xs]))

    def intrinsic(self, name: str, *xs: Vector) -> Vector:
        """Return the result of one of LLVM's own functions of doubles, such as "fabs"."""
        tag = "f64" if self.count == 1 else f"v{self.count}f64"
        return self.call(Callee(f"llvm.{name}.{tag}", self.type, (self.type,) * len(xs)), *xs)

    def shuffled(self, x: Vector, y: Vector | None, lanes: Sequence[int]) -> Vector:
        """Return lanes of ``x`` and, counted on, of ``y``, as a vector of their number."""
        if y is None and len(lanes) == 1:
            return x.lane(lanes[0])
        mask = ", ".join(f"i32 {lane}" for lane in lanes)
        other = "poison" if y is None else y.name
        result = Lanes(self.builder, len(lanes))
        return result.vector(
            f"shufflevector {self.type} {x.name}, {self.type} {other}, "
            f"<{len(lanes)} x i32> <{mask}>"
        )


def _vector(count: int, kind: str) -> str:
    return kind if count == 1 else f"<{count} x {kind}>"


class Vector:
    """A number in each lane: the name of an LLVM value."""

    __slots__ = ("lanes", "name")

    def __init__(self, lanes: Lanes, name: str) -> None:
        self.lanes, self.name = lanes, name

    def like(self, x: Vector | float) -> Vector:
        """Return ``x``, a number in all lanes."""
        return x if isinstance(x, Vector) else self.lanes.constant(x)

    def _binary(self, instruction: str, x: Vector | float, y: Vector | float) -> Vector:
        first, second = self.like(x).name, self.like(y).name
        return self.lanes.vector(f"{instruction} {self.lanes.type} {first}, {second}")

    def __add__(self, other: Vector | float) -> Vector:
        return self._binary("fadd", self, other)

    def __sub__(self, other: Vector | float) -> Vector:
        return self._binary("fsub", self, other)

    def __rsub__(self, other: float) -> Vector:
        return self._binary("fsub", other, self)

    def __mul__(self, other: Vector | float) -> Vector:
        return self._binary("fmul", self, other)

    __radd__, __rmul__ = __add__, __mul__

    def divided_by(self, other: Vector | float) -> Vector:
        return self._binary("fdiv", self, other)

    def __neg__(self) -> Vector:
        return self.lanes.vector(f"fneg {self.lanes.type} {self.name}")

    def compare(self, how: str, other: Vector | float) -> Mask:
        """Return one of IEEE's comparisons: with a nan ``o…`` is false, and ``u…`` true."""
        lanes = self.lanes
        return lanes.mask(f"fcmp {how} {lanes.type} {self.name}, {self.like(other).name}")

    def __lt__(self, other: Vector | float) -> Mask:
        return self.compare("olt", other)

    def __le__(self, other: Vector | float) -> Mask:
        return self.compare("ole", other)

    def __gt__(self, other: Vector | float) -> Mask:
        return self.compare("ogt", other)

    def __ge__(self, other: Vector | float) -> Mask:
        return self.compare("oge", other)

    def lane(self, i: int) -> Vector:
        """Return the number in one lane, as a plain double."""
        if self.lanes.count == 1:
            return self
        one = Lanes(self.lanes.builder, 1)
        return one.vector(f"extractelement {self.lanes.type} {self.name}, i64 {i}")

    def bits(self) -> Integers:
        """Return the bits of each double as a whole number."""
        lanes = self.lanes
        text = f"bitcast {lanes.type} {self.name} to {lanes.ints}"
        return Integers(lanes, lanes.builder.put(text))

    def __repr__(self) -> str:
        return f"{self.lanes.type} {self.name}"


class Mask:
    """A condition in each lane."""

    __slots__ = ("lanes", "name")

    def __init__(self, lanes: Lanes, name: str) -> None:
        self.lanes, self.name = lanes, name

    def _joined(self, instruction: str, other: str) -> Mask:
        return self.lanes.mask(f"{instruction} {self.lanes.bits} {self.name}, {other}")

    def __and__(self, other: Mask) -> Mask:
        return self._joined("and", other.name)

    def __or__(self, other: Mask) -> Mask:
        return self._joined("or", other.name)

    def __invert__(self) -> Mask:
        return self._joined("xor", "true" if self.lanes.count == 1 else "splat (i1 true)")

    def choose(self, x: Vector | float, y: Vector | float) -> Vector:
        """Return ``x`` in the lanes where the condition holds, elsewhere ``y``."""
        lanes = self.lanes
        names = [v.name if isinstance(v, Vector) else lanes.constant(v).name for v in (x, y)]
        operands = ", ".join(f"{lanes.type} {name}" for name in names)
        return lanes.vector(f"select {lanes.bits} {self.name}, {operands}")

    def any(self) -> str:
        """Return the i1 that tells whether it holds in some lane."""
        count, put = self.lanes.count, self.lanes.builder.put
        bits = put(f"bitcast {self.lanes.bits} {self.name} to i{count}")
        return put(f"icmp ne i{count} {bits}, 0")


class Integers:
    """A whole number of 64 bits in each lane."""

    __slots__ = ("lanes", "name")

    def __init__(self, lanes: Lanes, name: str) -> None:
        self.lanes, self.name = lanes, name

    def _binary(self, instruction: str, other: Integers | int) -> Integers:
        if isinstance(other, int):
            second = str(other) if self.lanes.count == 1 else f"splat (i64 {other})"
        else:
            second = other.name
        text = f"{instruction} {self.lanes.ints} {self.name}, {second}"
        return Integers(self.lanes, self.lanes.builder.put(text))

    def __add__(self, other: Integers | int) -> Integers:
        return self._binary("add", other)

    def __sub__(self, other: Integers | int) -> Integers:
        return self._binary("sub", other)

    def __lshift__(self, other: int) -> Integers:
        return self._binary("shl", other)

    def __rshift__(self, other: int) -> Integers:
        return self._binary("ashr", other)

    def doubles(self) -> Vector:
        """Return the doubles with these bits."""
        lanes = self.lanes
        return lanes.vector(f"bitcast {lanes.ints} {self.name} to {lanes.type}")


def chosen(condition: Any, x: Any, y: Any) -> Any:
    """Return ``x`` where ``condition`` holds, else ``y``; a bool chooses at once."""
    return condition.choose(x, y) if isinstance(condition, Mask) else x if condition else y
