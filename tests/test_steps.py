"""steps: forward and back to the same numbers, and three sweeps that are wrong on purpose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgradient as mg
from microgradient import Value, steps, trace
from microgradient.check.expressions import Expression
from microgradient.check.strategies import expressions


def _adjoints(y):
    it = trace(y)
    return {node: row["adjoint"] for node, row in zip(it.graph.nodes, it.rows)}


@given(expressions(), st.lists(st.integers(0, 200), max_size=5))
def test_forward_and_back_anywhere(e: Expression, places):
    it = steps(e(*map(Value, e.inputs)))
    known = [({}, {})]
    while it.forward():
        known.append((dict(it.values), dict(it.adjoints)))
    assert it.adjoints == _adjoints(it.graph.result)
    for place in (min(p, len(it)) for p in places):
        it.goto(place)
        assert (it.values, it.adjoints) == known[place]
    it.goto(0)
    assert it.back() is None
    assert (it.values, it.adjoints) == ({}, {})


def test_records_and_words():
    w, x = Value(0.8, label="w"), Value(-1.5, label="x")
    y = w * x
    y.label = "y"
    it = steps(y)
    assert [r["rule"] for r in it.records] == ["input", "input", "evaluate", "seed", "pass", "pass"]
    it.goto(5)
    assert "dy/dw = dy/dy × ∂y/∂w = 1 × (-1.5) = -1.5" in repr(it)
    assert "∂y/∂w = x = -1.5, for y = w * x" in repr(it)
    assert len(it[2:4]) == 2
    with pytest.raises(ValueError, match="from 0 to 6"):
        it.goto(7)


def _recursive(y):
    """A simplification that many propose: no order, each node passes on when it is reached."""
    grad = {y: 1.0}

    def visit(node):
        for parent, partial in zip(node.parents, node.partials):
            grad[parent] = grad.get(parent, 0.0) + grad[node] * partial
        for parent in node.parents:
            visit(parent)

    visit(y)
    return grad


@given(expressions(most_steps=6))
def test_recursion_is_what_recursion_does(e: Expression):
    y = e(*map(Value, e.inputs))
    try:
        it = steps(y, sweep="recursion")
    except ValueError:
        return
    it.goto(len(it))
    wrong = _recursive(y)
    assert it.adjoints == {node: wrong[node] for node in it.adjoints}


def test_each_wrong_sweep_is_wrong_where_a_node_is_shared_and_right_elsewhere():
    x = Value(3.0, label="x")
    a = x * 2
    shared = a * a  # d/dx = 8 x = 24
    expected = {"right": 24.0, "recursion": 48.0, "assignment": 12.0, "no zero_grad": 48.0}
    for sweep, wrong in expected.items():
        it = steps(shared, sweep=sweep)
        it.goto(len(it))
        assert it.adjoints[x] == wrong, sweep
    alone = mg.sin(x * 2)
    right = _adjoints(alone)[x]
    for sweep in ("recursion", "assignment"):
        it = steps(alone, sweep=sweep)
        it.goto(len(it))
        assert it.adjoints[x] == right


def test_too_many_visits_and_unknown_sweeps_are_refused():
    y = Value(1.0)
    for _ in range(60):
        y = y + y
    with pytest.raises(ValueError, match="visits"):
        steps(y, sweep="recursion")
    with pytest.raises(ValueError, match="'assignment'"):
        steps(y, sweep="wrong")
    assert len(steps(y)) == 61 + 1 + 120


def test_constants_get_no_steps():
    assert [s.rule for s in steps(Value(2.0) ** 3)] == ["input", "evaluate", "seed", "pass"]
