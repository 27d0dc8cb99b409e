"""Training as one compiled function: gradient, update and criterion, sweep after sweep.

Memory of a network: a column for the weights, one for each of the optimizer's memories, and one
for the gradient, behind which the error and the number of right patterns are summed. The update
runs over the weights as its rows, in place. ``@train`` stops early after a sweep whose error or
weights are not finite (the weights before it are in the snapshot), and after the first in which
every pattern is right, and still is with the weights after it.
"""

from __future__ import annotations

from microgradient.compiler.ir import Arithmetic, Lines, at, number
from microgradient.compiler.llvm_source import Function, memory_places

DONE, NOT_FINITE, MET = 0, 1, 2
"""What ``@train`` returns, times 2^32, beside the number of sweeps that it did."""

_ARGUMENTS = (
    "ptr %state, i64 %width, ptr %rows, i64 %stride, i64 %n, i64 %batch, ptr %settings, "
    "i64 %step, i64 %sweeps, i64 %watch, ptr %history, ptr %snapshot, ptr %memory"
)


def training_loop(gradient: Function, update: Function, parameters: int, columns: int) -> str:
    """Return ``@train`` for one network of ``parameters`` weights and ``columns`` of memory.

    ``%rows`` are the patterns, ``%batch`` of them between two updates; ``%settings`` those of the
    optimizer, the next ones ``%step`` numbers behind; ``%history`` gets error and right patterns
    of each sweep. ``%memory`` is what the two functions need, one behind the other.
    """
    lines = Lines()
    do, put = lines.do, lines.put
    places = memory_places(gradient, update)
    memories = [at(lines, "%memory", place) for place in places]
    own, its = (f"ptr {memories[k]}, ptr {memories[k + 1]}" for k in (0, 2))
    before = put(f"mul i64 %width, {columns - 1}")
    slope = at(lines, "%state", before)
    sums = at(lines, slope, parameters)
    size = 8 * (parameters + 2)
    bytes_kept = put(f"mul i64 {before}, 8")
    error, right = (put("alloca double") for _ in range(2))
    wide = Arithmetic(lines, 8)
    zeros = wide.constant(0.0)
    using, unsound = put("alloca ptr"), put(f"alloca {wide.type}, align 64")
    do(f"store ptr %settings, ptr {using}")
    with lines.loop("%sweeps") as sweep:
        do(f"call void @llvm.memcpy.p0.p0.i64(ptr %snapshot, ptr %state, i64 {bytes_kept}, i1 0)")
        for total in (error, right):
            do(f"store double {number(0.0)}, ptr {total}")
        with lines.loop("%n", 0, "%batch") as first:
            left = put(f"sub i64 %n, {first}")
            count = put(f"call i64 @llvm.smin.i64(i64 {left}, i64 %batch)")
            do(f"call void @llvm.memset.p0.i64(ptr {slope}, i8 0, i64 {size}, i1 0)")
            do(
                f"call void @{gradient.name}(ptr %state, ptr {at(lines, '%rows', first)}, "
                f"i64 %stride, i64 {count}, ptr {slope}, i64 1, {own})"
            )
            for k, total in enumerate((error, right)):
                more = put(f"load double, ptr {at(lines, sums, k)}")
                so_far = put(f"load double, ptr {total}")
                do(f"store double {put(f'fadd double {so_far}, {more}')}, ptr {total}")
            settings = put(f"load ptr, ptr {using}")
            do(
                f"call void @{update.name}(ptr {settings}, ptr %state, i64 %width, "
                f"i64 {parameters}, ptr %state, i64 %width, {its})"
            )
            do(f"store ptr {at(lines, settings, '%step')}, ptr {using}")
        done = put(f"add i64 {sweep}, 1")
        finals = [put(f"load double, ptr {total}") for total in (error, right)]
        for k, final in enumerate(finals):
            place = put(f"add i64 {put(f'mul i64 {sweep}, 2')}, {k}")
            do(f"store double {final}, ptr {at(lines, '%history', place)}")
        wide.store(wide.splat(finals[0]), unsound)  # x - x is 0 for what is finite, else nan
        wide.store(wide.sub(wide.load(unsound), wide.load(unsound)), unsound)
        with lines.loop(-(-parameters // 8) * 8, 0, 8) as i:
            x = wide.load(at(lines, "%state", i))
            wide.store(wide.add(wide.load(unsound), wide.sub(x, x)), unsound)
        bits = put(f"bitcast <8 x i1> {wide.compare('uno', wide.load(unsound), zeros)} to i8")
        with lines.when(put(f"icmp ne i8 {bits}, 0")):
            do(f"ret i64 {put(f'add i64 {done}, {NOT_FINITE << 32}')}")
            lines.begin(f"after{lines.fresh()[2:]}")
        all_right = put(f"fcmp oeq double {finals[1]}, {put('sitofp i64 %n to double')}")
        look = put(f"and i1 {all_right}, {put('trunc i64 %watch to i1')}")
        with lines.when(look):
            do(f"call void @llvm.memset.p0.i64(ptr {slope}, i8 0, i64 {size}, i1 0)")
            do(
                f"call void @{gradient.name}(ptr %state, ptr %rows, i64 %stride, i64 %n, "
                f"ptr {slope}, i64 1, {own})"
            )
            now = put(f"load double, ptr {at(lines, sums, 1)}")
            met = put(f"fcmp oeq double {now}, {put('sitofp i64 %n to double')}")
            with lines.when(met):
                do(f"ret i64 {put(f'add i64 {done}, {MET << 32}')}")
                lines.begin(f"after{lines.fresh()[2:]}")
    do("ret i64 %sweeps")
    return "\n".join(
        [f"define i64 @train({_ARGUMENTS}) nounwind {{", "entry:", *lines.lines, "}", _INTRINSICS]
    )


_INTRINSICS = """
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare i64 @llvm.smin.i64(i64, i64)"""


def _line(doubles: int) -> int:
    return -(-doubles // 8) * 8
