"""explain: every path once, the sum of their products, their cost, and the limit."""

import pytest
from hypothesis import given, settings

import microgradient as mg
from microgradient import Value, explain, trace
from microgradient.check.expressions import Expression
from microgradient.check.strategies import expressions
from microgradient.view.text.formulas import LATEX, TEXT, Formula, derivatives, written


def test_two_paths_in_symbols_and_numbers():
    w, x, b = Value(0.8, label="w"), Value(-1.5, label="x"), Value(0.3, label="b")
    s = w * x + b
    y = mg.tanh(s) * s
    it = explain(y, w, {"s": s, "y": y})
    assert len(it.paths) == 2
    assert it.multiplications == 3 + 2
    assert it.reverse_multiplications == 5  # all edges except the two of the result
    assert it.all_multiplications == 5 + 5 + 3  # by w, x and b
    assert it.value == pytest.approx(
        mg.grad(lambda w: mg.tanh(w * -1.5 + 0.3) * (w * -1.5 + 0.3))(0.8)
    )
    text = repr(it)
    assert "dy/dw = ∂y/∂v3 × ∂v3/∂s × ∂s/∂v1 × ∂v1/∂w" in text
    assert "= 0.657338 + 1.07445" in text
    assert "= 1.73179" in text
    assert "13 along the paths, 5 by the reverse sweep" in text
    assert it.latex().count("{") == it.latex().count("}")


def _paths(node, x):
    """Every path by plain recursion, as an independent count."""
    if node is x:
        return [[]]
    return [
        [partial, *rest]
        for parent, partial in zip(node.parents, node.partials)
        for rest in _paths(parent, x)
    ]


@given(expressions(most_steps=7))
@settings(max_examples=60)
def test_sum_over_paths_is_the_adjoint(e: Expression):
    xs = [Value(x) for x in e.inputs]
    y = e(*xs)
    adjoint = {n: r["adjoint"] for n, r in zip(trace(y).graph.nodes, trace(y).rows)}
    for x in xs:
        if x in adjoint:
            it = explain(y, x, limit=10**6)
            wanted = _paths(y, x)
            assert len(it.paths) == len(wanted)
            assert it.multiplications == sum(len(path) - 1 for path in wanted)
            size = sum(map(abs, it.products))
            assert it.value == pytest.approx(adjoint[x], abs=1e-12 * (1 + size))


def test_refusal_names_the_number_of_paths():
    x = y = Value(1.0)
    for _ in range(10):
        y = y + y
    with pytest.raises(ValueError, match="1,024 paths from x to the result with 10,240 factors"):
        explain(y, x)
    assert explain(y, x, limit=1024).value == 1024
    for _ in range(5000):
        y = y + y
    with pytest.raises(ValueError, match=r"about 10\^1508 paths"):
        explain(y, x)


def test_the_derivative_by_itself_is_1_and_strangers_are_refused():
    x = Value(2.0, label="x")
    assert explain(x, x).value == 1
    assert "dx/dx = 1" in repr(explain(x, x))
    with pytest.raises(ValueError, match="does not depend"):
        explain(x * 2, Value(2.0))
    with pytest.raises(TypeError, match="differentiate by"):
        explain(x * 2, 2.0)


def test_a_deep_chain_is_explained_without_recursion():
    x = y = Value(0.5, label="x")
    for _ in range(3000):
        y = y.sin()
    assert explain(y, x).multiplications == 2999
    for _ in range(10_000):
        y = y.sin()
    with pytest.raises(ValueError, match="is 1 path from x to the result with 13,000 factors"):
        explain(y, x)


@pytest.mark.parametrize(
    ("name", "text", "latex", "derivative"),
    [
        ("square", "(a + b)**2", r"\left(a + b\right)^{2}", "2 * (a + b)"),
        ("reciprocal", "1 / (a + b)", r"\frac{1}{a + b}", "-v * v"),
        ("exp2", "2**(a + b)", "2^{a + b}", "v * 0.693147"),
        ("gamma", "gamma(a + b)", r"\Gamma\left(a + b\right)", "v * digamma(a + b)"),
        ("mod", "(a + b) % c", r"\left(a + b\right) \bmod c", "1"),
        (
            "erfinv",
            "erfinv(a + b)",
            r"\operatorname{erf}^{-1}\left(a + b\right)",
            "0.886227 * exp(v * v)",
        ),
        ("pow", "(a + b)**c", r"\left(a + b\right)^{c}", "c * (a + b)**(c - 1)"),
    ],
)
def test_operations_are_written_as_they_are_taught(name, text, latex, derivative):
    op = mg.OPS[name]
    for notation, wanted in ((TEXT, text), (LATEX, latex)):
        a, b, c, v = [Formula(letter, notation) for letter in "abcv"]
        operands = [a + b, c][: len(op.domain)]
        assert written(op, operands, notation).text == wanted
        if notation is TEXT:
            assert derivatives(op, v, operands)[0] == derivative
