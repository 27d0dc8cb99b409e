"""expand: the same function of the same inputs in elementary operations, with gradients."""

import pytest
from hypothesis import given

import microgradient as mg
from microgradient import OPS, Value, expand, nn, topological_order
from microgradient.check.expressions import Expression
from microgradient.check.strategies import expressions
from rows import DISCRETE

ELEMENTARY = {"add", "sub", "mul", "div", "neg", "constant", "where", "relu", "clip"} | {
    name for name, op in OPS.items() if op.primitive and name != "fsum"
}


@given(expressions())
def test_values_and_gradients_agree(e: Expression):
    xs = [Value(x) for x in e.inputs]
    y = e(*xs)
    z = expand(y)
    assert {node.op.name for node in topological_order(z) if node.op} <= ELEMENTARY
    assert z.data == pytest.approx(y.data, rel=1e-12, abs=1e-12)
    y.backward()
    wanted = [x.grad for x in xs]
    for x in xs:
        x.grad = 0.0
    z.backward()
    for x, grad in zip(xs, wanted):
        assert x.grad == pytest.approx(grad, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", sorted(set(OPS) - {*DISCRETE, "constant"}))
def test_every_row_can_be_expanded(name):
    op = OPS[name]
    points = [Value((low + high) / 2 + 0.01) for low, high in op.domain]
    if name in ("fsum", "prod", "logsumexp"):
        y = op([Value(0.5), Value(-0.3), Value(0.9)])
    elif name == "dot":
        y = op([Value(0.5), Value(2.0)], [Value(-1.0), Value(0.1)], Value(0.7))
    elif name == "softmax_cross_entropy":
        y = op([Value(0.5), Value(-0.3), Value(0.9)], 1)
    else:
        y = op(*points)
    z = expand(y)
    assert z.data == pytest.approx(y.data, rel=1e-12)
    leaves = [node for node in topological_order(y) if not node.parents and node.op is None]
    y.backward()
    wanted = [x.grad for x in leaves]
    for x in leaves:
        x.grad = 0.0
    z.backward()
    got = [x.grad for x in leaves]
    assert got == pytest.approx(wanted, rel=1e-9, abs=1e-12)


def test_only_what_is_asked_for():
    x = Value(0.5, label="x")
    y = mg.sigmoid(mg.dot([x], [2.0], 1.0))
    names = [node.op.name for node in topological_order(expand(y, "dot")) if node.parents]
    assert names == ["mul", "add", "sigmoid"]
    with pytest.raises(ValueError, match=r"no 'logsumexp' .* it can take apart dot, sigmoid"):
        expand(y, "logsumexp")


def test_nodes_between_have_gradients_where_the_result_has_one():
    x = Value(0.5, label="x")
    y = mg.sigmoid(x * 2)
    assert all(not node.reached for node in topological_order(expand(y)))
    y.backward()
    before = x.grad
    order = topological_order(expand(y))
    assert all(node.reached for node in order if node.op is not mg.engine.ops.constant)
    assert x.grad == before


def test_names_are_kept_and_nan_stays_whole():
    model = nn.Neuron(1, "sigmoid", rng=0)
    y = model([Value(1.0)])
    assert expand(y, names={"y": y}).label == "y"
    broken = mg.sigmoid(Value(float("nan")))
    assert expand(broken) is broken


def test_losses_too():
    y = nn.half_squared_error([Value(0.2), Value(0.7)], [0.0, 1.0])
    assert expand(y).data == pytest.approx(y.data)
