"""The strategies: inside domains, off kinks, shrinking to code that can be pasted."""

import math

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

import microgradient as mg
from microgradient import OPS, Op, Value, nn, topological_order
from microgradient.check import check_gradient
from microgradient.check import strategies as mgst
from microgradient.check.expressions import Expression, StraightLine
from microgradient.check.strategies import TrainingRecipe
from rows import DISCRETE

ROWS = [op for op in OPS.values() if op.name not in ("softmax_cross_entropy", "dot")]


@pytest.mark.parametrize("op", ROWS, ids=repr)
def test_operands_lie_in_the_domain_and_off_kinks(op):
    @given(mgst.operands(op))
    @settings(max_examples=30)
    def check(xs):
        assert len(xs) == len(op.domain)
        for x, (low, high) in zip(xs, op.domain):
            assert low <= x <= high
        assert all(abs(xs[0] - kink) > 0.01 for kink in op.kinks)
        assert math.isfinite(op.fast(*xs))
        if op.name not in (*DISCRETE, "fsum", "prod", "logsumexp"):
            check_gradient(op, *xs)

    check()


@given(st.data())
def test_operands_of_nary_rows(data):
    assert len(data.draw(mgst.operands(mg.fsum, 5))) == 5


@given(mgst.expressions())
def test_expressions_mean_what_their_code_says(e):
    pasted = eval(repr(e), {"mg": mg, "Expression": Expression})  # as somebody would paste it
    assert pasted.inputs == e.inputs
    assert pasted(*pasted.inputs) == e(*e.inputs)
    assert mg.grad(pasted.f)(*e.inputs) == mg.grad(e.f)(*e.inputs)


@given(mgst.expressions())
def test_expressions_record_what_they_say(e):
    y = e(*map(Value, e.inputs))
    assert type(y) is Value
    assert math.isfinite(y.data)
    nodes = [n for n in topological_order(y) if n.parents]
    live = [step for step in e.f.live if step[0] is not None]
    assert len(nodes) == len(live)


def test_expressions_shrink_to_one_operation():
    e = find(mgst.expressions(), lambda e: "mg.tanh" in repr(e))
    assert repr(e) == "Expression(lambda x0: mg.tanh(x0), 0.0)"


def test_sharing_is_drawn_and_shown():
    e = find(mgst.expressions(), lambda e: ":=" in repr(e))
    assert len(e.f.steps) <= 5
    assert repr(e).startswith("Expression(lambda x0: [v")


def test_expressions_of_ones_own_operations():
    cube = Op("cube", lambda m, v, x: (3 * x * x,), lambda m, x: x * x * x)
    e = find(mgst.expressions([cube, mg.add]), lambda e: "cube" in repr(e))
    assert repr(e).startswith("Expression(lambda x0: cube(x0), ")
    check_gradient(e.f, 0.5)


def test_most_inputs_and_steps():
    @given(mgst.expressions(most_inputs=1, most_steps=2))
    @settings(max_examples=50)
    def check(e):
        assert len(e.inputs) == 1
        assert isinstance(e.f, StraightLine)
        assert len(e.f.steps) <= 3

    check()


@given(mgst.networks())
def test_networks(network):
    y = network([0.5] * len(network.layers[0].neurons[0].weights))
    for output in y if isinstance(y, list) else [y]:
        assert math.isfinite(output.data)


@given(mgst.recipes())
@settings(max_examples=30)
def test_recipes_train_to_the_same_weights_every_time(recipe):
    (one, history), (two, _) = recipe.train(), recipe.train()
    assert one.state_dict() == two.state_dict()
    assert history.sweeps == recipe.sweeps
    assert eval(repr(recipe), {"TrainingRecipe": TrainingRecipe}) == recipe


@given(mgst.recipes(), st.integers(0, 5))
@settings(max_examples=30)
def test_a_checkpoint_in_the_middle_of_training_changes_nothing(tmp_path_factory, recipe, cut):
    """For rules without memory, saving and loading in between makes no difference."""
    if recipe.optimizer != "GradientDescent":
        return
    whole, _ = recipe.train()
    first = TrainingRecipe(**{**vars(recipe), "sweeps": min(cut, recipe.sweeps)})
    rest = TrainingRecipe(**{**vars(recipe), "sweeps": recipe.sweeps - first.sweeps})
    path = tmp_path_factory.mktemp("recipe") / "a.json"
    nn.save(first.train()[0], path)
    again = recipe.network()
    nn.load(again, path)
    assert rest.train(again)[0].state_dict() == whole.state_dict()


@given(mgst.special_numbers())
def test_special_numbers_go_in(x):
    assert type(Value(x).data) is float


@pytest.mark.parametrize("op", [mg.lgamma, mg.acosh, mg.log])
def test_inputs_lie_where_the_operations_are(op):
    @given(mgst.expressions([op]))
    @settings(max_examples=20)
    def check(e):
        assert op.name in repr(e)

    check()


def test_misuse():
    with pytest.raises(TypeError, match="rows must be operations"):
        find(mgst.expressions([math.sin]), lambda e: True)
    with pytest.raises(ValueError, match="at least one operation"):
        find(mgst.expressions([]), lambda e: True)
    with pytest.raises(ValueError, match="finite low < high"):
        mgst.numbers(1.0, 0.0)
    with pytest.raises(TypeError, match="expects an operation"):
        mgst.operands(math.sin)


def test_a_row_of_several_operands_needs_no_domain():
    row = mg.Op("product", lambda m, v, x, y: (y, x), lambda m, x, y: x * y)
    assert len(find(mgst.operands(row), lambda x: True)) == 2
    e = find(mgst.expressions([row]), lambda e: True)
    assert check_gradient(e.f, *e.inputs).ok
