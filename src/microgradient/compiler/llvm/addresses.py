"""What reads a program's memories: where a number is, and how far apart neighbours are."""

from __future__ import annotations

from typing import Any

from microgradient.compiler.llvm.builder import Arithmetic, Lines
from microgradient.compiler.loops.nests import ROWS, SHARED, Layer, Loop, Run

BLOCKS = 16  # blocks of rows in a tile
SPACING = BLOCKS + 1  # from one number's rows to the next: by a power of two they share cache sets
PHASE = (
    "(ptr noalias readonly %p, ptr noalias readonly %x, i64 %stride, ptr noalias %t, "
    "ptr noalias %v, i64 %blocks)"
)
Member = int | str | tuple[str, str]
"""Which member of a group: a number, a counter, or the counters of a loop and one within it."""


class Writer:
    """Lines of a function that reads a program's memories, over one number or lanes of them."""

    def __init__(self, module: Any, lanes: int) -> None:
        self.module, self.lines = module, Lines()
        self.a = Arithmetic(self.lines, lanes)

    def product(self, x: int | str, y: int | str) -> int | str:
        if isinstance(x, int) and isinstance(y, int):
            return x * y
        x, y = (int(z) if isinstance(z, str) and z.isdigit() else z for z in (x, y))
        if isinstance(x, int) and isinstance(y, int):
            return x * y
        if x in (0, 1) or y in (0, 1):
            return 0 if 0 in (x, y) else y if x == 1 else x
        return self.lines.put(f"mul nsw i64 {x}, {y}")

    def sum(self, x: int | str, y: int | str) -> int | str:
        if isinstance(x, int) and isinstance(y, int):
            return x + y
        if x in (0, "0") or y in (0, "0"):
            return y if x in (0, "0") else x
        return self.lines.put(f"add nsw i64 {x}, {y}")

    def is_shared(self, run: Run) -> bool:
        """Return whether all rows share these numbers."""
        store = run.store
        return store == SHARED or (store >= 0 and not self.module.schedule.groups[store].varying)

    def offset(self, run: Run, member: Member) -> int | str:
        """Return how far a run's ``member`` is from its first; a pair is one of a loop within."""
        if isinstance(member, tuple):
            outer, inner = member
            return self.sum(self.product(outer, run.jump), self.product(inner, run.stride))
        return self.product(member, run.stride)

    def pointer(self, run: Run, member: Member, block: str) -> str:
        """Return where a run's ``member`` is, in the block of rows that begins at row ``block``."""
        store = run.store
        first = run.first + (self.module.bases[store] if store >= 0 else 0)
        index = self.sum(first, self.offset(run, member))
        if self.is_shared(run):
            base = "%p" if store == SHARED else "%t"
        elif store == ROWS:
            base, index = "%x", self.sum(self.product(index, "%stride"), block)
        else:
            base = "%v"
            index = self.sum(self.product(index, SPACING * self.module.lanes), block)
        return self.lines.put(f"getelementptr inbounds double, ptr {base}, i64 {index}")

    def distance(self, run: Run, places: int) -> int | str:
        """Return how many doubles apart numbers of a run's store are that are ``places`` apart."""
        if self.is_shared(run):
            return places
        return self.product(places, "%stride" if run.store == ROWS else SPACING * self.module.lanes)

    def load(self, run: Run, member: Member, block: str) -> str:
        """Return numbers of this function's kind: those of a block, or one in all lanes."""
        pointer = self.pointer(run, member, block)
        if self.is_shared(run):
            return self.a.splat(self.lines.put(f"load double, ptr {pointer}, align 8"))
        return self.a.load(pointer)


class PhaseWriter(Writer):
    """The function of one phase."""

    def __init__(self, module: Any, number: int, phase: Loop | Layer) -> None:
        super().__init__(module, module.lanes if phase.varying else 1)
        self.name = f"{module.name}_phase{number}"
        self.varying = phase.varying
        self.allocations: list[str] = []

    def function(self) -> str:
        """Return the function, of what has been written."""
        self.module.functions.update(self.lines.functions)
        hint = "noinline " if len(self.module.schedule.phases) > 4 else ""
        head = f"define internal void @{self.name}{PHASE} {hint}nounwind {{"
        return "\n".join([head, "entry:", *self.allocations, *self.lines.lines, "  ret void", "}"])
