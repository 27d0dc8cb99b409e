"""The Python backend: always there, readable, and seen by tracebacks and debuggers.

It calls the engine's own functions, so that forward results equal the eager ones bit for bit. The
source contains only generated names and numbers.
"""

from __future__ import annotations

import linecache
import weakref
from array import array
from collections.abc import Callable, Sequence
from itertools import count
from math import inf, nan
from textwrap import fill
from typing import Any

from microgradient.compiler.program.passes import legalize
from microgradient.compiler.program.primitives import (
    AND,
    CONSTANT,
    EQUAL,
    INPUT,
    LESS,
    LESS_EQUAL,
    NAN_WHERE_NAN,
    OR,
)
from microgradient.compiler.program.program import Instruction, Program
from microgradient.engine import floats, ops
from microgradient.engine.arithmetic import FLOATS

_INFIX = (ops.add, ops.sub, ops.mul, LESS, LESS_EQUAL, EQUAL, AND, OR)
_NATIVE = frozenset((*FLOATS.native, "add", "sub", "mul", "neg")) - {"equal", "where", "detach"}
_numbers = count(1)


def python_source(program: Program) -> str:
    """Return the source of a function ``program``.

    It takes the inputs and returns the outputs, as sequences of floats. Over a batch it takes the
    uniform inputs and a sequence of examples, and returns the sums of the outputs, or a list of
    those of each example.
    """
    return _Writer(legalize(program, _NATIVE)).text()


def python_function(source: str) -> Callable[..., Any]:
    """Return the function that ``source`` defines; tracebacks and debuggers see its lines."""
    name = f"<compiled by microgradient, {next(_numbers)}>"
    lines = source.splitlines(keepends=True)
    linecache.cache[name] = (len(source), None, lines, name)
    scope: dict[str, Any] = {
        **{k: v for k, v in FLOATS.native.items() if k in _NATIVE},
        "total": floats._fsum,
        "inf": inf,
        "nan": nan,
        "__builtins__": {},
    }
    exec(compile(source, name, "exec"), scope)
    function: Callable[..., Any] = scope["program"]
    weakref.finalize(function, linecache.cache.pop, name, None)
    return function


class _Writer:
    """The text of one function."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.names = [
            self._literal(x.number) if x.op is CONSTANT else f"v{slot}"
            for slot, x in enumerate(program.instructions)
        ]

    def text(self) -> str:
        program, inputs = self.program, set(self.program.varying)
        uniform = [
            name for i, name in enumerate(self.names[: len(program.inputs)]) if i not in inputs
        ]
        results = [self.names[slot] for slot in program.outputs]
        takes = "(inputs, batch)" if inputs else "(inputs)"
        lines = [f"def program{takes}:"]
        if uniform:
            lines.append(f"    {self._tuple(uniform)} = inputs")
        varies = program.varies()
        lines += self._block(1, [not v for v in varies])
        if not inputs:
            return "\n".join([*lines, f"    return {self._tuple(results)}", ""])
        sums = [f"s{k}" for k in range(len(results))]
        lines += [f"    {s} = 0.0" for s in sums] if program.reduce else ["    results = []"]
        lines.append(f"    for {self._tuple([self.names[i] for i in program.varying])} in batch:")
        lines += self._block(2, varies)
        if program.reduce:
            lines += [f"        {s} += {x}" for s, x in zip(sums, results)] or ["        pass"]
            lines.append(f"    return {self._tuple(sums)}")
        else:
            lines += [f"        results.append(({self._tuple(results)}))", "    return results"]
        return "\n".join([*lines, ""])

    def _block(self, depth: int, wanted: Sequence[bool]) -> list[str]:
        return [
            f"{'    ' * depth}v{slot} = {self._formula(instruction)}"
            for slot, instruction in enumerate(self.program.instructions)
            if wanted[slot] and instruction.op not in (INPUT, CONSTANT)
        ]

    def _formula(self, instruction: Instruction) -> str:
        op, x = instruction.op, [self.names[slot] for slot in instruction.operands]
        if op in _INFIX:
            return f"{x[0]} {op.symbol} {x[1]}"
        if op.name == "dot":
            n = len(x) // 2
            products = [f"{w} * {y}" for w, y in zip(x[:n], x[n : 2 * n])]
            return f"total([{', '.join([*products, *x[2 * n :]])}])"
        if op.name in ("fsum", "prod"):
            return f"{op.name}([{', '.join(x)}])"
        if op is NAN_WHERE_NAN:
            return f"{x[0]} if {x[1]} == {x[1]} else nan"
        if op.name == "neg":
            return f"-{x[0]}"
        if op.name == "not":
            return f"not {x[0]}"
        if op.name == "where":
            return f"{x[1]} if {x[0]} else {x[2]}"
        return f"{op.name}({', '.join(x)})"

    def _tuple(self, names: Sequence[str]) -> str:
        if len(names) < 12:
            return ", ".join(names) if len(names) > 1 else f"({', '.join(names)}{',' * len(names)})"
        rows = fill(", ".join(names), 96, break_long_words=False, break_on_hyphens=False)
        indented = "".join(f"\n        {line}" for line in rows.splitlines())
        return f"({indented}\n    )"

    @staticmethod
    def _literal(number: float) -> str:
        text = repr(number)
        return f"({text})" if text.startswith("-") else text


class PythonKernel:
    """A program as a Python function."""

    def __init__(self, program: Program) -> None:
        self._function = python_function(python_source(program))

    def run(self, inputs: Any) -> array[float]:
        """Return the outputs for ``inputs``, floats or memory of doubles."""
        return array("d", self._function(_floats(inputs)))

    def run_batch(self, inputs: Any, batch: Any) -> Any:
        """Return the sums of the outputs over ``batch``, or a sequence of those of each."""
        rows = batch if isinstance(batch, list) else batch.tolist()
        return self._function(_floats(inputs), rows)


def _floats(inputs: Any) -> Sequence[float]:
    return inputs if isinstance(inputs, (list, array)) else array("d", bytes(inputs))
