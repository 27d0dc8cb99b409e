"""Text of LLVM IR: functions instruction by instruction, and modules of functions and callees."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

Index = int | str
"""A whole number: one that is known now, or the name of an i64."""

_MANY_CALLS = 400  # of inlined callees: with more of them, the code would grow too large


@dataclass(frozen=True)
class Callee:
    """A function that others call: declared, or defined by what ``definition`` returns.

    ``inlined`` says that it is worth inlining while its calls in a module are few.
    """

    name: str
    result: str
    parameters: tuple[str, ...]
    definition: Callable[[bool], Function] | None = field(default=None, compare=False)
    inlined: bool = False
    library: str = ""  # the name of the function outside of LLVM, "" for one of LLVM's own


@dataclass(frozen=True)
class Function:
    """The text of a function, and how often it calls which others."""

    name: str
    text: str
    calls: Counter[Callee]


@dataclass(frozen=True)
class Module:
    """The text of a module, and the names of the library functions that it needs."""

    text: str
    libraries: tuple[str, ...]


SMALLER = Callee("llvm.smin.i64", "i64", ("i64", "i64"))
CLEAR = Callee("llvm.memset.p0.i64", "void", ("ptr", "i8", "i64", "i1"))


class Builder:
    """The instructions of one function, with fresh names for values and blocks."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.calls: Counter[Callee] = Counter()
        self._allocations: list[str] = []
        self._names = count()
        self._block = "entry"

    def put(self, text: str) -> str:
        """Add an instruction with a result; return its name."""
        name = f"%r{next(self._names)}"
        self.lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        """Add an instruction without a result."""
        self.lines.append(f"  {text}")

    def call(self, callee: Callee, *arguments: Index) -> str:
        """Add a call; return the name of its result, "" where there is none."""
        self.calls[callee] += 1
        typed = ", ".join(f"{t} {x}" for t, x in zip(callee.parameters, arguments, strict=True))
        text = f"call {callee.result} @{callee.name}({typed})"
        if callee.result != "void":
            return self.put(text)
        self.do(text)
        return ""

    def allocate(self, kind: str, align: int = 64) -> str:
        """Return memory for one ``kind`` on the stack; LLVM keeps it in a register if it can."""
        name = f"%r{next(self._names)}"
        self._allocations.append(f"  {name} = alloca {kind}, align {align}")
        return name

    def integer(self, operation: str, x: Index, y: Index) -> Index:
        """Return ``add``, ``mul``, ``sub``, ``sdiv`` or ``srem`` of two whole numbers."""
        if isinstance(x, int) and isinstance(y, int):
            return _FOLD[operation](x, y)
        if operation == "add" and 0 in (x, y):
            return y if x == 0 else x
        if operation == "mul" and (0 in (x, y) or 1 in (x, y)):
            return 0 if 0 in (x, y) else y if x == 1 else x
        no_wrap = " nsw" if operation in ("add", "mul", "sub") else ""
        return self.put(f"{operation}{no_wrap} i64 {x}, {y}")

    def at(self, base: str, index: Index) -> str:
        """Return the address of the double ``index`` after ``base``."""
        return (
            base
            if index == 0
            else self.put(f"getelementptr inbounds double, ptr {base}, i64 {index}")
        )

    def load(self, kind: str, pointer: str) -> str:
        return self.put(f"load {kind}, ptr {pointer}, align {ALIGNMENT.get(kind, 8)}")

    def store(self, kind: str, x: Index, pointer: str) -> None:
        self.do(f"store {kind} {x}, ptr {pointer}, align {ALIGNMENT.get(kind, 8)}")

    @contextmanager
    def loop(self, stop: Index, start: Index = 0, step: Index = 1) -> Iterator[str]:
        """Repeat what is added inside for a counter from ``start`` below ``stop``.

        Runs at least once: the caller guards a loop over what may be empty, see ``when``.
        """
        n = next(self._names)
        before, body = self._block, f"loop{n}"
        index, following = f"%i{n}", f"%n{n}"
        self.do(f"br label %{body}")
        self._begin(body)
        place = len(self.lines)
        yield index
        self.do(f"{following} = add nuw nsw i64 {index}, {step}")
        more = self.put(f"icmp slt i64 {following}, {stop}")
        self.do(f"br i1 {more}, label %{body}, label %done{n}")
        phi = f"phi i64 [ {start}, %{before} ], [ {following}, %{self._block} ]"
        self.lines.insert(place, f"  {index} = {phi}")
        self._begin(f"done{n}")

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """Do what is added inside only if the i1 ``condition`` holds."""
        n = next(self._names)
        self.do(f"br i1 {condition}, label %then{n}, label %else{n}")
        self._begin(f"then{n}")
        yield
        self.do(f"br label %else{n}")
        self._begin(f"else{n}")

    def switch(self, number: str, cases: Sequence[Callable[[], None]]) -> None:
        """Do the one of ``cases`` that has the i32 ``number``, one of theirs."""
        n = next(self._names)
        labels = [f"case{n}_{k}" for k in range(len(cases))]
        table = " ".join(f"i32 {k}, label %{label}" for k, label in enumerate(labels))
        self.do(f"switch i32 {number}, label %{labels[0]} [{table}]")
        for label, case in zip(labels, cases):
            self._begin(label)
            case()
            self.do(f"br label %chosen{n}")
        self._begin(f"chosen{n}")

    def return_when(self, condition: str, result: str) -> None:
        """Return the i64 ``result`` if the i1 ``condition`` holds."""
        n = next(self._names)
        self.do(f"br i1 {condition}, label %return{n}, label %else{n}")
        self._begin(f"return{n}")
        self.do(f"ret i64 {result}")
        self._begin(f"else{n}")

    def _begin(self, block: str) -> None:
        self.lines.append(f"{block}:")
        self._block = block

    def function(self, head: str, name: str, result: str = "void") -> Function:
        """Return the function of what has been added; ``head`` is all before its brace."""
        text = "\n".join(
            [f"define {head} {{", "entry:", *self._allocations, *self.lines, f"  ret {result}", "}"]
        )
        return Function(name, text, self.calls)


_FOLD: dict[str, Callable[[int, int], int]] = {
    "add": lambda x, y: x + y,
    "mul": lambda x, y: x * y,
    "sub": lambda x, y: x - y,
    "sdiv": lambda x, y: x // y,  # of whole numbers that are not negative
    "srem": lambda x, y: x % y,
}
ALIGNMENT = {"i1": 1}  # bytes; 8 for all else: a vector may begin at any double


def number(x: float) -> str:
    """Return a double as LLVM writes it exactly: its bits in hexadecimal."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', x))[0]:016X}"


def module_of(functions: Iterable[Function], constants: Iterable[str] = ()) -> Module:
    """Return ``functions`` and all that they call as a module."""
    waiting = list(functions)
    known = {function.name for function in waiting}
    total: Counter[Callee] = Counter()
    for function in waiting:
        total += function.calls
    inline = sum(n for callee, n in total.items() if callee.inlined) < _MANY_CALLS
    parts = list(constants)
    declared: list[str] = []
    libraries: list[str] = []
    for function in waiting:  # which grows
        parts.append(function.text)
        for callee in function.calls:
            if callee.name in known:
                continue
            known.add(callee.name)
            if callee.definition is not None:
                waiting.append(callee.definition(inline))
                continue
            declared.append(
                f"declare {callee.result} @{callee.name}({', '.join(callee.parameters)})"
            )
            libraries += [callee.library] if callee.library else []
    attributes = "attributes #0 = { alwaysinline nounwind }\n"
    return Module("\n\n".join([*parts, "\n".join(declared), attributes]), tuple(libraries))
