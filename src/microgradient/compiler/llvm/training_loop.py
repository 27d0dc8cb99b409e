"""Training as one compiled function: sweep after sweep of gradient, update and criterion.

It trains ``width`` networks side by side: one, whose patterns fill the lanes, or many replicas, one
in each lane. The state has a column for the weights, one for each memory of the optimizer and one
for the gradient, each with a row of ``width`` numbers for a weight; behind the gradient, a row each
for errors and numbers of right patterns. ``@train`` returns after the first sweep in which a
network ends: %flags then says how. The snapshot is the state before that sweep.
"""

from __future__ import annotations

from microgradient.compiler.llvm.builder import Arithmetic, Lines, at
from microgradient.compiler.llvm.function import Function, memory_places

FREE, ACTIVE, LEARNED, NOT_FINITE = 0.0, 1.0, 2.0, 3.0
"""What %flags says of a network."""
GROUP = 8  # networks, or weights of a single one, that are looked at together

_ARGUMENTS = (
    "ptr %state, i64 %column, ptr %patterns, i64 %stride, i64 %n, i64 %batch, ptr %settings, "
    "i64 %step, i64 %sweeps, i64 %watch, ptr %flags, ptr %history, i64 %keep, "
    "ptr %snapshot, ptr %memory"
)
_INTRINSICS = """
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare i64 @llvm.smin.i64(i64, i64)"""


def training_loop(
    gradient: Function, update: Function, parameters: int, columns: int, numbers: int, width: int
) -> str:
    """Return ``@train``; a pattern has ``numbers`` numbers, the state ``columns`` columns."""
    lines = Lines()
    do, put = lines.do, lines.put
    memories = [at(lines, "%memory", place) for place in memory_places(gradient, update)]
    own, its = (f"ptr {memories[k]}, ptr {memories[k + 1]}" for k in (0, 2))
    weights = parameters * width
    before = put(f"mul i64 %column, {columns - 1}")
    slope = at(lines, "%state", before)
    errors = at(lines, slope, weights)
    rights = at(lines, errors, width)
    a = Arithmetic(lines, GROUP)
    groups = max(width, GROUP)
    using, ended, candidate = put("alloca ptr"), put("alloca i1"), put("alloca i1")
    unsound = put(f"alloca {a.type}, align 64")
    were_right = [put(f"alloca {a.bits}") for _ in range(groups // GROUP)]
    do(f"store ptr %settings, ptr {using}")

    def clear(pointer: str, count: int) -> None:
        do(f"call void @llvm.memset.p0.i64(ptr {pointer}, i8 0, i64 {8 * count}, i1 0)")

    def present(first: str, count: str) -> None:
        """Add the gradient, error and rightness of some patterns to the state."""
        if width == 1:
            patterns = f"ptr {at(lines, '%patterns', first)}, i64 %stride, i64 {count}"
            do(f"call void @{gradient.name}(ptr %state, {patterns}, ptr {slope}, i64 1, {own})")
            return
        with lines.loop(count) as i:
            place = put(f"mul i64 {put(f'add i64 {first}, {i}')}, {numbers}")
            replicas = f"ptr %state, i64 {width}, i64 {width}, ptr {slope}, i64 {width}"
            pattern = at(lines, "%patterns", place)
            do(f"call void @{gradient.name}(ptr {pattern}, {replicas}, {own})")

    def of_group(row: str, group: str) -> str:
        """Return the numbers of a group of networks: the same for all where there is one."""
        if width == 1:
            return a.splat(put(f"load double, ptr {row}"))
        return a.load(at(lines, row, group))

    def mark(flags: str, condition: str, what: float) -> None:
        now = a.load(flags)
        active = a.compare("oeq", now, a.constant(ACTIVE))
        a.store(a.select(a.logic("and", active, condition), a.constant(what), now), flags)

    def some(condition: str) -> str:
        bits = put(f"bitcast {a.bits} {condition} to i{GROUP}")
        return put(f"icmp ne i{GROUP} {bits}, 0")

    def all_right(group: str) -> str:
        wanted = a.splat(put("sitofp i64 %n to double"))
        return a.compare("oeq", of_group(rights, group), wanted)

    with lines.loop("%sweeps") as sweep:
        kept = put(f"mul i64 {before}, 8")
        do(f"call void @llvm.memcpy.p0.p0.i64(ptr %snapshot, ptr %state, i64 {kept}, i1 0)")
        clear(errors, 2 * width)
        with lines.loop("%n", 0, "%batch") as first:
            left = put(f"sub i64 %n, {first}")
            clear(slope, weights)
            present(first, put(f"call i64 @llvm.smin.i64(i64 {left}, i64 %batch)"))
            now = put(f"load ptr, ptr {using}")
            do(
                f"call void @{update.name}(ptr {now}, ptr %state, i64 %column, i64 {weights}, "
                f"ptr %state, i64 %column, {its})"
            )
            do(f"store ptr {at(lines, now, '%step')}, ptr {using}")
        place = at(lines, "%history", put(f"mul i64 {sweep}, %keep"))
        do(f"call void @llvm.memcpy.p0.p0.i64(ptr {place}, ptr {errors}, i64 {16 * width}, i1 0)")
        for it in (ended, candidate):
            do(f"store i1 false, ptr {it}")
        with lines.loop(groups, 0, GROUP) as group:
            flags = at(lines, "%flags", group)
            error = of_group(errors, group)
            a.store(a.sub(error, error), unsound)  # x - x is 0 for what is finite, else nan
            with lines.loop(-(-weights // groups)) as i:
                x = a.load(at(lines, at(lines, "%state", group), put(f"mul i64 {i}, {groups}")))
                a.store(a.add(a.load(unsound), a.sub(x, x)), unsound)
            broken = a.compare("uno", a.load(unsound), a.constant(0.0))
            active = a.compare("oeq", a.load(flags), a.constant(ACTIVE))
            mark(flags, broken, NOT_FINITE)
            for condition, where in ((broken, ended), (all_right(group), candidate)):
                known = put(f"load i1, ptr {where}")
                here = some(a.logic("and", active, condition))
                do(f"store i1 {put(f'or i1 {known}, {here}')}, ptr {where}")
        look = put(f"and i1 {put(f'load i1, ptr {candidate}')}, {put('trunc i64 %watch to i1')}")
        with lines.when(look):
            for k, it in enumerate(were_right):
                do(f"store {a.bits} {all_right(str(k * GROUP))}, ptr {it}")
            clear(rights, width)
            present("0", "%n")
            for k, it in enumerate(were_right):
                both = a.logic("and", put(f"load {a.bits}, ptr {it}"), all_right(str(k * GROUP)))
                flags = at(lines, "%flags", k * GROUP)
                active = a.compare("oeq", a.load(flags), a.constant(ACTIVE))
                mark(flags, both, LEARNED)
                known = put(f"load i1, ptr {ended}")
                here = some(a.logic("and", active, both))
                do(f"store i1 {put(f'or i1 {known}, {here}')}, ptr {ended}")
        with lines.when(put(f"load i1, ptr {ended}")):
            do(f"ret i64 {put(f'add i64 {sweep}, 1')}")
            lines.begin(f"after{lines.fresh()[2:]}")
    do("ret i64 %sweeps")
    return "\n".join(
        [f"define i64 @train({_ARGUMENTS}) nounwind {{", "entry:", *lines.lines, "}", _INTRINSICS]
    )
