"""check_op: the proof, the ulps, the special values, and what it says about a wrong row."""

import builtins
import math
from dataclasses import replace

import mpmath
import pytest

import microgradient as mg
from microgradient import OPS, Op
from microgradient.check import OperationError, check_op
from microgradient.check.numbers.symbolic import prove
from microgradient.check.operations.operation_check import operation_report
from plants import FACTORS, wrong
from rows import DISCRETE

ROWS = [op for op in OPS.values() if op.name not in DISCRETE]
SINC = Op(
    "sinc",
    lambda m, v, x: (m.where(m.equal(x, 0), 0.0, m.div(m.cos(x) - v, x)),),
    lambda m, x: m.where(m.equal(x, 0), 1.0, m.div(m.sin(x), x)),
    domain=((0.5, 20),),
)


@pytest.mark.parametrize("op", ROWS, ids=repr)
def test_every_row_of_the_table_is_proved_and_accurate(op):
    report = check_op(op)
    assert report.proof.startswith("proved")
    assert max(a.conditioned_p99 for a in report.accuracy) < 3
    assert all(a.points >= 150 for a in report.accuracy)


@pytest.mark.parametrize("op", [OPS[name] for name in DISCRETE], ids=repr)
def test_rows_with_an_order_are_proved_and_accurate(op):
    report = check_op(op)
    assert report.proof.startswith("proved")
    assert max(a.conditioned_p99 for a in report.accuracy) < 3


@pytest.mark.parametrize("op", ROWS, ids=repr)
@pytest.mark.parametrize("factor", FACTORS.values(), ids=FACTORS)
def test_a_wrong_row_is_refuted_and_measured(op, factor):
    spoiled = replace(
        op, partials=lambda m, v, *x: [wrong(d, factor) for d in op.partials(m, v, *x)]
    )
    report = operation_report(spoiled, points=20)
    assert not report.ok
    assert report.proof.startswith("refuted")
    assert any("ulps off" in fault for fault in report.faults)


def test_an_operation_of_ones_own_from_the_guide():
    report = check_op(SINC)
    assert report.proof == "proved, 1 branch"
    assert "sinc(inf)" in str(report)
    assert "condition taken off" in str(report)


@pytest.mark.parametrize(
    "row",
    [
        Op("far", lambda m, v, x: (m.where(x > 3.95, 5.0, m.cos(x)),), lambda m, x: m.sin(x)),
        Op("far", lambda m, v, x: (m.where(x > 3.95, -1, 1) * m.cos(x),), lambda m, x: m.sin(x)),
        Op("cut", lambda m, v, x: (0.0,), lambda m, x: m.sin(m.detach(x))),
    ],
)
def test_a_row_that_is_wrong_on_a_small_branch_or_cut_off_is_refuted(row):
    report = operation_report(row, points=400)
    assert report.proof.startswith("refuted")
    assert not report.ok


def test_a_row_of_several_operands_needs_no_domain():
    row = Op("product", lambda m, v, x, y, z: (y * z, x * z, x * y), lambda m, x, y, z: x * y * z)
    assert [a.what for a in check_op(row).accuracy][1:] == [f"by operand {i}" for i in range(3)]
    wrong = replace(row, partials=lambda m, v, x, y, z: (y * z, x * z, x * y * 1.001))
    with pytest.raises(OperationError, match="by operand 2"):
        check_op(wrong)
    with pytest.raises(ValueError, match=r"has 2 intervals, but its value takes 1; write"):
        check_op(replace(mg.silu, domain=((0, 1), (0, 1))))


def test_a_row_of_many_operands():
    many = replace(mg.fsum, domain=((-4.0, 4.0),) * 30)
    assert check_op(many, points=20).proof.startswith("proved")
    wrong = replace(many, partials=lambda m, v, *xs: (1.0,) * (len(xs) - 1) + (1.0 + 1e-9,))
    with pytest.raises(OperationError, match="by operand 29 is up to"):
        check_op(wrong, points=20)


def test_a_wrong_number_of_partials_is_told():
    for partials in ((1.0,), (1.0, 1.0, 1.0)):
        row = Op(
            "odd", lambda m, v, x, y, p=partials: p, lambda m, x, y: x + y, domain=((0, 1),) * 2
        )
        with pytest.raises(OperationError, match="one partial for each of its 2 operands"):
            check_op(row)


@pytest.mark.parametrize("domain", [(), ((0, math.inf),), ((2, 1),), ((math.nan, 1),)])
def test_a_domain_that_is_none_is_told(domain):
    with pytest.raises(ValueError, match="must hold a finite interval"):
        check_op(Op("odd", lambda m, v, x: (1.0,), lambda m, x: x, domain=domain))


def test_a_naive_formula_is_told_where_it_fails():
    softplus = Op(
        "softplus_naive",
        lambda m, v, x: (m.div(m.exp(x), 1 + m.exp(x)),),
        lambda m, x: m.log(1 + m.exp(x)),
        domain=((-30, 30),),
    )
    with pytest.raises(OperationError) as error:
        check_op(softplus)
    told = str(error.value)
    assert "proved" in told
    assert "value is up to" in told
    assert "softplus_naive(1.7e+308) is inf, the exact value is 1.7e+308" in told


def test_more_ulps_may_be_allowed():
    rough = Op(
        "rough",
        lambda m, v, x: (1.0,),
        lambda m, x: m.log(1000 + m.exp(x) - 1000),
        domain=((1, 2),),
    )
    report = operation_report(rough)
    assert report.proof.startswith("proved")
    assert "allow more with ulps=…" in report.faults[0]
    assert not any("ulps off" in fault for fault in operation_report(rough, ulps=50).faults)


def test_a_row_that_does_not_run_in_mpmath_needs_an_exact_value():
    bare = Op("bare", lambda m, v, x: (math.cos(x),), lambda m, x: math.sin(x))
    with pytest.raises(TypeError, match=r"bare.*m\.sin, not math\.sin.*exact_value="):
        check_op(bare)
    with pytest.raises(OperationError, match=r"bare\(inf\) raises ValueError"):
        check_op(bare, exact_value=mpmath.sin)


def test_misuse():
    with pytest.raises(TypeError, match="expects an operation"):
        check_op(math.sin)
    with pytest.raises(ValueError, match="points must be a whole number"):
        check_op(mg.sin, points=0)
    with pytest.raises(TypeError, match="exact_value must be a function of mpmath's numbers"):
        check_op(mg.sin, exact_value=3)


def test_a_row_that_returns_no_float_is_told():
    odd = Op("odd", lambda m, v, x: ("1",), lambda m, x: x)
    with pytest.raises(OperationError, match="partial 0 is str '1', expected a float"):
        check_op(odd)


@pytest.mark.parametrize("missing", ["mpmath", "sympy"])
def test_without_what_it_needs(monkeypatch, missing):
    original = builtins.__import__

    def without(name, *rest):
        if name.split(".")[0] == missing:
            raise ImportError(name)
        return original(name, *rest)

    from microgradient.check.numbers import number_systems

    monkeypatch.setattr(builtins, "__import__", without)
    number_systems.exact.cache_clear()
    try:
        if missing == "mpmath":
            with pytest.raises(ImportError, match=r"pip install 'microgradient\[check\]'"):
                check_op(mg.sin)
            report = mg.check.check_gradient(mg.sin, 0.5)
            assert report.components[0].exact is None
            assert "Not compared with 50 digits: mpmath is not installed" in str(report)
            assert "microgradient[check]" in str(report)
        else:
            assert check_op(mg.sin).proof == "not proved (sympy is not installed)"
    finally:
        number_systems.exact.cache_clear()


def test_a_formula_that_sympy_cannot_decide_is_said_to_be_so():
    odd = Op("odd", lambda m, v, x: (m.cos(x),), lambda m, x: m.sin(float(x)))
    assert prove(odd, [[0.5]]).startswith("not decided")
