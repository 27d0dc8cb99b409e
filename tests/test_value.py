"""Value and backward: accumulation, order, mutation, copying, threads."""

import copy
import gc
import math
import pickle
import threading

import pytest

import microgradient as mg
from live import live_values
from microgradient import OPS, Op, Value, topological_order


def test_gradient_is_zero_until_a_sweep_reaches_the_node():
    x, unused = Value(2.0), Value(1.0)
    y = x * x
    assert (x.grad, y.grad, x.reached, y.reached) == (0.0, 0.0, False, False)
    y.backward()
    assert (x.grad, y.grad, unused.grad) == (4.0, 1.0, 0.0)
    assert (x.reached, y.reached, unused.reached) == (True, True, False)


def test_an_assigned_gradient_is_a_float_and_none_forgets_it():
    x = Value(2.0)
    x.grad = 0
    assert (type(x.grad), x.reached) == (float, True)
    x.grad = None
    assert (x.grad, x.reached) == (0.0, False)
    with pytest.raises(TypeError, match="real number"):
        x.grad = Value(0.0)


def test_a_node_used_twice_gets_both_contributions_before_it_passes_them_on():
    """The case that recursion without an order gets wrong."""
    x = Value(3.0)
    a = x * x
    y = a * a + a
    y.backward()
    assert x.grad == 4 * 27 + 2 * 3


def test_two_backward_passes_double_leaf_gradients_and_nothing_else():
    x = Value(3.0)
    a = x * x
    y = a * 2
    y.backward()
    y.backward()
    assert (x.grad, a.grad, y.grad) == (24.0, 2.0, 1.0)
    x.grad = 0.0
    y.backward()
    assert x.grad == 12.0


def test_two_results_that_share_a_node_add_up_on_the_leaf():
    x = Value(2.0)
    a = x * x
    (a * 3).backward()
    (a * 5).backward()
    assert x.grad == 4.0 * 8


def test_backward_of_a_leaf():
    x = Value(2.0)
    x.backward()
    x.backward()
    assert x.grad == 2.0


def test_changing_a_leaf_afterwards_cannot_corrupt_a_gradient():
    x = Value(3.0)
    y = x * x
    x.data = 100.0
    y.backward()
    assert x.grad == 6.0


def test_parents_keep_order_and_duplicates():
    x, y = Value(2.0), Value(3.0)
    assert (x - y).parents == (x, y)
    assert (x * x).parents == (x, x)
    assert (x * x).partials == (2.0, 2.0)


def test_order_of_several_roots_and_of_any_nodes():
    x = Value(1.0)
    y, z = x + 1, x * 2
    order = topological_order(y, z)
    place = {node: i for i, node in enumerate(order)}
    assert place[x] < place[y] < place[z]
    assert len(order) == 5


def test_diamonds_are_visited_once():
    x = y = Value(1.0)
    for _ in range(200):
        y = y + y
    assert len(topological_order(y)) == 201
    y.backward()
    assert x.grad == 2.0**200


def test_wide_nodes():
    xs = [Value(1.0) for _ in range(100_000)]
    y = mg.fsum(xs) + mg.dot(xs, xs) + mg.prod(xs) + mg.logsumexp(xs)
    y.backward()
    assert y.data == pytest.approx(200_002 + math.log(100_000))
    assert xs[0].grad == xs[-1].grad == pytest.approx(1 + 2 + 1 + 1e-5)


def test_repr_is_short():
    assert repr(Value(2, label="w")) == "Value(data=2.0, label='w')"
    x = Value(2)
    (x * 3).backward()
    assert repr(x) == "Value(data=2.0, grad=3.0)"


def test_formatting_is_of_the_number():
    assert f"{Value(1 / 3):.3f}" == "0.333"
    assert f"{Value(2)}" == "Value(data=2.0)"


def test_a_node_without_a_label_has_the_empty_text():
    x, w = Value(2.0), Value(3.0, label="w")
    y = x * w
    w.label = y.label = None
    assert [f"{{ {v.label} | {v.data:.1f} }}" for v in (x, w, y)] == [
        "{  | 2.0 }",
        "{  | 3.0 }",
        "{  | 6.0 }",
    ]  # as the lessons' draw_dot writes it
    assert x._attributes is y._attributes is None
    assert repr(w) == "Value(data=3.0)"


def test_a_walk_by_the_names_of_microgpt():
    x, w = Value(2.0), Value(-3.0)
    y = x * w + x * x
    adjoints = {y: 1.0}
    waiting = [y]
    while waiting:  # each node but the leaves is used once, so any order will do
        node = waiting.pop()
        for child, local_grad in zip(node._children, node._local_grads, strict=True):
            adjoints[child] = adjoints.get(child, 0.0) + local_grad * adjoints[node]
            waiting.append(child)
    assert (adjoints[x], adjoints[w]) == (-3.0 + 2 * 2.0, 2.0)
    assert (x._children, x._local_grads) == ((), ())


def test_label_must_be_text():
    with pytest.raises(TypeError, match="label"):
        Value(1.0, label=3)


def _graph():
    x = Value(2.0, label="x")
    y = mg.tanh(x) * x + mg.where(x > 0, x, 0.0)
    y.backward()
    return x, y


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda y: pickle.loads(pickle.dumps(y))])
def test_deep_copies_are_whole_and_independent(twin):
    x, y = _graph()
    other = twin(y)
    ours, theirs = topological_order(y), topological_order(other)
    assert [(v.data, v.grad, v.label, v.op, v.partials) for v in ours] == [
        (v.data, v.grad, v.label, v.op, v.partials) for v in theirs
    ]
    assert not set(ours) & set(theirs)
    theirs[0].data = 7.0
    assert x.data == 2.0


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda y: pickle.loads(pickle.dumps(y))])
def test_copies_made_together_share_their_leaves(twin):
    x = Value(2.0)
    y, z = twin((x * 3, x + 1))
    assert y.parents[0] is z.parents[0]


def test_shallow_copy_shares_parents():
    _, y = _graph()
    other = copy.copy(y)
    assert other is not y
    assert other.parents == y.parents


def test_an_operation_outside_the_table_is_not_pickled():
    with pytest.raises(TypeError, match="package"):
        pickle.dumps(Op("mine", lambda m, v, x: (1.0,), lambda m, x: x)(Value(1.0)))


def test_graph_is_freed_without_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        before = live_values()
        _, y = _graph()
        m = mg.nn.MLP(3, [4, 2], rng=0)
        loss = mg.nn.half_squared_error(m([1.0, 2.0, 3.0]), [0.0, 1.0])
        loss.backward()
        _ = mg.hessian(lambda x: mg.sin(x[0]) * x[1])([1.0, 2.0])
        del y, m, loss, _
        assert live_values() == before
    finally:
        gc.enable()


def test_no_recursion_in_a_thread_with_a_small_stack():
    """1 MB: CPython 3.13 itself needs more than 512 kB to free any chain of objects."""

    def work():
        y = Value(1.0)
        for _ in range(20_000):
            y = y * 1.0 + 0.0
        y.backward()
        done.append(repr(y))

    done = []
    size = threading.stack_size(1024 * 1024)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(size)
    assert done


# --- operations of one's own --------------------------------------------------------------------


def test_an_operation_of_ones_own_works_everywhere():
    cube = Op("cube", lambda m, v, x: (3 * x * x,), lambda m, x: x * x * x)
    assert cube(2.0) == 8.0
    assert mg.grad(cube)(2.0) == 12.0
    assert mg.derivative(cube, 3)(2.0) == 6.0


def test_a_wrong_number_of_partials_is_an_error():
    broken = Op("broken", lambda m, v, x, y: (1.0,), lambda m, x, y: x + y)
    with pytest.raises(ValueError, match="one partial for each of its 2 operands, got 1"):
        broken(Value(1.0), 2.0)


def test_an_operation_needs_a_formula_and_a_name():
    with pytest.raises(ValueError, match="formula"):
        Op("mystery", lambda m, v, x: (1.0,))
    with pytest.raises(ValueError, match="identifier"):
        Op("not a name", lambda m, v, x: (1.0,), lambda m, x: x)


def test_every_row_of_the_table_is_exported():
    assert all(getattr(mg, name) is op for name, op in OPS.items())
