"""Every row: against mpmath, against its written-out forms, and with planted faults."""

import math
import operator
from dataclasses import replace
from math import isnan

import pytest
from mpmath import mp, mpf

import microgradient as mg
from microgradient import OPS, Op, Value, hessian, jvp, vjp
from microgradient.check import check_op
from microgradient.check.operations.operation_check import operation_report
from microgradient.compiler.program.primitives import NAN_IN_NAN_OUT, NAN_OUT_NAN_SLOPE
from microgradient.engine.arithmetic import FLOATS
from mp import DIGITS, MP, ORACLES
from rows import DISCRETE, exact_derivative, points, second_order_faults

ROWS = list(OPS.values())
DIFFERENTIABLE_BY_ALL = [op for op in ROWS if op.name not in DISCRETE]


@pytest.mark.parametrize("op", ROWS, ids=repr)
def test_row_agrees_with_mpmath(op: Op) -> None:
    """Value and derivatives of mpmath's functions, which share nothing with the row."""
    report = check_op(op, exact_value=ORACLES[op.name], points=100)
    assert max(a.conditioned_p99 for a in report.accuracy) < 2.6


@pytest.mark.parametrize("op", ROWS, ids=repr)
def test_second_derivatives_agree_with_mpmath(op: Op) -> None:
    with mp.workdps(DIGITS):
        assert [fault for x in points(op, 5) for fault in second_order_faults(op, x)] == []


@pytest.mark.parametrize("op", ROWS, ids=repr)
def test_planted_fault_in_the_value_is_found(op: Op) -> None:
    """For faults in a partial, see test_planted.py."""
    wrong = replace(op, fast=lambda *x: _relative(op.fast(*x), 1 + 1e-9))
    report = operation_report(wrong, points=20)
    assert any(": value is up to" in fault for fault in report.faults)


def _relative(x, factor):
    return x * factor if not (isinstance(x, float) and x == 0) else x + (factor - 1)


@pytest.mark.parametrize("op", ROWS, ids=repr)
def test_spelled_out_value_equals_the_formula(op: Op) -> None:
    for x in points(op, 50):
        assert op.fast(*x) == pytest.approx(op.value(FLOATS, *x), rel=4e-16, abs=0)


UNARY = {"neg": operator.neg, "abs": abs}
BINARY = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "mod": operator.mod,
    "pow": operator.pow,
}
SPECIAL = [0.0, -0.0, 1.0, -2.0, 0.5, float("inf"), -float("inf"), float("nan"), 1e308, 5e-324]


def _same(x, y):
    return x == y or (isnan(x) and isnan(y))


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("x", SPECIAL)
@pytest.mark.parametrize("y", SPECIAL)
def test_operator_equals_its_row(name: str, x: float, y: float) -> None:
    both = BINARY[name](Value(x), Value(y))
    row = Value(x).record(OPS[name], (Value(x), Value(y)))
    assert _same(both.data, row.data)
    assert all(map(_same, both.partials, row.partials))
    for mixed, checked in (
        (BINARY[name](Value(x), y), [0]),
        (BINARY[name](x, Value(y)), [1]),
    ):
        assert _same(mixed.data, row.data)
        assert all(_same(mixed.partials[i], row.partials[i]) for i in checked)


METHODS = [op for op in ROWS if len(op.domain) == 1 and hasattr(Value, op.name)]


def test_most_rows_are_methods() -> None:
    assert len(METHODS) == 42


@pytest.mark.parametrize("op", METHODS, ids=repr)
def test_method_equals_its_row(op: Op) -> None:
    for number in [*SPECIAL, *(x[0] for x in points(op, 20))]:
        method, row = getattr(Value(number), op.name)(), Value(number).record(op, [number])
        assert _same(method.data, row.data)
        assert all(map(_same, method.partials, row.partials))


@pytest.mark.parametrize("x", [-3.0, -1.0, 0.0, 0.5, 1.0, 3.0])
def test_methods_with_arguments_equal_their_functions(x: float) -> None:
    pairs = [
        (Value(x).maximum(1.0), mg.maximum(Value(x), 1.0), max(x, 1.0)),
        (Value(x).minimum(1.0), mg.minimum(Value(x), 1.0), min(x, 1.0)),
        (Value(x).clip(-1.0, 1.0), mg.clip(Value(x), -1.0, 1.0), min(max(x, -1.0), 1.0)),
        (Value(x).clip(low=-1.0), mg.clip(Value(x), low=-1.0), max(x, -1.0)),
        (Value(x).elu(), mg.elu(Value(x)), x if x > 0 else math.expm1(x)),
        (Value(x).leaky_relu(), mg.leaky_relu(Value(x)), x if x > 0 else 0.01 * x),
        (Value(x).elu(2.0), mg.elu(Value(x), 2.0), x if x > 0 else 2 * math.expm1(x)),
        (Value(x).leaky_relu(0.3), mg.leaky_relu(Value(x), 0.3), x if x > 0 else 0.3 * x),
    ]
    for method, function, number in pairs:
        assert method.data == function.data == number
        assert method.partials == function.partials


@pytest.mark.parametrize("op", DIFFERENTIABLE_BY_ALL, ids=repr)
def test_row_in_the_arithmetic_of_mpmath_is_exact(op: Op) -> None:
    """The same row, in 60 digits: its formulas are right, but for the rounding of constants."""
    for x in points(op, 5):
        with mp.workdps(DIGITS):
            exact = [mpf(t) for t in x]
            v = op.value(MP, *exact)
            assert abs(v - ORACLES[op.name](*exact)) <= 1e-14 * abs(v)
            for i, partial in enumerate(op.partials(MP, v, *exact)):
                wanted = exact_derivative(op, exact, i)
                assert abs(partial - wanted) <= mpf(10) ** -14 * abs(wanted)


@pytest.mark.parametrize("op", ROWS, ids=repr)
def test_floats_in_float_out(op: Op) -> None:
    x = next(points(op, 1))
    assert type(op.fast(*x)) is float


@pytest.mark.parametrize("op", DIFFERENTIABLE_BY_ALL, ids=repr)
def test_forward_equals_reverse_and_hessian_is_symmetric(op: Op) -> None:
    for x in points(op, 10):

        def f(xs, op=op):
            return xs[0].record(op, xs)

        gradient = vjp(f, x)[1](1.0)[0]
        for i in range(len(x)):
            unit = [float(i == j) for j in range(len(x))]
            assert jvp(f, (x,), (unit,))[1] == pytest.approx(gradient[i], rel=1e-14)
        second = hessian(f)(x)
        for i in range(len(x)):
            for j in range(i):
                assert second[i][j] == pytest.approx(second[j][i], rel=1e-11, abs=1e-13)


@pytest.mark.parametrize("op", ROWS, ids=repr)
def test_nan_in_nan_partials_out(op: Op) -> None:
    """Where a value is nan, every partial is: a nan can be traced to where it came from."""
    for x in points(op, 1):
        for i in range(len(x)):
            operands = [Value(float("nan")) if i == j else Value(t) for j, t in enumerate(x)]
            node = operands[0].record(op, operands)
            assert not isnan(node.data) or all(map(isnan, node.partials))


def test_nan_facts_found_by_evaluating_the_rows() -> None:
    """The sets that the compiler uses: each row left out has a case where a nan is lost."""
    lost = {op.name for op in ROWS if op not in NAN_IN_NAN_OUT}
    assert lost == {"pow", "hypot", "leaky_relu", "elu", "softmax_cross_entropy"}
    finite = {op.name for op in ROWS if len(op.domain) == 1 and op not in NAN_OUT_NAN_SLOPE}
    logs = {"log", "log1p", "log2", "log10"}
    flat = {"sign", "floor", "ceil", "step"}
    assert finite == logs | flat | {"neg", "atanh", "digamma", "degrees", "radians"}
