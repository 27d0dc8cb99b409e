"""Comparisons, and conditions of conditions: the same on floats, on Values, in every transform,
and compiled."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import microgradient as mg
from microgradient import CompileError, Value, nn, where

BACKENDS = pytest.mark.parametrize("backend", ["llvm", "table", "python"], indirect=True)
NUMBERS = [-2.0, -1.0, 0.0, 0.5, 1.0, 2.0]  # few, so that ties are common; exact


# --- random programs: text of a function of x, y and z --------------------------------------------


@st.composite
def numbers(draw, depth=4):
    kinds = ["leaf", "two", "one", "where"] if depth else ["leaf"]
    kind = draw(st.sampled_from(kinds))
    if kind == "leaf":
        return draw(st.sampled_from(["x", "y", "z", *map(repr, NUMBERS)]))
    a, b = draw(numbers(depth - 1)), draw(numbers(depth - 1))
    if kind == "where":
        return f"where({draw(conditions(depth - 1))}, {a}, {b})"
    if kind == "one":
        form = draw(st.sampled_from(["abs({})", "relu({})", "clip({}, -1.0, 1.0)", "(-{})"]))
        return form.format(a)
    forms = ["({} + {})", "({} - {})", "({} * {})", "maximum({}, {})", "minimum({}, {})"]
    return draw(st.sampled_from(forms)).format(a, b)


@st.composite
def conditions(draw, depth):
    if draw(st.booleans()) or depth <= 0:
        compare = draw(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]))
        return f"({draw(numbers(max(depth - 1, 0)))} {compare} {draw(numbers(max(depth - 1, 0)))})"
    join = draw(st.sampled_from(["==", "!=", "&", "|", "^", "<="]))
    second = draw(conditions(depth - 1) | st.sampled_from(["True", "False"]))
    return f"({draw(conditions(depth - 1))} {join} {second})"


def function_of(text):
    return eval(f"lambda p: (lambda x, y, z: {text})(*p)", vars(mg))


def _evaluations(f, xs):
    """What each transform makes of ``f``, as functions without arguments that are left to call."""
    return {
        "value": (f, xs),
        "value_and_grad": (mg.value_and_grad(f), xs),
        "jvp": (lambda x: mg.jvp(f, (x,), ([1.0, -0.5, 2.0],)), xs),
        "hessian": (mg.hessian(f), xs),
    }


@settings(max_examples=120)
@given(numbers(), st.lists(st.sampled_from(NUMBERS), min_size=3, max_size=3))
def test_any_program_with_comparisons_means_the_same_everywhere(text, xs):
    f = function_of(text)
    want = f(xs)
    on_values = f([Value(x) for x in xs])
    assert (on_values.data if type(on_values) is Value else on_values) == want
    for name, (transformed, argument) in _evaluations(f, xs).items():
        eager = transformed(argument)
        if name in ("value_and_grad", "jvp"):
            assert eager[0] == want
        for backend in ("python", "llvm"):
            assert mg.compile(transformed, backend=backend)(argument) == eager, (name, backend)


# --- by hand --------------------------------------------------------------------------------------


@BACKENDS
@pytest.mark.parametrize("x", [1.0, -1.0, 0.0, math.nan])
def test_conditions_compare_and_combine_as_bools_do(backend, x):
    def f(x, y):
        p, q = x > 0, y > 0
        return [
            *(p == q, p != q, p ^ q, p & q, p | q, p <= q, p < q),
            *(p == True, True == p, p != False, p ^ True, p & True, p | False),  # noqa: E712, SIM300
            *(p == np.True_, np.True_ == p, p == x, x == p, p != y, p == 1, p == None),  # noqa: E711
            *(x == y, x != y, 1 == x, x == "a", x != None, x == True),  # noqa: E711, E712, SIM300
            *(sum([p, q]), sum([p, q]) == 2, p * y, y - p, (p == q) == (x == y)),
        ]

    got, want = mg.compile(f, backend=backend)(x, 1.0), f(x, 1.0)
    assert got == want
    assert [type(t) is bool for t in got] == [type(t) in (bool, np.bool_) for t in want]
    assert mg.compile(lambda x: ~(x > 0), backend=backend)(x) is (not x > 0)


@BACKENDS
def test_derivatives_through_compared_conditions(backend):
    def f(x, y):
        return where((x > 0) == (y > 0), x * y, 0.0)

    assert mg.compile(mg.grad(f, (0, 1)), backend=backend)(2.0, 3.0) == (3.0, 2.0)
    assert mg.compile(mg.grad(f, (0, 1)), backend=backend)(2.0, -3.0) == (0.0, 0.0)

    def g(x):
        return where(x == 1, 2 * x, 3 * x)

    for x in (1.0, 2.0):
        for transform in (mg.value_and_grad, mg.hessian):
            assert mg.compile(transform(g), backend=backend)(x) == transform(g)(x)
    assert mg.value_and_grad(g)(1.0) == (2.0, 2.0)


NEUTRAL = {
    "x * 1": lambda x: x * 1,
    "1 * x": lambda x: 1 * x,
    "x / 1": lambda x: x / 1,
    "x - 0": lambda x: x - 0.0,
    "x ** 1": lambda x: x**1,
    "0 + x": lambda x: 0 + x,
    "where(c, x, x)": lambda x: where(x > 0, x, x),
    "where(True, x, 2)": lambda x: where(1.0 > 0.0, x, 2.0),
    "x": lambda x: x,
}


@BACKENDS
@pytest.mark.parametrize("name", NEUTRAL)
def test_what_changes_no_number_still_has_the_derivative_of_an_operation(backend, name):
    for transform in (mg.value_and_grad, mg.derivative):
        f = transform(NEUTRAL[name])
        for x in (math.nan, math.inf, -0.0, 1.5):
            assert repr(mg.compile(f, backend=backend)(x)) == repr(f(x))
    program = mg.compile(NEUTRAL[name]).program(1.0)
    assert program.operations <= 1 + (name == "where(c, x, x)")


REFUSED = {
    "conditions as branches": (
        lambda x: where(x > 0, x > 1, x < 1),
        r"\(c & p\) \| \(\(c == False\) & q\)",
    ),
    "a row of a condition": (lambda x: mg.sin(x > 0), r"where\(condition, 1\.0, 0\.0\)"),
    "float of a condition": (lambda x: float(x > 0), r"where\(condition, 1\.0, 0\.0\)"),
    "lists of conditions": (lambda x: [x > 0] == [x > 1], r"where\(condition"),
    "in": (lambda x: x in [1.0, 2.0], r"where\(condition"),
    "a chain": (lambda x: 0 < x < 1, r"for not"),
    "all": (lambda x: all([x > 0, x < 1]), r"for not"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_program_has_is_refused(name):
    f, hint = REFUSED[name]
    with pytest.raises(TypeError, match=hint):
        mg.compile(f)(0.5)


def test_a_number_made_of_a_bool_is_no_condition():
    with pytest.raises(TypeError, match="condition == False instead of ~condition"):
        where(~(Value(1.0) > 0), 1.0, 2.0)


# --- criteria in training -------------------------------------------------------------------------

PATTERNS = [([a, b], [0.9 if a != b else 0.1]) for a in (0.0, 1.0) for b in (0.0, 1.0)]
CRITERIA = {
    "==": lambda o, t: (o[0] > 0.5) == (t[0] > 0.5),
    "not !=": lambda o, t: ((o[0] > 0.5) != (t[0] > 0.5)) == False,  # noqa: E712
    "a number": lambda o, t: (o[0] > 0.5) == mg.floor(t[0] + 0.5),
    "counted": lambda o, t: sum((y > 0.5) == (d > 0.5) for y, d in zip(o, t)) == len(o),
}
NOT_COMPILED = {
    "lists": (lambda o, t: [y > 0.5 for y in o] == [d > 0.5 for d in t], "== of lists"),
    "is": (lambda o, t: (o[0] > 0.5) is (t[0] > 0.5), "not with `is`"),
}


def _train(criterion, backend):
    model = nn.MLP(2, [2, 1], "sigmoid", output="sigmoid", rng=1)
    return nn.train(
        model,
        PATTERNS,
        loss=nn.half_squared_error,
        optimizer=nn.Momentum(model.parameters(), 0.25),
        update="presentation",
        sweeps=500,
        criterion=criterion,
        backend=backend,
    ).met_at


def _train_replicas(criterion, backend):
    ended = nn.train_replicas(
        [nn.MLP(2, [2, 1], "sigmoid", output="sigmoid", rng=seed) for seed in (1, 3)],
        PATTERNS,
        loss=nn.half_squared_error,
        optimizer=lambda parameters: nn.Momentum(parameters, 0.25),
        update="presentation",
        sweeps=500,
        criterion=criterion,
        backend=backend,
    )
    return [(replica.sweeps, replica.stopped) for replica in ended]


@pytest.mark.parametrize("name", CRITERIA)
def test_a_criterion_of_compared_conditions_is_met_at_the_same_sweep(name):
    met_at = _train(CRITERIA[name], "eager")
    assert met_at is not None
    for backend in ("llvm", "python", "auto"):
        assert _train(CRITERIA[name], backend) == met_at
    ended = _train_replicas(CRITERIA[name], "eager")
    assert _train_replicas(CRITERIA[name], "llvm") == ended
    assert ended[0] == (met_at, "criterion")


@pytest.mark.parametrize("name", NOT_COMPILED)
def test_a_criterion_that_cannot_be_compiled_is_refused_or_runs_on_values(name):
    criterion, sentence = NOT_COMPILED[name]
    for run in (_train, _train_replicas):
        for backend in ("llvm", "python"):
            with pytest.raises(CompileError, match=sentence):
                run(criterion, backend)
        assert run(criterion, "auto") == run(CRITERIA["=="], "eager")


@pytest.mark.parametrize("backend", ["eager", "llvm", "auto"])
def test_a_criterion_that_inverts_a_bool_is_refused(backend):
    with pytest.raises(TypeError, match="~ of a bool is a whole number"):
        _train(lambda o, t: ~(o[0] > 0.5), backend)
