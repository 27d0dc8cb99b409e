"""Training of many replicas side by side, one in each lane, as one compiled function.

Memory: a row of ``%width`` lanes for each weight, each memory of the optimizer, each part of the
gradient, and behind these for the errors and for how many patterns are right. ``@replicas`` returns
after the first sweep in which an active replica ends: it has learned, or its error is not finite.
``%right`` gets how many patterns each had right in the last sweep, and behind these the errors.
"""

from __future__ import annotations

from microgradient.compiler.ir import Lines, at, number
from microgradient.compiler.llvm_source import Function, memory_places

ACTIVE, LEARNED, NOT_FINITE = 1.0, 2.0, 3.0
"""What stands in ``%flags`` for a lane; 0 for one that nobody uses."""

_ARGUMENTS = (
    "ptr %state, i64 %width, ptr %patterns, i64 %n, i64 %batch, ptr %settings, i64 %step, "
    "i64 %sweeps, ptr %flags, ptr %right, ptr %memory"
)


def replica_loop(
    gradient: Function, update: Function, parameters: int, numbers: int, columns: int
) -> str:
    """Return ``@replicas``; a pattern has ``numbers`` numbers, the state ``columns`` columns."""
    lines = Lines()
    do, put = lines.do, lines.put
    places = memory_places(gradient, update)
    memories = [at(lines, "%memory", place) for place in places]
    own, its = (f"ptr {memories[k]}, ptr {memories[k + 1]}" for k in (0, 2))
    weights = put(f"mul i64 %width, {parameters}")
    slope = at(lines, "%state", put(f"mul i64 {weights}, {columns - 1}"))
    errors = at(lines, slope, weights)
    rights = at(lines, errors, "%width")
    slope_bytes, lane_bytes = put(f"mul i64 {weights}, 8"), put("mul i64 %width, 8")
    two_bytes = put(f"mul i64 {lane_bytes}, 2")
    using, ended, candidate = put("alloca ptr"), put("alloca i1"), put("alloca i1")
    wanted = put("sitofp i64 %n to double")
    do(f"store ptr %settings, ptr {using}")

    def present(first: str, count: str) -> None:
        with lines.loop(count) as i:
            place = put(f"mul i64 {put(f'add i64 {first}, {i}')}, {numbers}")
            do(
                f"call void @{gradient.name}(ptr {at(lines, '%patterns', place)}, ptr %state, "
                f"i64 %width, i64 %width, ptr {slope}, i64 %width, {own})"
            )

    with lines.loop("%sweeps") as sweep:
        do(f"call void @llvm.memset.p0.i64(ptr {errors}, i8 0, i64 {two_bytes}, i1 0)")
        with lines.loop("%n", 0, "%batch") as first:
            left = put(f"sub i64 %n, {first}")
            count = put(f"call i64 @llvm.smin.i64(i64 {left}, i64 %batch)")
            do(f"call void @llvm.memset.p0.i64(ptr {slope}, i8 0, i64 {slope_bytes}, i1 0)")
            present(first, count)
            settings = put(f"load ptr, ptr {using}")
            do(
                f"call void @{update.name}(ptr {settings}, ptr %state, i64 {weights}, "
                f"i64 {weights}, ptr %state, i64 {weights}, {its})"
            )
            do(f"store ptr {at(lines, settings, '%step')}, ptr {using}")
        do(f"store i1 false, ptr {candidate}")
        do(f"store i1 false, ptr {ended}")
        with lines.loop("%width") as lane:
            right = put(f"load double, ptr {at(lines, rights, lane)}")
            do(f"store double {right}, ptr {at(lines, '%right', lane)}")
            active = _is(lines, "%flags", lane, ACTIVE)
            error = put(f"load double, ptr {at(lines, errors, lane)}")
            place = put(f"add i64 {lane}, %width")
            do(f"store double {error}, ptr {at(lines, '%right', place)}")
            unsound = put(f"fcmp uno double {put(f'fsub double {error}, {error}')}, {error}")
            _mark(lines, put(f"and i1 {active}, {unsound}"), lane, NOT_FINITE, ended)
            all_right = put(f"fcmp oeq double {right}, {wanted}")
            some = put(f"load i1, ptr {candidate}")
            here = put(f"and i1 {active}, {all_right}")
            do(f"store i1 {put(f'or i1 {some}, {here}')}, ptr {candidate}")
        with lines.when(put(f"load i1, ptr {candidate}")):
            do(f"call void @llvm.memset.p0.i64(ptr {rights}, i8 0, i64 {lane_bytes}, i1 0)")
            present("0", "%n")
            with lines.loop("%width") as lane:
                active = _is(lines, "%flags", lane, ACTIVE)
                then = put(f"load double, ptr {at(lines, '%right', lane)}")
                now = put(f"load double, ptr {at(lines, rights, lane)}")
                both = put(
                    f"and i1 {put(f'fcmp oeq double {then}, {wanted}')}, "
                    f"{put(f'fcmp oeq double {now}, {wanted}')}"
                )
                _mark(lines, put(f"and i1 {active}, {both}"), lane, LEARNED, ended)
        with lines.when(put(f"load i1, ptr {ended}")):
            do(f"ret i64 {put(f'add i64 {sweep}, 1')}")
            lines.begin(f"after{lines.fresh()[2:]}")
    do("ret i64 %sweeps")
    return "\n".join(
        [
            f"define i64 @replicas({_ARGUMENTS}) nounwind {{",
            "entry:",
            *lines.lines,
            "}",
            "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)",
            "declare i64 @llvm.smin.i64(i64, i64)",
        ]
    )


def _is(lines: Lines, flags: str, lane: str, what: float) -> str:
    flag = lines.put(f"load double, ptr {at(lines, flags, lane)}")
    return lines.put(f"fcmp oeq double {flag}, {number(what)}")


def _mark(lines: Lines, condition: str, lane: str, what: float, ended: str) -> None:
    """Set the flag of ``lane``, and ``ended``, where ``condition`` holds."""
    place = at(lines, "%flags", lane)
    flag = lines.put(f"load double, ptr {place}")
    lines.do(
        f"store double {lines.put(f'select i1 {condition}, double {number(what)}, double {flag}')}"
        f", ptr {place}"
    )
    before = lines.put(f"load i1, ptr {ended}")
    lines.do(f"store i1 {lines.put(f'or i1 {before}, {condition}')}, ptr {ended}")
