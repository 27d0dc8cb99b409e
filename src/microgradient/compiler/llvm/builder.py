"""A writer of LLVM's intermediate representation as text, over scalars or vectors of lanes."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count


class Lines:
    """Lines of one function, with fresh names for values and blocks."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._names = count()
        self.block = "entry"
        self.functions: dict[tuple[str, int], None] = {}

    def fresh(self) -> str:
        return f"%r{next(self._names)}"

    def put(self, text: str) -> str:
        """Add an instruction with a result; return its name."""
        name = self.fresh()
        self.lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def begin(self, block: str) -> None:
        self.lines.append(f"{block}:")
        self.block = block

    @contextmanager
    def loop(self, stop: int | str, start: int | str = 0, step: int | str = 1) -> Iterator[str]:
        """Repeat what is written inside for a counter from ``start`` below ``stop``.

        Runs at least once: a loop over what may be empty is guarded by the caller.
        """
        n = next(self._names)
        before, body, after = self.block, f"loop{n}", f"done{n}"
        self.do(f"br label %{body}")
        self.begin(body)
        index, following = f"%i{n}", f"%n{n}"
        at = len(self.lines)
        yield index
        self.do(f"{following} = add nuw nsw i64 {index}, {step}")
        more = self.put(f"icmp slt i64 {following}, {stop}")
        self.do(f"br i1 {more}, label %{body}, label %{after}")
        self.lines.insert(
            at, f"  {index} = phi i64 [ {start}, %{before} ], [ {following}, %{self.block} ]"
        )
        self.begin(after)

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """Do what is written inside only if the i1 ``condition`` holds."""
        n = next(self._names)
        self.do(f"br i1 {condition}, label %then{n}, label %else{n}")
        self.begin(f"then{n}")
        yield
        self.do(f"br label %else{n}")
        self.begin(f"else{n}")


def number(x: float) -> str:
    """Return a double as LLVM writes it exactly: the bits in hexadecimal."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', x))[0]:016X}"


class Arithmetic:
    """Instructions over ``lanes`` doubles at a time (1: scalars), written to ``to``."""

    def __init__(self, to: Lines, lanes: int) -> None:
        self.to, self.lanes = to, lanes
        self.type = "double" if lanes == 1 else f"<{lanes} x double>"
        self.ints = "i64" if lanes == 1 else f"<{lanes} x i64>"
        self.bits = "i1" if lanes == 1 else f"<{lanes} x i1>"
        self.tag = "f64" if lanes == 1 else f"v{lanes}f64"

    def constant(self, x: float) -> str:
        if self.lanes == 1:
            return number(x)
        return f"splat (double {number(x)})"

    def integer(self, x: int) -> str:
        return str(x) if self.lanes == 1 else f"splat (i64 {x})"

    def splat(self, scalar: str) -> str:
        """Return a scalar in all lanes."""
        if self.lanes == 1:
            return scalar
        one = self.to.put(f"insertelement {self.type} poison, double {scalar}, i64 0")
        zeros = f"<{self.lanes} x i32> zeroinitializer"
        return self.to.put(f"shufflevector {self.type} {one}, {self.type} poison, {zeros}")

    def binary(self, name: str, x: str, y: str) -> str:
        return self.to.put(f"{name} {self.type} {x}, {y}")

    def add(self, x: str, y: str) -> str:
        return self.binary("fadd", x, y)

    def sub(self, x: str, y: str) -> str:
        return self.binary("fsub", x, y)

    def mul(self, x: str, y: str) -> str:
        return self.binary("fmul", x, y)

    def div(self, x: str, y: str) -> str:
        return self.binary("fdiv", x, y)

    def neg(self, x: str) -> str:
        return self.to.put(f"fneg {self.type} {x}")

    def fma(self, x: str, y: str, z: str) -> str:
        return self.call("fmuladd", x, y, z)

    def call(self, name: str, *xs: str) -> str:
        """Return the result of one of LLVM's own functions of doubles."""
        operands = ", ".join(f"{self.type} {x}" for x in xs)
        return self.to.put(f"call {self.type} @llvm.{name}.{self.tag}({operands})")

    def scaled(self, x: str, k: str) -> str:
        """Return x * 2^k, rounded once, for whole k: eight lanes with AVX-512."""
        name = "@llvm.x86.avx512.mask.scalef.pd.512"
        operands = ", ".join(f"{self.type} {y}" for y in (x, k, "zeroinitializer"))
        return self.to.put(f"call {self.type} {name}({operands}, i8 -1, i32 4)")

    def shuffled(self, x: str, y: str, lanes: Sequence[int]) -> str:
        """Return lanes of ``x`` and, counted on, of ``y``."""
        mask = ", ".join(f"i32 {lane}" for lane in lanes)
        return self.to.put(
            f"shufflevector {self.type} {x}, {self.type} {y}, <{len(lanes)} x i32> <{mask}>"
        )

    def own(self, name: str, *xs: str) -> str:
        """Return the result of a function of :mod:`vector_math`, which will then be defined."""
        self.to.functions[name, self.lanes] = None
        operands = ", ".join(f"{self.type} {x}" for x in xs)
        return self.to.put(f"call {self.type} @{name}_{self.lanes}({operands})")

    def compare(self, how: str, x: str, y: str) -> str:
        return self.to.put(f"fcmp {how} {self.type} {x}, {y}")

    def select(self, condition: str, x: str, y: str) -> str:
        return self.to.put(f"select {self.bits} {condition}, {self.type} {x}, {self.type} {y}")

    def logic(self, name: str, x: str, y: str) -> str:
        return self.to.put(f"{name} {self.bits} {x}, {y}")

    def inverted(self, x: str) -> str:
        true = "true" if self.lanes == 1 else "splat (i1 true)"
        return self.logic("xor", x, true)

    def int_op(self, name: str, x: str, y: int | str) -> str:
        other = self.integer(y) if isinstance(y, int) else y
        return self.to.put(f"{name} {self.ints} {x}, {other}")

    def as_ints(self, x: str) -> str:
        return self.to.put(f"bitcast {self.type} {x} to {self.ints}")

    def as_doubles(self, x: str) -> str:
        return self.to.put(f"bitcast {self.ints} {x} to {self.type}")

    def truth(self, condition: str) -> str:
        """Return 1 or 0 for a condition: how it is kept in memory."""
        return self.select(condition, self.constant(1.0), self.constant(0.0))

    def load(self, pointer: str) -> str:
        return self.to.put(f"load {self.type}, ptr {pointer}, align 8")

    def store(self, x: str, pointer: str) -> None:
        self.to.do(f"store {self.type} {x}, ptr {pointer}, align 8")


def register(lines: Lines, allocations: list[str], a: Arithmetic) -> str:
    """Return a place for one of ``a``'s vectors that LLVM will keep in a register."""
    name = lines.fresh()
    allocations.append(f"  {name} = alloca {a.type}, align 64")
    return name


def at(lines: Lines, base: str, index: int | str) -> str:
    """Return where the double ``index`` behind ``base`` is."""
    return lines.put(f"getelementptr inbounds double, ptr {base}, i64 {index}")
