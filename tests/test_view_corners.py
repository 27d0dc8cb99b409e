"""Regressions of the views: shared neurons, odd names, users' operations, odd numbers, limits."""

import contextlib
import math
import threading

import pytest

import microgradient as mg
from microgradient import Op, Value, nn, watch
from microgradient.view.graph.grouping import uses
from microgradient.view.graph.nudging import nudges
from microgradient.view.graph.numbered_graph import NumberedGraph, parameter_name

# --- uses of a neuron --------------------------------------------------------------------------


def _edges(drawing):
    return [line.split('label=" ')[1].split()[0] for line in drawing.body if 'label=" ' in line]


def test_two_uses_of_one_neuron_stay_two_boxes():
    neuron, x = nn.Neuron(1, "tanh", rng=0), Value(0.5, label="x")
    first = neuron([x])
    second = neuron([first])
    for y in (first * second, second * first):
        source = mg.draw(y, {"n": neuron}, detail="neurons")
        assert source.source.count("dot → tanh") == 2
        slope = mg.grad(lambda h: neuron([h]))(first.data)
        assert f"{slope:.4g}" in _edges(source)


def test_what_is_done_with_outputs_is_no_part_of_a_neuron():
    model = nn.MLP(2, [3, 1], "tanh", rng=0)
    batch = [([a, b], None) for a in (0.0, 1.0) for b in (0.0, 1.0)]
    it = mg.diagnose(model, batch, lambda output, _: output * output)
    outputs = [model(x).data for x, _ in batch]
    assert it.layers[-1].output == pytest.approx(math.hypot(*outputs) / 2)
    loss = mg.fsum([model(x) for x, _ in batch])
    assert "dot × 4" not in mg.draw(loss, {"m": model}, detail="layers").source
    assert "m.layers.1 × 4 | dot | 4 parameters" in (
        mg.draw(loss, {"m": model}, detail="layers").source
    )


def test_every_use_of_a_recurrent_layer_counts():
    cell = nn.Neuron(2, "tanh", rng=0)

    states = []

    class Recurrent(nn.Module):
        def __init__(self):
            self.cell = cell

        def __call__(self, xs):
            states[:] = [0.0]
            for x in xs:
                states.append(cell([x, states[-1]]))
            return states[-1]

    it = mg.diagnose(Recurrent(), [([1.0, -0.5, 0.25], [0.0])])
    states = [state.data for state in states[1:]]
    assert it.layers[0].output == pytest.approx(math.hypot(*states) / math.sqrt(3))


def test_a_layer_of_plain_operators_is_used_once_and_not_three_times():
    class Lin(nn.Module):
        def __init__(self):
            self.w = [Value(0.1), Value(0.2), Value(0.3)]

        def __call__(self, x):
            return [(w * x).tanh() for w in self.w]

    model = Lin()
    source = mg.draw(mg.fsum(model(Value(2.0, label="x"))), {"lin": model}, detail="layers").source
    assert "lin | 3 neurons: * → tanh | 3 parameters" in source


def test_uses_hold_their_nodes_in_order():
    model = nn.MLP(3, [4, 2], "tanh", rng=0)
    graph = NumberedGraph(mg.fsum(model([Value(1.0)] * 3)), {"m": model}, "test")
    for use in uses(graph).values():
        numbers = [graph.number[node] for node in use.nodes]
        assert numbers == sorted(numbers)


def test_diagnose_keeps_its_scale_where_squares_would_not():
    model = nn.MLP(2, [2, 2, 1], "linear", rng=0)
    for weight in model.parameters():
        weight.data = 1e-150
    it = mg.diagnose(model, [([1.0, 1.0], [1.0])])
    assert all(0 < flow.gradient < 1e-149 for flow in it.layers[:1] if flow.layer.endswith("1"))
    assert {f.kind for f in it.findings} == {"shrinking"}


def test_diagnose_reports_where_anomalies_raise():
    model = nn.MLP(1, [1], "linear", rng=0)
    with mg.detect_anomaly():
        it = mg.diagnose(model, [([1.0], [0.0])], lambda output, _: mg.log(output * 0))
    assert it.findings[0].kind == "not finite"


# --- names -------------------------------------------------------------------------------------


def test_a_users_v2_is_not_variable_number_2():
    x = Value(1.0, label="x")
    v2 = x + 1
    z = v2 * 2
    rows = mg.trace(z + v2, {"v2": v2}).rows
    assert [row["formula"] for row in rows] == ["", "x + 1", "v1 * 2", "v2 + v1"]


def test_names_that_look_the_same_are_told_apart():
    for pair in (("x y", "x\ty"), ("a" * 50, "a" * 49 + "b")):
        x, y = (Value(1.0, label=name) for name in pair)
        assert mg.trace(x * y).rows[-1]["formula"] == "v-1 * v0"
    assert mg.trace(Value(1.0, label="a + b") * 2).rows[-1]["formula"] == "(a + b) * 2"


def test_labels_that_are_expressions_stand_in_brackets_in_derivatives():
    x1, w1, b = Value(2.0, label="x1"), Value(-3.0, label="w1"), Value(6.9, label="b")
    s = x1 * w1
    s.label = "x1*w1"
    n = s + b
    n.label = "x1*w1 + b"
    o = n.tanh()
    o.label = "tanh(x1*w1 + b)"
    explained = repr(mg.explain(o, w1))
    assert explained.startswith(
        "d(tanh(x1*w1 + b))/dw1 = ∂(tanh(x1*w1 + b))/∂(x1*w1 + b) × ∂(x1*w1 + b)/∂(x1*w1) × "
        "∂(x1*w1)/∂w1"
    )
    trace = repr(mg.trace(o))
    assert "the adjoint of v is d(tanh(x1*w1 + b))/dv" in trace
    assert "d(tanh(x1*w1 + b))/d(x1*w1)" in trace
    told = [mg.steps(o).tell(step) for step in mg.steps(o)]
    assert any("∂(x1*w1 + b)/∂b = 1, for x1*w1 + b = x1*w1 + b" in text for text in told)
    assert any("= 1 - (tanh(x1*w1 + b)) * (tanh(x1*w1 + b)) = " in text for text in told)
    assert "d(tanh(x1*w1 + b))/d(x1*w1)" in mg.page(o).html
    for text in (mg.explain(o, w1).latex(), mg.trace(o).latex()):
        assert r"\frac{\partial \left(\mathit{x1*w1\ +\ b}\right)}{\partial \left(" in text


def test_a_model_has_its_first_public_name():
    model = nn.Layer(1, 1, rng=0)
    names = {"_": model, "_12": model, 5: model, "net": model, "same": model}
    assert '"net' in mg.draw(model([1.0]), names, detail="layers").source


def test_a_model_named_by_nothing_is_shown_on_a_page():
    neuron = nn.Neuron(1, rng=0)
    assert "<svg" in mg.page(neuron([1.0]), {"": neuron}).html


def test_two_models_names_are_told_apart_and_lists_named_layers_too():
    a, b = nn.Neuron(1, rng=0), nn.Neuron(1, rng=1)
    rows = mg.trace(a([1.0]) + b([1.0]), {"a": a, "b": b}).rows
    assert {"a.weights[0]", "b.weights[0]"} <= {row["name"] for row in rows}
    assert parameter_name("layers.0") == "layers[0]"


def test_names_survive_whatever_else_is_in_scope():
    loop = [1]
    loop.append(loop)

    class Shy:
        @property
        def __class__(self):
            raise RuntimeError("not bound")

    broken = nn.Neuron(1, rng=0)
    broken.itself = [broken]
    broken.itself.append(broken.itself)
    x = Value(1.0)
    names = {1: x, None: x, "loop": loop, "shy": Shy(), "big": [[0.0] * 784] * 5000}
    assert mg.trace(x * 2, {**names, "broken": broken, "x": x}).rows[0]["name"] == "x"


# --- operations of users -----------------------------------------------------------------------


def test_a_users_row_that_branches_or_shares_a_name_gets_no_false_rule():
    branching = Op("mine", lambda m, v, x: (1.0 if x > 0 else 0.0,), lambda m, x: x)
    scaled = Op("tanh", lambda m, v, x: (2.0,), lambda m, x: 2 * x)
    ternary = Op("mul", lambda m, v, x, y, z: (1.0, 1.0, 1.0), lambda m, x, y, z: x + y + z)
    x = Value(-0.5, label="x")
    for y, rule in (
        (branching(x), "∂v1/∂x = 0, for v1 = mine(x)"),
        (scaled(x), "∂v1/∂x = 2, for v1 = tanh(x)"),
        (ternary(x, Value(1.0), Value(2.0)), "∂v1/∂x = 1, for v1 = mul(x, v-1, v0)"),
    ):
        it = mg.steps(y)
        last = next(step for step in reversed(it) if step.node is x)
        assert rule in it.tell(last)


def test_a_users_row_that_loops_or_raises_is_shown_all_the_same():
    def slope(m, v, x):
        while x > 3:
            x = x - 1
        return (1.0 / {0.5: 2}[x],)

    def absent(m, v, x):
        return ({0.5: 0.5}[x],)

    assert "∂v1/∂x = 0.5" in repr(
        _at_the_end(Op("table", absent, lambda m, x: x)(Value(0.5, label="x")))
    )
    either = Op("or", lambda m, v, x: (m.where(x > 0, 1.0, 2.0) + x,), lambda m, x: x)
    told = repr(_at_the_end(either(Value(0.5, label="x"))))
    assert "∂v1/∂x = (1 if x > 0 else 2) + x = 1.5" in told
    assert "∂v1/∂x = 0.5" in repr(
        _at_the_end(Op("wrap", slope, lambda m, x: x)(Value(0.5, label="x")))
    )
    with pytest.raises(TypeError, match="a real number"):
        Op("bad", lambda m, v, x: ("a",), lambda m, x: x)(Value(1.0))


def test_nudges_outside_of_a_users_domain_are_nan():
    log = Op(
        "mylog",
        lambda m, v, x: (m.div(1.0, x),),
        lambda m, x: math.log(x) if type(x) is float else m.log(x),
    )
    x = Value(0.5)
    (found,) = nudges(NumberedGraph(log(x), None, "test")).values()
    assert math.isnan(found.values[0][-1])
    assert found.values[20][-1] == math.log(0.5)
    assert mg.page(log(x)).html
    root = Op("myroot", lambda m, v, x: (0.5 / v,), lambda m, x: x**0.5)  # complex below 0
    assert math.isnan(nudges(NumberedGraph(root(x), None, "test"))[x].values[0][-1])


def test_a_formula_that_is_a_number_is_a_constant():
    mine = Op("mine", lambda m, v, x: (0.0,), lambda m, x: m.where(x > 0, x, 0.0))
    w = Value(2.0, label="w")
    rows = mg.trace(mg.expand(mine(Value(-1.0, label="x")) * w)).rows
    assert [row["name"] for row in rows] == ["w", ""]


# --- numbers -----------------------------------------------------------------------------------


def _at_the_end(y, **settings):
    it = mg.steps(y, **settings)
    it.goto(len(it))
    return it


def test_a_contribution_of_zero_is_zero_in_latex():
    assert r"3 \cdot 0 &= 0" in mg.trace(mg.relu(Value(-1.0, label="x")) * 3).latex()
    assert r"{10^" not in mg.trace(1e7 ** Value(2.0, label="x")).latex()
    assert r"\left(1 \cdot 10^{7}\right)^{x}" in mg.trace(1e7 ** Value(2.0, label="x")).latex()


def test_expand_keeps_the_derivative_at_kinks():
    x = Value(0.0)
    for y in (mg.relu(x), mg.clip(x, 0.0, 1.0), nn.hinge([x], [1.0])):
        assert mg.explain(mg.expand(y), x).value == mg.explain(y, x).value
    with mg.detect_anomaly():
        y = mg.sigmoid(Value(-1000.0))
        assert mg.expand(y).data == y.data


def test_expanded_nodes_keep_their_lines():
    x = Value(1.0)
    with watch() as seen:
        y = mg.sigmoid(x)  # this one
    rows = mg.trace(mg.expand(y, names=seen), seen).rows
    assert {row["line"] for row in rows[1:]} == {"y = mg.sigmoid(x)  # this one"}


def test_a_fold_with_a_nan_says_so():
    xs = [Value(x).sin() for x in (1.0, float("nan"), 2.0)]
    assert "value nan" in mg.draw(mg.fsum(xs), detail="layers").source


def test_without_zero_grad_a_lone_input_doubles_too():
    it = _at_the_end(Value(1.0, label="x"), sweep="no zero_grad")
    assert list(it.adjoints.values()) == [2.0]
    it.goto(0)
    assert it.adjoints == {}


def test_premature_hand_ons_are_named_when_they_happen():
    x = Value(0.5, label="x")
    t = x * 2
    it = mg.steps(t * mg.tanh(t), sweep="recursion")
    rules = [(step.rule, step.giver is t) for step in it if step.giver is not None]
    assert ("too early", True) in rules
    assert ("again", True) in rules
    assert rules.index(("too early", True)) < rules.index(("again", True))
    chain = mg.steps(mg.tanh(x * 2), sweep="recursion")
    assert {step.rule for step in chain} <= {"input", "evaluate", "seed", "pass"}


def test_a_trace_of_just_two_thousand_rows_is_not_cut():
    y = Value(1.0)
    for _ in range(1999):
        y = y.sin()
    assert "the first" not in repr(mg.trace(y)).splitlines()[0]
    assert "cut after" in mg.trace(y.sin()).latex()


def test_an_operand_that_stands_twice_is_told_by_its_place():
    a = Value(6.0, label="a")
    y = a * a
    y.label = "y"
    assert "dy/da = ∂₁y/∂a\n      + ∂₂y/∂a" in repr(mg.explain(y, a))
    assert r"\frac{\partial_{2} y}{\partial a}" in mg.explain(y, a).latex()


def test_a_program_counts_in_the_singular_too():
    program = mg.compile(lambda x: x * x + x).program(2.0)
    assert repr(program) == "<program: 1 input, 2 operations, 1 output>"
    assert "2 inputs, 1 operation, 1 output>" in repr(mg.compile(mg.hypot).program(2.0, 1.0))


# --- limits and arguments ----------------------------------------------------------------------


def test_constants_and_edges_count():
    x = Value(0.5)
    many = mg.fsum([x] + [1.0] * 5000)
    assert len(mg.draw(many).body) < 20
    for shown in (mg.fsum([x] * 1500), mg.fsum([x] + [1.0] * 400)):
        with pytest.raises(ValueError, match="a page shows at most"):
            mg.page(shown)
        assert "<table" in mg.steps(shown)._repr_html_()


@pytest.mark.parametrize("limit", [0, -1, None, "5", True, 1.5, float("nan")])
def test_limits_are_whole_numbers(limit):
    x = Value(1.0)
    for view in (lambda: mg.draw(x, limit=limit), lambda: mg.explain(x, x, limit=limit)):
        with pytest.raises(ValueError, match="limit must be a whole number"):
            view()


def test_absurd_arguments_get_one_short_sentence():
    x = Value(1.0)
    for call in (
        lambda: mg.steps(x, sweep=["right"]),
        lambda: mg.page(x, sweep=["right"]),
        lambda: mg.steps(x, sweep="y" * 10**6),
        lambda: mg.draw(x, detail="z" * 10**6),
        lambda: mg.page(x, detail="z" * 10**6),
        lambda: mg.steps(x).goto(10**5000),
        lambda: mg.expand(x, ["dot"]),
        lambda: mg.expand(x, "w" * 10**6),
    ):
        with pytest.raises((ValueError, TypeError)) as caught:
            call()
        assert len(str(caught.value)) < 300
    y = x
    for _ in range(20_000):
        y = y + y
    with pytest.raises(ValueError, match=r"about 10\^6021 visits"):
        mg.steps(y, sweep="recursion")
    y = x
    for _ in range(40):
        y = y + y
    with pytest.raises(ValueError, match="too many to step through"):
        mg.page(y, sweep="recursion", detail="operations")


# --- files and engines -------------------------------------------------------------------------


def test_rendering_touches_no_other_file_and_makes_no_folder(tmp_path):
    (tmp_path / "y.gv").write_text("precious")
    mg.draw(Value(1.0)).render(tmp_path / "y.svg")
    assert (tmp_path / "y.gv").read_text() == "precious"
    for path in (tmp_path / "not" / "y.svg", tmp_path / "not" / "y.html"):
        with pytest.raises(ValueError, match="no folder"):
            (mg.draw(Value(1.0)).render if path.suffix == ".svg" else mg.page(Value(1.0)).save)(
                path
            )
    with pytest.raises(ValueError, match="name of a file"):
        mg.page(Value(1.0)).save(tmp_path)
    with pytest.raises(ValueError, match="a format such as svg"):
        mg.draw(Value(1.0)).render(tmp_path / "y.xyz")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["y.gv", "y.svg"]


@pytest.mark.parametrize("program", ["/nonsense", "/bin/true"])
def test_a_wrong_engine_is_named_and_the_page_does_without(monkeypatch, tmp_path, program):
    monkeypatch.setenv("MICROGRADIENT_DOT", program)
    with pytest.raises(RuntimeError, match=program):
        mg.draw(Value(1.0)).render(tmp_path / "y.svg")
    assert "<svg" in mg.page(Value(1.0)).html
    assert "text/plain" in mg.draw(Value(1.0))._repr_mimebundle_()


# --- watch -------------------------------------------------------------------------------------


def test_watch_takes_the_users_names_through_an_exit_stack():
    with contextlib.ExitStack() as stack:
        seen = stack.enter_context(watch())
        mine = Value(1.0) * 2
    assert seen["mine"] is mine


def test_blocks_of_generators_may_end_in_any_order():
    def strict():
        with mg.detect_anomaly():
            yield

    first, second = strict(), strict()
    next(first)
    next(second)
    first.close()
    second.close()
    with watch():
        assert mg.log(Value(0.0)).data == -math.inf

    third = strict()
    next(third)
    thread = threading.Thread(target=third.close)
    thread.start()
    thread.join()
    assert mg.log(Value(0.0)).data == -math.inf
