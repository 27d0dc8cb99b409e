"""The functions of a program's nests, and their calls.

Nests of one shape share a function: what differs between them, places in memory, are arguments.
Calls that repeat with such places at equal distances become a loop. So the code of a recurrence
does not grow with its steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from microgradient.compiler.llvm.addresses import Layout, kind_of
from microgradient.compiler.llvm.builder import Builder, Function, Index
from microgradient.compiler.llvm.contraction import GradientFunction, LayerFunction
from microgradient.compiler.llvm.nest import NestFunction
from microgradient.compiler.llvm.reduction import SumFunction
from microgradient.compiler.loops.nests import Layer, Nest
from microgradient.compiler.loops.periods import repetitions


class Call(NamedTuple):
    """A call of a function: the arguments that all nests take, as text, then its own."""

    function: str
    first: str
    arguments: tuple[Index, ...]

    def after(self, first: str) -> Call:
        """Return the call with these arguments first."""
        return self._replace(first=first)


class NestFunctions:
    """The functions of nests; if they are few, LLVM inlines them, and none are shared."""

    def __init__(self, name: str, layout: Layout) -> None:
        self.functions: list[Function] = []
        self.tables = list[str]()
        self._name, self._layout = name, layout
        self._known: dict[str, str] = {}  # the name by the text without it
        self._hint = "noinline" if layout.shared else "alwaysinline"

    def add(self, nest: Nest | Layer, *, accumulate: bool = False) -> Call:
        """Add the function of a nest that does not sum over a batch; return its call."""
        if isinstance(nest, Layer):
            return self.add_function(LayerFunction(self._layout, nest))
        return self.add_function(NestFunction(self._layout, nest, self._table, accumulate))

    def add_function(
        self, nest: LayerFunction | NestFunction | GradientFunction | SumFunction
    ) -> Call:
        """Add a nest's function, unless there is one of its shape; return its call."""
        name = f"{self._name}_nest{len(self.functions)}"
        function, arguments = nest.function(name, self._hint)
        known = self._known.setdefault(function.text.replace(f"@{name}(", "@(", 1), name)
        if known == name:
            self.functions.append(function)
        return Call(known, "", arguments)

    def _table(self, items: Sequence[str], kind: str) -> str:
        full = f"@{self._name}_table{len(self.tables)}"
        body = ", ".join(f"{kind} {item}" for item in items)
        self.tables.append(
            f"{full} = private unnamed_addr constant [{len(items)} x {kind}] [{body}]"
        )
        return full


def add_calls(builder: Builder, calls: Sequence[Call]) -> None:
    """Add calls one after the other, what repeats as a loop."""
    items = []
    for function, first, arguments in calls:
        tables = tuple([x for x in arguments if isinstance(x, str)])
        numbers = tuple([x for x in arguments if isinstance(x, int)])
        items.append(((function, first, tables), numbers))
    for start, period, times in repetitions(items):
        group = calls[start : start + period]
        if times == 1:
            for call in group:
                _add_call(builder, call)
            continue
        with builder.loop(times) as t:
            for call, later in zip(group, calls[start + period :]):
                moving = [
                    x
                    if isinstance(x, str) or isinstance(y, str)
                    else builder.integer("add", x, builder.integer("mul", t, y - x))
                    for x, y in zip(call.arguments, later.arguments)
                ]
                _add_call(builder, call, moving)


def _add_call(builder: Builder, call: Call, arguments: Sequence[Index] | None = None) -> None:
    given = call.arguments if arguments is None else arguments
    typed = [f"{kind_of(kind)} {x}" for kind, x in zip(call.arguments, given)]
    builder.do(f"call void @{call.function}({', '.join([call.first, *typed])})")
