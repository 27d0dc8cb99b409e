"""Running sums, like terms and like steps fold into one node, and every number stays right."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import microgradient as mg
from microgradient import Value, draw, explain, nn, page
from microgradient.check.expressions import Expression
from microgradient.check.strategies import expressions
from microgradient.view.graph.nudging import nudges
from microgradient.view.graph.numbered_graph import NumberedGraph
from microgradient.view.graph.repetitions import MOST_ALIKE, MOST_NAMED, without_repetitions
from microgradient.view.graph.running_sums import with_sums
from microgradient.view.graph.sweep_steps import reverse_sweep


def _graph(y, names=None):
    return NumberedGraph(y, names, "test")


def _folded(y, names=None):
    return without_repetitions(with_sums(_graph(y, names)))


def _signs(graph):
    return [graph.sign(node) for node in graph.nodes if node.parents]


def _adjoints(graph):
    return {step.node: step.after for step in reverse_sweep(graph)}


def _line(n=100):
    w = Value(0.8, label="w")
    loss = sum((w * x - 2 * x) ** 2 for x in (i / n for i in range(1, n + 1)))
    loss.label = "loss"
    return w, loss


def _recurrence(steps):
    w, y = Value(0.9, label="w"), Value(0.5, label="y0")
    for _ in range(steps):
        y = mg.tanh(y * w)
    return w, y


# --- running sums -------------------------------------------------------------------------------


def test_a_running_sum_is_one_node_whose_local_derivatives_are_1():
    xs = [Value(float(i), label=f"x{i}") for i in range(6)]
    for total in (sum(xs), xs[0] + xs[1] + xs[2] + (xs[3] + (xs[4] + xs[5])), sum(reversed(xs))):
        graph = with_sums(_graph(total))
        assert _signs(graph) == ["sum of 6"]
        assert graph.result.partials == (1.0,) * 6
        assert graph.result.data == total.data
        assert {id(p) for p in graph.result.parents} == {id(x) for x in xs}
    assert [p.label for p in with_sums(_graph(sum(xs))).result.parents] == [x.label for x in xs]


def test_what_has_a_name_or_another_reader_stays():
    a, b, c, d = (Value(float(i), label=name) for i, name in enumerate("abcd"))
    inner = a + b + c
    assert _signs(with_sums(_graph(inner * 2 + d + inner))) == ["sum of 3", "*", "sum of 3"]
    assert _signs(with_sums(_graph(a + b))) == ["+"]
    s = a + b
    assert _signs(with_sums(_graph(s + c + d, {"s": s}))) == ["+", "sum of 3"]
    assert _signs(with_sums(_graph(a + b - c + d))) == ["+", "-", "+"]
    assert _signs(with_sums(_graph(0 + a))) == ["+"]
    assert _signs(with_sums(_graph(a + 1.5 + b + 2.5))) == ["sum of 4"]


def test_a_long_sum_needs_no_recursion():
    x = Value(1.0)
    graph = with_sums(_graph(sum(x * 1.0 for _ in range(20_000))))
    assert graph.sign(graph.result) == "sum of 20,000"


# --- repetitions --------------------------------------------------------------------------------


def test_a_loss_over_100_points_is_one_term_and_99_more():
    w, loss = _line()
    assert draw(loss).source.count("grad not yet") == 6
    loss.backward()
    graph = _folded(loss)
    assert _signs(graph) == ["*", "-", "**", "99 more like v3", "sum of 100"]
    rest = graph.nodes[-2]
    xs = [i / 100 for i in range(2, 101)]
    assert rest.data == pytest.approx(sum((0.8 * x - 2 * x) ** 2 for x in xs))
    assert rest.partials == (pytest.approx(sum(2 * (0.8 * x - 2 * x) * x for x in xs)),)
    assert rest.grad == 1.0
    assert _adjoints(graph)[w] == pytest.approx(w.grad)
    source = draw(loss).source
    assert "not yet" not in source
    assert '"loss = sum of 100 | value ' in source
    assert source.count('label=" 1 "') == 3  # of the subtraction, and of both terms
    assert draw(loss).boxes == 9  # with three constants


def test_50_steps_are_the_first_the_last_and_48_more():
    w, y = _recurrence(50)
    y.backward()
    graph = _folded(y)
    assert _signs(graph) == ["*", "tanh", "48 more steps", "*", "tanh"]
    assert _adjoints(graph)[w] == pytest.approx(w.grad, rel=1e-12)
    assert nudges(graph)[w].values[30][-1] == pytest.approx(nudges(_graph(y))[w].values[30][-1])


@pytest.mark.parametrize("order", [lambda a, b: a + b, lambda a, b: b + a])
def test_steps_with_inputs_of_their_own_fold_in_any_order_of_operands(order):
    w, u, h = Value(0.5, label="w"), Value(-0.3, label="u"), Value(0.1, label="h")
    for i in range(30):
        h = mg.tanh(order(h * w, u * Value(i / 30)))
    graph = _folded(h)
    assert "28 more steps" in _signs(graph)
    h.backward()
    assert _adjoints(graph)[u] == pytest.approx(u.grad)
    assert len([node for node in graph.nodes if not node.parents]) == 5  # w, u, h and two inputs


def test_forms_differ_by_operation_exponent_and_shared_node():
    w, v = Value(0.5, label="w"), Value(2.0, label="v")
    s, t = w * v, w - v
    terms = [(s * i) ** 2 for i in range(9)] + [(s * i) ** 3 for i in range(9)]
    terms += [t * i for i in range(9)] + [mg.sin(w * i) for i in range(8)]
    graph = _folded(mg.fsum(terms))
    assert [x for x in _signs(graph) if "more" in x] == [f"8 more like v{i}" for i in (3, 5, 7)]
    assert _signs(graph).count("sin") == 8
    assert _signs(graph)[-1] == "sum of 35"


def test_few_terms_and_steps_stay_and_a_graph_without_repetitions_is_itself():
    _, loss = _line(MOST_ALIKE)
    graph = with_sums(_graph(loss))
    assert without_repetitions(graph) is graph
    assert without_repetitions(with_sums(_graph(_recurrence(MOST_ALIKE)[1]))).nodes[-1].op
    assert "more steps" not in draw(_recurrence(MOST_ALIKE)[1]).source


def test_named_inputs_are_hidden_only_where_there_are_many():
    for n, signs in ((MOST_NAMED, ["*"] * MOST_NAMED + ["sum of 33"]), (40, ["*", "sum of 41"])):
        ws = [Value(i / 10, label=f"w{i}") for i in range(n)]
        y = sum((w * x for w, x in zip(ws, range(1, n + 1))), Value(0.5, label="b"))
        found = _signs(_folded(y))
        assert len(found) == len(signs)
        assert all(a.startswith(b) for a, b in zip(found, signs))
    graph = _folded(y)
    assert [graph.names.get(node) for node in graph.nodes if not node.parents] == ["w0", "b", None]
    assert "v0 = 39 more like v1 | value 2132 | grad not yet" in draw(y).source
    assert graph.nodes[2].data == pytest.approx(sum((i / 10) * (i + 1) for i in range(1, 40)))


def test_sums_in_sums_and_steps_in_terms_fold_too():
    w = Value(0.9, label="w")

    def run(x):
        for _ in range(20):
            x = mg.tanh(x * w)
        return x

    loss = sum(sum((run(Value(i / 9)) - j) ** 2 for j in range(12)) for i in range(12))
    graph = _folded(loss)
    assert len(graph.nodes) < 20
    loss.backward()
    assert _adjoints(graph)[w] == pytest.approx(w.grad)


@given(expressions(most_steps=6), st.integers(9, 12))
@settings(max_examples=60)
def test_values_and_derivatives_stay_right(e: Expression, times):
    """As terms of a sum, and one after the other."""
    xs = [Value(x) for x in e.inputs]
    own = [[Value(xs[0].data * i / times), *xs[1:]] for i in range(times)]
    batch = sum(e(*inputs) for inputs in own)
    y = xs[0]
    for _ in range(times):
        y = e(mg.tanh(y), *xs[1:])
    for result in (batch, y):
        if type(result) is not Value:
            continue
        graph, whole = _folded(result), _graph(result)
        assert graph.result.data == result.data or result.data != result.data
        wanted = _adjoints(whole)
        size = _sizes(whole)
        for node, adjoint in _adjoints(graph).items():
            if node in wanted and not node.parents:
                assert adjoint == pytest.approx(
                    wanted[node], rel=1e-9, abs=1e-12 * size[node], nan_ok=True
                )


def _sizes(graph):
    """The sum of the sizes of all that arrives at each node."""
    size = {graph.result: 1.0}
    for node in reversed(graph.nodes):
        for _, parent, partial in graph.edges(node):
            size[parent] = size.get(parent, 0.0) + size[node] * abs(partial)
    return size


# --- pictures -----------------------------------------------------------------------------------


def _classifier(points=100):
    """The loss of micrograd's demonstration: a hinge for each point, and a penalty."""
    rng = random.Random(0)
    model = nn.MLP(2, [16, 16, 1], rng=0)
    points = [([rng.gauss(0, 1), rng.gauss(0, 1)], rng.choice((-1, 1))) for _ in range(points)]
    hinges = [(1 + -y * model([Value(a) for a in x])).relu() for x, y in points]
    data_loss = sum(hinges) * (1.0 / len(hinges))
    reg_loss = 1e-4 * sum(p * p for p in model.parameters())
    return data_loss + reg_loss, {"model": model, "data_loss": data_loss, "reg_loss": reg_loss}


def test_a_classifiers_loss_of_437_terms_is_drawn_by_layers():
    loss, names = _classifier()
    for drawing in (draw(loss, names), draw(loss, names, detail="layers")):
        heads = [
            line.split('label="')[1].split(" | ")[0] for line in drawing.body if 'id="f' in line
        ]
        assert heads == [
            "inputs × 200",
            "model.layers.0 × 100",
            "model.layers.1 × 100",
            "model.layers.2 × 100",
            "* → + → relu × 100",
            "sum of 100",
            "data_loss = *",
            "* × 337",
            "sum of 337",
            "reg_loss = *",
            "+",
        ]
    width = float(drawing.pipe(encoding="utf-8").split('width="')[1].split("pt")[0])
    assert width < 1600
    with pytest.raises(ValueError, match=r"419 nodes .*one example"):
        page(loss, names)


def _dense(nodes, seed=0):
    rng = random.Random(seed)
    values = [Value(rng.random()) for _ in range(5)]
    while len(values) < nodes:
        a, b = rng.choice(values), rng.choice(values)
        values.append(rng.choice([lambda a, b: a * b, lambda a, b: mg.tanh(a) - b])(a, b))
    return mg.fsum(values[5:])


@pytest.mark.parametrize(
    ("make", "most"),
    [
        (lambda: _recurrence(5000)[1], 10),
        (lambda: _line(3000)[1], 10),
        (lambda: mg.fsum([Value(0.5) * Value(i / 10) for i in range(3000)]), 10),
        (lambda: _dense(3000), 10),
    ],
)
def test_every_graph_has_a_small_picture(make, most):
    drawing = draw(make())
    assert drawing.boxes <= most
    assert "<svg" in drawing.pipe(encoding="utf-8")


def test_a_long_graph_without_repetitions_is_cut_into_stages():
    y, operations = Value(0.5, label="x"), (mg.sin, mg.tanh, mg.cos, mg.sigmoid)
    rng = random.Random(1)
    for _ in range(500):
        y = rng.choice(operations)(y)
    y.label = "y"
    y.backward()
    source = draw(y).source
    assert "stage 1 of 6 | 83 nodes: " in source
    assert "stage 6 of 6" in source
    assert "y = " in source
    assert " edges" not in source  # one edge from each stage to the next: its local derivative
    assert draw(y).boxes == 8


def test_long_links_make_dot_hurry():
    """It took 40 seconds for 102 boxes and 150 links, and takes less than one."""
    _, y = _recurrence(50)
    assert "nslimit=" in draw(y, detail="operations").source
    assert "nslimit=" not in draw(y).source


def test_edges_count_by_their_length():
    """Each of 100 steps reads each of 8 shared inputs: 100 boxes, but dot would take minutes."""
    rng = random.Random(0)
    values = [Value(0.1) for _ in range(9)]
    for _ in range(100):
        values.append(mg.fsum([values[-1], *rng.sample(values[:-1], 8)]))
    with pytest.raises(ValueError, match=r"109 nodes and 900 edges.* if they are short; write"):
        page(values[-1])
    with pytest.raises(
        ValueError, match=r"109 nodes and 900 edges, which pass [0-9,]+ or more columns"
    ):
        draw(values[-1], detail="operations")
    assert draw(values[-1]).boxes == 8


def test_pages_fold_and_show_every_node_on_demand():
    w, loss = _line(30)
    with mg.watch() as seen:
        y = sum((w * x) ** 2 for x in range(1, 31))
    folded, whole = page(y, seen), page(y, seen, detail="operations")
    assert "29 more like v2" in folded.html
    assert len(whole.graph.nodes) == 1 + 60 + 30
    assert "more like" not in whole.html
    assert {line.text for line in folded.graph.lines.values()} == {
        "y = sum((w * x) ** 2 for x in range(1, 31))"
    }
    with pytest.raises(ValueError, match="detail must be one of auto, operations"):
        page(loss, detail="layers")


def test_a_loss_with_too_many_paths_is_explained_with_like_terms_as_one():
    w, loss = _line(200)
    loss.backward()
    it = explain(loss, w)
    assert len(it.paths) == 2
    assert it.value == pytest.approx(w.grad)
    assert "v4 = 199 more like v3" in repr(it)
