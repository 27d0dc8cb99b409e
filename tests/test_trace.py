"""trace: numbering and columns as in the textbook, numbers as in backward, in every format."""

import csv
import io

import pytest
from hypothesis import given

import microgradient as mg
from microgradient import Value, trace, watch
from microgradient.check.expressions import Expression
from microgradient.check.strategies import expressions


def _y():
    w, x, b = Value(0.8, label="w"), Value(-1.5, label="x"), Value(0.3, label="b")
    s = w * x + b
    return mg.tanh(s) * s, {"s": s}


def test_numbering_is_the_textbooks():
    y, names = _y()
    rows = trace(y, names).rows
    assert [row["variable"] for row in rows] == ["v-2", "v-1", "v0", "v1", "v2", "v3", "v4"]
    assert [row["name"] for row in rows] == ["w", "x", "b", "", "s", "", ""]
    assert [row["formula"] for row in rows] == (
        ["", "", "", "w * x", "v1 + b", "tanh(s)", "v3 * s"]
    )
    assert rows[4]["parents"] == ("v1", "v0")
    assert rows[3]["partials"] == (-1.5, 0.8)
    assert rows[-1]["adjoint"] == 1.0


@given(expressions())
def test_numbers_are_those_of_the_two_sweeps(e: Expression):
    y = e(*map(Value, e.inputs))
    it = trace(y)
    assert not any(node.reached for node in mg.topological_order(y))  # looking changes nothing
    y.backward()
    for node, row in zip(it.graph.nodes, it.rows, strict=True):
        assert row["value"] == node.data
        assert row["adjoint"] == pytest.approx(node.grad, rel=1e-14, abs=1e-300)
    arrived: dict[str, float] = {}
    for c in it.contributions:
        assert c["contribution"] == c["adjoint"] * c["partial"]
        arrived[c["to"]] = arrived.get(c["to"], 0.0) + c["contribution"]
        assert arrived[c["to"]] == c["sum"]
    for row in it.rows[:-1]:
        assert arrived[row["variable"]] == row["adjoint"]


def test_text_has_both_sweeps_and_every_number():
    y, names = _y()
    text = repr(trace(y, names))
    forward, reverse = text.split("\n\n")
    assert "v2        s     v1 + b" in forward
    assert "-0.716298" in forward
    assert reverse.count("\n") == 1 + 1 + 7  # the head, the seed, a line for each edge
    last = "v1 -1.15452 ∂v1/∂x 0.8 -0.923619 dv4/dx -0.923619"
    assert reverse.splitlines()[-1].split() == last.split()


def test_html_and_latex_and_csv():
    y, names = _y()
    it = trace(y, names)
    html = it._repr_html_()
    assert html.count("<table") == html.count("</table>") == 2
    latex = it.latex()
    assert latex.count(r"\begin{array}") == latex.count(r"\end{array}") == 1
    assert r"\tanh\left(s\right)" in latex
    assert latex.count("{") == latex.count("}")
    table = list(csv.DictReader(io.StringIO(it.csv())))
    assert [float(row["value"]) for row in table] == [row["value"] for row in it.rows]
    assert [float(row["adjoint"]) for row in table] == [row["adjoint"] for row in it.rows]


def test_rows_make_a_data_frame():
    import pandas

    frame = pandas.DataFrame(trace(_y()[0]).rows)
    assert list(frame["value"])[:3] == [0.8, -1.5, 0.3]


def test_watch_gives_names_and_lines():
    w = Value(2.0)
    with watch() as seen:
        s = w * 3  # this line
        y = mg.exp(s)
    rows = trace(y, seen).rows
    assert [row["name"] for row in rows] == ["w", "s", "y"]
    assert rows[1]["line"] == "s = w * 3  # this line"
    assert rows[0]["line"] == ""


def test_watch_sees_the_users_line_through_a_model_and_nested_blocks():
    model = mg.nn.MLP(2, [2, 1], rng=0)
    with watch() as outer:
        with watch() as seen:
            y = model([1.0, 2.0])  # the call
        z = y * 2
    rows = trace(z, outer).rows
    assert {row["line"] for row in rows if row["operation"]} == {
        "y = model([1.0, 2.0])  # the call",
        "z = y * 2",
    }
    assert "weights[0,1,0]" in [row["name"] for row in trace(y, seen).rows]


def test_names_from_containers_and_labels_win():
    ws, labelled = [Value(1.0), Value(2.0)], Value(3.0, label="mine")
    names = {"ws": ws, "d": {"k": labelled * 1}, "other": labelled, "_": ws[0], "In": [ws[0]]}
    rows = trace(mg.fsum([*ws, names["d"]["k"]]), names).rows
    assert [row["name"] for row in rows] == ["mine", "ws[0]", "ws[1]", "d[k]", ""]


def test_two_nodes_of_one_name_are_told_apart():
    a, b = Value(1.0, label="x"), Value(2.0, label="x")
    assert trace(a * b).rows[-1]["formula"] == "v-1 * v0"


@pytest.mark.parametrize("name", ["=1+1", "@x", "+1", "-2"])
def test_csv_cells_are_no_formulas(name):
    assert f"'{name}" in trace(Value(1.0, label=name) * 2).csv()


def test_long_sums_are_cut_and_a_lone_input_has_a_trace():
    xs = [Value(float(i), label=f"x{i}") for i in range(20)]
    assert trace(mg.fsum(xs)).rows[-1]["formula"] == "x0 + x1 + … + x19"
    assert trace(mg.dot(xs[:8], xs[8:16])).rows[-1]["formula"] == "x0 * x8 + x1 * x9 + … + x7 * x15"
    assert trace(xs[3]).rows[0]["adjoint"] == 1.0
    assert len(trace(Value(2.0) * 3 - 3).rows) == 3


def test_bad_arguments_say_what_to_write():
    with pytest.raises(TypeError, match="expects the Value"):
        trace(3.0)
    with pytest.raises(TypeError, match=r"locals\(\)"):
        trace(Value(1.0), ["w"])


def test_a_long_chain_is_cut_in_text_only():
    y = Value(1.0)
    for _ in range(5000):
        y = y.sin()
    it = trace(y)
    assert len(it.rows) == 5001
    assert repr(it).count("\n") < 4100
    assert "the first 2,000 rows" in repr(it)
